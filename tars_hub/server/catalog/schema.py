"""The tables of the catalogue, as the newest of the migrations leaves them.

Names are kept twice: as they were written, and in lower case, by which they are found and are unique.
Whatever belongs to a repository goes with its row, by foreign keys that cascade; other rooms' tables can do the same.
"""

from __future__ import annotations

from datetime import datetime, timezone

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

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


def _of_repository() -> Column[int]:
    return Column("repository_id", ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True)


def _now() -> datetime:
    """When something was last offered to a client, or taken from one: nothing is freed before a while after that."""
    return datetime.now(timezone.utc)


metadata = MetaData()

meta = Table("meta", metadata, Column("key", String(40), primary_key=True), Column("value", Text, nullable=False))

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
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
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
    Column("token_id", ForeignKey("tokens.id", ondelete="CASCADE"), primary_key=True),
    Column("repository_id", ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True),
    Index("tokens_for_repository", "repository_id"),
    sqlite_with_rowid=False,
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("token_id", ForeignKey("tokens.id", ondelete="CASCADE"), nullable=False),
    Column("expires_at", Time, nullable=False),
    Index("sessions_of_token", "token_id"),
    sqlite_with_rowid=False,
)

members = Table(
    "members",
    metadata,
    Column("organisation_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("role", String(10), nullable=False),
    Index("memberships_of_user", "user_id"),
    sqlite_with_rowid=False,
)

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

repository_likes = Table(
    "repository_likes",
    metadata,
    _of_repository(),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("at", Time, nullable=False),
    Index("likes_of_user", "user_id"),
    sqlite_with_rowid=False,
)

access_requests = Table(
    "access_requests",
    metadata,
    _of_repository(),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("status", String(10), nullable=False),
    Column("at", Time, nullable=False),
    Index("access_requests_of_user", "user_id"),
    sqlite_with_rowid=False,
)

repository_tags = Table(
    "repository_tags",
    metadata,
    _of_repository(),
    Column("tag", Text, primary_key=True),
    Index("repositories_by_tag", "tag", "repository_id"),
    sqlite_with_rowid=False,  # a table that is all key is its own index
)

former_names = Table(
    "former_names",
    metadata,
    Column("lower_name", Text, primary_key=True),
    Column("repository_id", ForeignKey("repositories.id", ondelete="CASCADE"), nullable=False),
    Index("former_names_of_repository", "repository_id"),
    sqlite_with_rowid=False,
)

refs = Table(
    "refs",
    metadata,
    _of_repository(),
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
    _of_repository(),
    Column("oid", ForeignKey("commits.oid"), primary_key=True),
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

contents = Table(
    "contents",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("plain", Boolean, nullable=False),
    Column("xet", String(64), nullable=False),
    Column("offered_at", Time, nullable=False, default=_now),
    Index("contents_by_xet", "xet"),
)

repository_contents = Table(
    "repository_contents",
    metadata,
    _of_repository(),
    Column("sha256", String(64), primary_key=True),
    Column("committed", Boolean, nullable=False),
    Index("repositories_by_content", "sha256", "repository_id"),
    sqlite_with_rowid=False,
)

xorbs = Table(
    "xorbs",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("unpacked_size", BigInteger, nullable=False),
    Column("chunks", LargeBinary, nullable=False),
    Column("offered_at", Time, nullable=False, default=_now),
)

recipes = Table(
    "recipes",
    metadata,
    Column("id", Integer, primary_key=True),  # grows: by it the newest is known
    Column("hash", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("packed_size", BigInteger, nullable=False),
    Column("terms", LargeBinary, nullable=False),
    Index("recipes_by_hash", "hash", unique=True),
    sqlite_autoincrement=True,
)

recipe_xorbs = Table(
    "recipe_xorbs",
    metadata,
    Column("xorb", String(64), primary_key=True),
    Column("recipe_id", ForeignKey("recipes.id", ondelete="CASCADE"), primary_key=True),
    Index("xorbs_of_recipe", "recipe_id"),
    sqlite_with_rowid=False,
)

recipe_chunks = Table(
    "recipe_chunks",
    metadata,
    Column("chunk", String(64), primary_key=True),
    Column("recipe_id", ForeignKey("recipes.id", ondelete="CASCADE"), primary_key=True),
    Index("chunks_of_recipe", "recipe_id"),
    sqlite_with_rowid=False,
)

discussions = Table(
    "discussions",
    metadata,
    _of_repository(),
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
    Column("event_id", ForeignKey("discussion_events.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
    Column("at", Time, nullable=False),
    sqlite_with_rowid=False,
)
