"""What is kept, and in which form."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table

from tars_hub.server.catalog.schema.base import Time, key_of, metadata, now

contents = Table(
    "contents",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("plain", Boolean, nullable=False),
    Column("xet", String(64), nullable=False),
    Column("offered_at", Time, nullable=False, default=now),
    Index("contents_by_xet", "xet"),
)

repository_contents = Table(
    "repository_contents",
    metadata,
    key_of("repository_id", "repositories.id"),
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
    Column("offered_at", Time, nullable=False, default=now),
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
    key_of("recipe_id", "recipes.id"),
    Index("xorbs_of_recipe", "recipe_id"),
    sqlite_with_rowid=False,
)

recipe_chunks = Table(
    "recipe_chunks",
    metadata,
    Column("chunk", String(64), primary_key=True),
    key_of("recipe_id", "recipes.id"),
    Index("chunks_of_recipe", "recipe_id"),
    sqlite_with_rowid=False,
)
