"""Organisations, quotas, tokens that end, sessions, likes, access requests; and what tidying has to know."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TERM_BYTES, _HASH_BYTES = 48, 32  # of a recipe's packed terms, each of which begins with its xorb's hash
_AT_ONCE = 1000


def upgrade() -> None:
    """Add them, and fill in what follows from what is there."""
    _accounts()
    _of_accounts()
    _repositories()
    _of_repositories()
    _contents()
    _fill_repositories()
    _fill_xorbs()


def _accounts() -> None:
    op.add_column("users", sa.Column("organisation", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("users", sa.Column("quota_bytes", sa.BigInteger))
    op.add_column("tokens", sa.Column("expires_at", sa.DateTime(timezone=True)))
    op.add_column("tokens", sa.Column("scoped", sa.Boolean, nullable=False, server_default=sa.false()))


def _of_accounts() -> None:
    op.create_table(
        "token_repositories",
        _key("token_id", "tokens.id"),
        _key("repository_id", "repositories.id"),
        sqlite_with_rowid=False,
    )
    op.create_index("tokens_for_repository", "token_repositories", ["repository_id"])
    op.create_table(
        "sessions",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("token_id", sa.Integer, sa.ForeignKey("tokens.id", ondelete="CASCADE"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("sessions_of_token", "sessions", ["token_id"])
    op.create_table(
        "members",
        _key("organisation_id", "users.id"),
        _key("user_id", "users.id"),
        sa.Column("role", sa.String(10), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("memberships_of_user", "members", ["user_id"])


def _repositories() -> None:
    table = "repositories"
    op.add_column(table, sa.Column("backbone", sa.Text, nullable=False, server_default=""))
    op.add_column(table, sa.Column("classes", sa.Integer))
    op.add_column(table, sa.Column("downloads", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column(table, sa.Column("likes", sa.BigInteger, nullable=False, server_default="0"))
    op.create_index("repositories_by_downloads", table, ["downloads", "id"])
    op.create_index("repositories_by_likes", table, ["likes", "id"])


def _of_repositories() -> None:
    op.create_table(
        "repository_likes",
        _key("repository_id", "repositories.id"),
        _key("user_id", "users.id"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("likes_of_user", "repository_likes", ["user_id"])
    op.create_table(
        "access_requests",
        _key("repository_id", "repositories.id"),
        _key("user_id", "users.id"),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("access_requests_of_user", "access_requests", ["user_id"])


def _contents() -> None:
    now = f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S.%f}"  # all that is there counts as offered just now
    for table in ("contents", "xorbs"):
        offered = sa.Column("offered_at", sa.DateTime(timezone=True), nullable=False, server_default=now)
        op.add_column(table, offered)
    op.create_index("contents_by_xet", "contents", ["xet"])
    op.create_table(
        "recipe_xorbs",
        sa.Column("xorb", sa.String(64), primary_key=True),
        _key("recipe_id", "recipes.id"),
        sqlite_with_rowid=False,
    )
    op.create_index("xorbs_of_recipe", "recipe_xorbs", ["recipe_id"])
    op.create_index("repositories_by_commit", "repository_commits", ["oid"])


def _key(name: str, target: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, sa.ForeignKey(target, ondelete="CASCADE"), primary_key=True)


def _fill_repositories() -> None:
    connection = op.get_bind()
    repositories = sa.table("repositories", *map(sa.column, ("id", "facts", "backbone", "classes")))
    for row in connection.execute(sa.select(repositories.c.id, repositories.c.facts)).all():
        values = _from_facts(json.loads(row.facts))
        connection.execute(sa.update(repositories).where(repositories.c.id == row.id).values(values))


def _from_facts(facts: dict[str, Any]) -> dict[str, Any]:
    config = facts.get("config", {})
    return {
        "backbone": config.get("backbone") or config.get("architecture") or "",
        "classes": config.get("num_classes"),
    }


def _fill_xorbs() -> None:
    connection = op.get_bind()
    recipes = sa.table("recipes", sa.column("id"), sa.column("terms"))
    target = sa.table("recipe_xorbs", sa.column("xorb"), sa.column("recipe_id"))
    page = sa.select(recipes).order_by(recipes.c.id).limit(_AT_ONCE)
    after = 0
    while rows := connection.execute(page.where(recipes.c.id > after)).all():
        after = rows[-1].id
        pairs = {(xorb, row.id) for row in rows for xorb in _xorbs_of(row.terms)}
        if pairs:
            connection.execute(sa.insert(target), [{"xorb": xorb, "recipe_id": key} for xorb, key in sorted(pairs)])


def _xorbs_of(terms: bytes) -> set[str]:
    return {terms[at : at + _HASH_BYTES].hex() for at in range(0, len(terms), _TERM_BYTES)}
