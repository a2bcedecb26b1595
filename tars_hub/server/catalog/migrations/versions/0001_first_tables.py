"""The first tables: accounts, repositories, their history, contents, and discussions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them all."""
    op.create_table(
        "meta", sa.Column("key", sa.String(40), primary_key=True), sa.Column("value", sa.Text, nullable=False)
    )
    _accounts()
    _repositories()
    _names_and_tags()
    _history()
    _objects()
    _contents()
    _recipes()
    _discussions()
    _events()


def _time(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def _of_repository(*, key: bool = True) -> sa.Column[int]:
    target = sa.ForeignKey("repositories.id", ondelete="CASCADE")
    return sa.Column("repository_id", sa.Integer, target, primary_key=key, nullable=False)


def _accounts() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("lower_name", sa.Text, nullable=False),
        _time("created_at"),
        sqlite_autoincrement=True,
    )
    op.create_index("users_by_name", "users", ["lower_name"], unique=True)
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        _time("created_at"),
        sqlite_autoincrement=True,
    )
    op.create_index("tokens_by_digest", "tokens", ["digest"], unique=True)
    op.create_index("tokens_by_user", "tokens", ["user_id"])


def _repositories() -> None:
    op.create_table(
        "repositories",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("namespace", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("lower_namespace", sa.Text, nullable=False),
        sa.Column("lower_name", sa.Text, nullable=False),
        sa.Column("private", sa.Boolean, nullable=False),
        sa.Column("gated", sa.String(10), nullable=False),
        _time("created_at"),
        _time("updated_at"),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("pipeline_tag", sa.Text, nullable=False),
        sa.Column("parameters", sa.BigInteger),
        sqlite_autoincrement=True,
    )
    op.create_index("repositories_by_name", "repositories", ["lower_name"], unique=True)
    op.create_index("repositories_by_namespace", "repositories", ["lower_namespace"])
    op.create_index("repositories_by_update", "repositories", ["updated_at", "id"])
    op.create_index("repositories_by_creation", "repositories", ["created_at", "id"])


def _names_and_tags() -> None:
    op.create_table(
        "repository_tags",
        _of_repository(),
        sa.Column("tag", sa.Text, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("repositories_by_tag", "repository_tags", ["tag", "repository_id"])
    op.create_table(
        "former_names",
        sa.Column("lower_name", sa.Text, primary_key=True),
        _of_repository(key=False),
        sqlite_with_rowid=False,
    )
    op.create_index("former_names_of_repository", "former_names", ["repository_id"])


def _history() -> None:
    op.create_table(
        "refs",
        _of_repository(),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("commit", sa.String(40), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "commits",
        sa.Column("oid", sa.String(40), primary_key=True),
        sa.Column("tree", sa.String(40), nullable=False),
        sa.Column("first_parent", sa.String(40)),
        sa.Column("parents", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        _time("at"),
        sa.Column("message", sa.Text, nullable=False),
    )
    op.create_table(
        "repository_commits",
        _of_repository(),
        sa.Column("oid", sa.String(40), sa.ForeignKey("commits.oid"), primary_key=True),
        sqlite_with_rowid=False,
    )


def _objects() -> None:
    op.create_table(
        "trees",
        sa.Column("oid", sa.String(40), primary_key=True),
        sa.Column("encoded", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "files",
        sa.Column("oid", sa.String(40), primary_key=True),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("lfs", sa.Boolean, nullable=False),
    )


def _contents() -> None:
    op.create_table(
        "contents",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("plain", sa.Boolean, nullable=False),
        sa.Column("xet", sa.String(64), nullable=False),
    )
    op.create_table(
        "repository_contents",
        _of_repository(),
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("committed", sa.Boolean, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("repositories_by_content", "repository_contents", ["sha256", "repository_id"])


def _recipes() -> None:
    op.create_table(
        "xorbs",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("unpacked_size", sa.BigInteger, nullable=False),
        sa.Column("chunks", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "recipes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("packed_size", sa.BigInteger, nullable=False),
        sa.Column("terms", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("recipes_by_hash", "recipes", ["hash"], unique=True)
    op.create_table(
        "recipe_chunks",
        sa.Column("chunk", sa.String(64), primary_key=True),
        sa.Column("recipe_id", sa.Integer, sa.ForeignKey("recipes.id", ondelete="CASCADE"), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("chunks_of_recipe", "recipe_chunks", ["recipe_id"])


def _discussions() -> None:
    op.create_table(
        "discussions",
        _of_repository(),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        _time("created_at"),
        sa.Column("base", sa.Text),
        sa.Column("start", sa.String(40)),
        sa.Column("head", sa.String(40)),
        sa.Column("merge_commit", sa.String(40)),
        sqlite_with_rowid=False,
    )


def _events() -> None:
    op.create_table(
        "discussion_events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("repository_id", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        _time("at"),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("before", sa.Text, nullable=False),
        _time("updated_at"),
        sa.Column("hidden", sa.Boolean, nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id", "number"], ["discussions.repository_id", "discussions.number"], ondelete="CASCADE"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("events_of_discussion", "discussion_events", ["repository_id", "number", "id"])
    op.create_table(
        "comment_versions",
        sa.Column("event_id", sa.Integer, sa.ForeignKey("discussion_events.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("text", sa.Text, nullable=False),
        _time("at"),
        sqlite_with_rowid=False,
    )
