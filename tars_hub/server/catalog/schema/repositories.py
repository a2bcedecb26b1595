"""Repositories, their old names, and what others make of them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text

from tars_hub.server.catalog.schema.base import Time, key_of, metadata, owned_by

repositories = Table(
    "repositories",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("namespace", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("lower_namespace", Text, nullable=False),
    Column("lower_name", Text, nullable=False),  # the full one: namespace/name
    Column("private", Boolean, nullable=False),
    Column("gated", String(10), nullable=False),
    Column("created_at", Time, nullable=False),
    Column("updated_at", Time, nullable=False),
    Column("facts", Text, nullable=False),  # JSON; what is searched for has columns of its own
    Column("pipeline_tag", Text, nullable=False),
    Column("parameters", BigInteger),  # how many in all; NULL where that is not known
    Column("backbone", Text, nullable=False, default=""),
    Column("classes", Integer),
    Column("downloads", BigInteger, nullable=False, default=0),
    Column("likes", BigInteger, nullable=False, default=0),  # rows of repository_likes
    Index("repositories_by_name", "lower_name", unique=True),
    Index("repositories_by_namespace", "lower_namespace"),
    Index("repositories_by_update", "updated_at", "id"),
    Index("repositories_by_creation", "created_at", "id"),
    Index("repositories_by_downloads", "downloads", "id"),
    Index("repositories_by_likes", "likes", "id"),
    sqlite_autoincrement=True,
)

repository_tags = Table(
    "repository_tags",
    metadata,
    key_of("repository_id", "repositories.id"),
    Column("tag", Text, primary_key=True),
    Index("repositories_by_tag", "tag", "repository_id"),
    sqlite_with_rowid=False,  # a table that is all key is its own index
)

former_names = Table(
    "former_names",
    metadata,
    Column("lower_name", Text, primary_key=True),
    owned_by("repository_id", "repositories.id"),
    Index("former_names_of_repository", "repository_id"),
    sqlite_with_rowid=False,
)

repository_likes = Table(
    "repository_likes",
    metadata,
    key_of("repository_id", "repositories.id"),
    key_of("user_id", "users.id"),
    Column("at", Time, nullable=False),
    Index("likes_of_user", "user_id"),
    sqlite_with_rowid=False,
)

access_requests = Table(
    "access_requests",
    metadata,
    key_of("repository_id", "repositories.id"),
    key_of("user_id", "users.id"),
    Column("status", String(10), nullable=False),
    Column("at", Time, nullable=False),
    Index("access_requests_of_user", "user_id"),
    sqlite_with_rowid=False,
)
