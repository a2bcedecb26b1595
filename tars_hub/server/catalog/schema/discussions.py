"""Discussions, pull requests, and what happened in them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKeyConstraint, Index, Integer, String, Table, Text

from tars_hub.server.catalog.schema.base import Time, key_of, metadata

discussions = Table(
    "discussions",
    metadata,
    key_of("repository_id", "repositories.id"),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("title", Text, nullable=False),
    Column("status", String(10), nullable=False),
    Column("author", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("base", Text),  # from here on of pull requests alone
    Column("start", String(40)),
    Column("head", String(40)),
    Column("merge_commit", String(40)),
    sqlite_with_rowid=False,
)

discussion_events = Table(
    "discussion_events",
    metadata,
    Column("id", Integer, primary_key=True),  # grows: by it they are in order
    Column("repository_id", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("author", Text, nullable=False),
    Column("at", Time, nullable=False),
    Column("text", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("updated_at", Time, nullable=False),
    Column("hidden", Boolean, nullable=False),
    ForeignKeyConstraint(
        ["repository_id", "number"], ["discussions.repository_id", "discussions.number"], ondelete="CASCADE"
    ),
    Index("events_of_discussion", "repository_id", "number", "id"),
    sqlite_autoincrement=True,
)

comment_versions = Table(
    "comment_versions",
    metadata,
    key_of("event_id", "discussion_events.id"),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
    Column("at", Time, nullable=False),
    sqlite_with_rowid=False,
)
