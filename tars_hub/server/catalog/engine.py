"""The way to the database: connections, transactions, and what SQLite needs to be safe for many at once.

Python's sqlite3 begins transactions on its own: late, only for some writes, and never for reading or for making
tables. So it is told to keep out of it (isolation_level None; the newer `autocommit` needs Python 3.12), and BEGIN is
said here, where SQLAlchemy believes that a transaction begins. One that reads sees one state from first to last. One
that writes says BEGIN IMMEDIATE, which waits for its turn; one that read first and wanted to write later would be
refused at once ("database is locked") where another has written meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any, cast

from sqlalchemy import URL, Connection, Engine, StaticPool, create_engine, event, make_url
from sqlalchemy.exc import OperationalError

_BUSY_S = 30
_THREADS = 40  # of the web server: each may have a connection, which is then kept open
_WRITES = "tars_writes"


class Database:
    """An engine whose every transaction is begun as a reading or a writing one; never one within another."""

    def __init__(self, url: str | URL) -> None:
        """Connect nothing yet, but make the file of an SQLite database, for its owner's eyes only."""
        parsed = make_url(url)
        sqlite = parsed.get_backend_name() == "sqlite"
        memory = sqlite and parsed.database in (None, "", ":memory:")
        if sqlite and not memory:
            _make_private(parsed)
        self._engine = _engine(parsed, sqlite=sqlite, memory=memory)
        self._writer = self._engine.execution_options(**{_WRITES: True})
        # SQLite has one writer at a time. Threads queue here, and are woken in turn: its own way of waiting is to
        # sleep and look again. In memory all threads share one connection, and so also readers have to queue.
        queue: contextlib.AbstractContextManager[Any] = Lock() if sqlite else contextlib.nullcontext()
        self._write_queue = queue
        self._read_queue = queue if memory else contextlib.nullcontext()
        self._watch = _Watch(self._engine) if sqlite and not memory else None

    @property
    def version(self) -> int | None:
        """Another number whenever anything was committed, by whichever process; None where nobody can tell.

        Never waits, and takes microseconds.
        """
        return self._watch.version() if self._watch else None

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that changes nothing."""
        with self._read_queue, self._engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is kept when the block ends well, and undone otherwise."""
        try:
            with self._write_queue, self._writer.begin() as connection:
                yield connection
        except OperationalError as error:
            if "is full" in str(error.orig):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
            raise

    def close(self) -> None:
        """Close all connections; nobody may be using one."""
        if self._watch:
            self._watch.close()
        self._engine.dispose()


class _Watch:
    """A connection that only looks whether others have written; SQLite counts what they commit.

    See https://sqlite.org/pragma.html#pragma_data_version: the numbers of one connection, which itself writes nothing,
    can be compared with each other and with no others.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine, self._lock = engine, Lock()
        self._connection: sqlite3.Connection | None = None

    def version(self) -> int | None:
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._connected()
                return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
            except sqlite3.Error:  # such as one that waits for who brings the log in order after a crash
                return None

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _connected(self) -> sqlite3.Connection:
        borrowed = self._engine.raw_connection()
        borrowed.detach()  # the pool makes another
        connection = cast(sqlite3.Connection, borrowed.dbapi_connection)
        connection.execute("PRAGMA busy_timeout = 0")
        return connection


def _engine(url: URL, *, sqlite: bool, memory: bool) -> Engine:
    if not sqlite:
        return create_engine(url, pool_pre_ping=True, pool_size=_THREADS, max_overflow=-1)
    if memory:
        engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
    else:
        engine = create_engine(
            url, pool_size=_THREADS, max_overflow=-1, pool_use_lifo=True, connect_args={"timeout": _BUSY_S}
        )
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _make_private(url: URL) -> None:
    """Make the database's file before SQLite does; what SQLite lays beside it gets the same mode."""
    path = Path(str(url.database))
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _set_up(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")  # readers and the writer do not wait for each other
    connection.execute("PRAGMA synchronous = FULL")  # what was committed outlasts a power cut
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
