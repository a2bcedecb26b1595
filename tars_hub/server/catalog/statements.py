"""What every part of the catalogue says to the database, in words that SQLite and PostgreSQL share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select, Table

T = TypeVar("T")
_AT_ONCE = 500  # ids in one question; old SQLite takes 999 parameters


def insert_absent(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Insert rows whose keys are not there yet; says, of a single row, whether it was inserted."""
    if not rows:
        return False
    statement: Any
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        statement = postgresql.insert(table).on_conflict_do_nothing()
    else:
        from sqlalchemy.dialects import sqlite

        statement = sqlite.insert(table).on_conflict_do_nothing()
    return connection.execute(statement, list(rows)).rowcount > 0


def rows_among(
    connection: Connection, question: Select[Any], column: ColumnElement[str], values: Iterable[str]
) -> Iterator[Row[Any]]:
    """The rows whose column has one of these values, however many values there are."""
    for some in batches(values):
        yield from connection.execute(question.where(column.in_(some)))


def batches(values: Iterable[T], most: int = _AT_ONCE) -> Iterator[list[T]]:
    """Each value once, as many at a time as one statement takes."""
    unique = list(dict.fromkeys(values))
    for start in range(0, len(unique), most):
        yield unique[start : start + most]
