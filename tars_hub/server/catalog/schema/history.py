"""Refs, commits, trees, files."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, LargeBinary, String, Table, Text

from tars_hub.server.catalog.schema.base import Time, key_of, metadata

refs = Table(
    "refs",
    metadata,
    key_of("repository_id", "repositories.id"),
    Column("name", Text, primary_key=True),
    Column("commit", String(40), nullable=False),
    sqlite_with_rowid=False,
)

commits = Table(
    "commits",
    metadata,
    Column("oid", String(40), primary_key=True),
    Column("tree", String(40), nullable=False),
    Column("first_parent", String(40)),  # which the log walks along
    Column("parents", Text, nullable=False),  # all of them, with spaces between
    Column("author", Text, nullable=False),
    Column("at", Time, nullable=False),
    Column("message", Text, nullable=False),
)

repository_commits = Table(
    "repository_commits",
    metadata,
    key_of("repository_id", "repositories.id"),
    Column("oid", ForeignKey("commits.oid"), primary_key=True),
    Index("repositories_by_commit", "oid"),
    sqlite_with_rowid=False,
)

trees = Table(
    "trees",
    metadata,
    Column("oid", String(40), primary_key=True),
    Column("encoded", LargeBinary, nullable=False),
)

files = Table(
    "files",
    metadata,
    Column("oid", String(40), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("lfs", Boolean, nullable=False),
)
