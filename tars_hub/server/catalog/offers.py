"""When contents and xorbs were last offered to a client, or taken from one; steps within a transaction.

Nothing is freed before a while after that. It is noted to within ten minutes, so that clients who ask for the same
things all day do not write all day.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, select, update

from tars_hub.server.catalog.interface import GoneError
from tars_hub.server.catalog.schema import contents, xorbs
from tars_hub.server.catalog.statements import batches, rows_among

_FRESH = timedelta(minutes=10)
_KEYS = {contents: contents.c.sha256, xorbs: xorbs.c.hash}


def is_stale(table: Table) -> ColumnElement[bool]:
    """The condition that a row was not offered just now."""
    stale: ColumnElement[bool] = table.c.offered_at < datetime.now(timezone.utc) - _FRESH
    return stale


def stale_among(connection: Connection, table: Table, names: Iterable[str]) -> list[str]:
    """Those of these contents or xorbs that are there, and whose offer is to be noted anew."""
    key: Any = _KEYS[table]
    question = select(key.label("name")).where(is_stale(table))
    return [row.name for row in rows_among(connection, question, key, names)]


def renew(connection: Connection, table: Table, names: Iterable[str]) -> None:
    """Note that these contents or xorbs are offered now, where that was not noted just before."""
    now = datetime.now(timezone.utc)
    for some in batches(stale_among(connection, table, names)):
        connection.execute(update(table).where(_KEYS[table].in_(some)).values(offered_at=now))


def require(connection: Connection, table: Table, names: Iterable[str]) -> None:
    """Raises GoneError where one of these contents or xorbs is not there; they count as offered now."""
    key: Any = _KEYS[table]
    wanted = dict.fromkeys(names)
    there = {row.name for row in rows_among(connection, select(key.label("name")), key, wanted)}
    missing = next((name for name in wanted if name not in there), None)
    if missing is not None:
        raise GoneError(f"{'content' if table is contents else 'xorb'} {missing}")
    renew(connection, table, wanted)
