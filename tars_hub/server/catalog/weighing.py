"""How much there is, in SQL."""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select, text

from tars_hub.server.catalog.engine import Database
from tars_hub.server.catalog.schema import (
    contents,
    files,
    recipe_xorbs,
    recipes,
    repositories,
    repository_commits,
    repository_contents,
    xorbs,
)
from tars_hub.server.catalog.tidying import Totals

K = TypeVar("K", int, str)


class SqlWeighing:
    """The part of the catalogue that adds up."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def totals(self) -> Totals:
        """How much there is of everything."""
        with self._database.reading() as connection:
            return Totals(
                repositories=_count(connection, repositories),
                commits=_count(connection, repository_commits),
                files=_count(connection, files),
                contents=_count(connection, contents),
                file_bytes=_sum(connection, select(func.sum(contents.c.size)).where(contents.c.plain)),
                xorb_bytes=_sum(connection, select(func.sum(xorbs.c.size))),
                catalog_bytes=_pages(connection, "page_count"),
                free_bytes=_pages(connection, "freelist_count"),
            )

    def alone(self) -> dict[int, int]:
        """Bytes on the disk that one repository alone uses, by its id."""
        return self._alone(repository_contents.c.repository_id)

    def alone_by_owner(self) -> dict[str, int]:
        """Bytes on the disk that the repositories of one namespace alone use, by its name in lower case."""
        return self._alone(repositories.c.lower_namespace)

    def _alone(self, user: ColumnElement[K]) -> dict[K, int]:
        """Of whole contents, and of xorbs by the recipes that name them: those that have one user."""
        links, least = repository_contents.c, func.min(user)
        only = least == func.max(user)
        used = repositories.join(repository_contents, links.repository_id == repositories.c.id)
        made = used.join(recipes, recipes.c.sha256 == links.sha256)
        packed = made.join(recipe_xorbs, recipe_xorbs.c.recipe_id == recipes.c.id)
        whole = select(least.label("user"), contents.c.size).select_from(
            used.join(contents, and_(contents.c.sha256 == links.sha256, contents.c.plain))
        )
        chunks = select(least.label("user"), xorbs.c.size).select_from(
            packed.join(xorbs, xorbs.c.hash == recipe_xorbs.c.xorb)
        )
        found: dict[K, int] = {}
        with self._database.reading() as connection:
            for question in (whole.group_by(contents.c.sha256), chunks.group_by(xorbs.c.hash)):
                for row in connection.execute(question.having(only)):
                    found[row.user] = found.get(row.user, 0) + row.size
        return found


def _count(connection: Connection, table: Any) -> int:  # noqa: ANN401  # any table
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _sum(connection: Connection, question: Select[Any]) -> int:
    return int(connection.execute(question).scalar() or 0)


def _pages(connection: Connection, which: str) -> int:
    """Bytes of SQLite's own pages; another database is not asked."""
    if connection.dialect.name != "sqlite":
        return 0
    count = connection.execute(text(f"PRAGMA {which}")).scalar_one()
    return int(count) * int(connection.execute(text("PRAGMA page_size")).scalar_one())
