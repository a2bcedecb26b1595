"""Users, organisations, tokens, sessions."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text

from tars_hub.server.catalog.schema.base import Time, key_of, metadata, owned_by

users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("lower_name", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("organisation", Boolean, nullable=False, default=False),
    Column("quota_bytes", BigInteger),
    Index("users_by_name", "lower_name", unique=True),
    sqlite_autoincrement=True,  # an id is never given twice, also when its row is gone
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    owned_by("user_id", "users.id"),
    Column("digest", Text, nullable=False),
    Column("role", String(10), nullable=False),
    Column("label", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time),
    Column("scoped", Boolean, nullable=False, default=False),  # for the repositories of token_repositories alone
    Index("tokens_by_digest", "digest", unique=True),
    Index("tokens_by_user", "user_id"),
    sqlite_autoincrement=True,
)

token_repositories = Table(
    "token_repositories",
    metadata,
    key_of("token_id", "tokens.id"),
    key_of("repository_id", "repositories.id"),
    Index("tokens_for_repository", "repository_id"),
    sqlite_with_rowid=False,
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", String(64), primary_key=True),
    owned_by("token_id", "tokens.id"),
    Column("expires_at", Time, nullable=False),
    Index("sessions_of_token", "token_id"),
    sqlite_with_rowid=False,
)

members = Table(
    "members",
    metadata,
    key_of("organisation_id", "users.id"),
    key_of("user_id", "users.id"),
    Column("role", String(10), nullable=False),
    Index("memberships_of_user", "user_id"),
    sqlite_with_rowid=False,
)
