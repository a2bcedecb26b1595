"""What all tables are made of."""

from __future__ import annotations

from datetime import datetime, timezone

from sqlalchemy import Column, DateTime, Dialect, ForeignKey, MetaData, String, Table, Text, TypeDecorator

HEAD = "0002"
"""The newest migration. Versions are four digits, so that a later one is greater as text."""


class Time(TypeDecorator[datetime]):
    """Aware times, to the microsecond; SQLite keeps them as text without a zone, which is UTC here."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(timezone.utc)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)


def key_of(name: str, row: str) -> Column[int]:
    """A part of a row's key that names another row, and goes with it."""
    return Column(name, ForeignKey(row, ondelete="CASCADE"), primary_key=True)


def owned_by(name: str, row: str) -> Column[int]:
    """The row that this one belongs to, and goes with."""
    return Column(name, ForeignKey(row, ondelete="CASCADE"), nullable=False)


def now() -> datetime:
    """When something was last offered to a client, or taken from one: nothing is freed before a while after that."""
    return datetime.now(timezone.utc)


metadata = MetaData()

meta = Table("meta", metadata, Column("key", String(40), primary_key=True), Column("value", Text, nullable=False))
