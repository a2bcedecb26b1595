"""Contents, xorbs and recipes in SQL."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Connection, Row, or_, select, update

from tars_hub.server.catalog import offers, schema, terms, usage
from tars_hub.server.catalog.engine import Database
from tars_hub.server.catalog.interface import GoneError
from tars_hub.server.catalog.links import link
from tars_hub.server.catalog.schema import (
    contents,
    recipe_chunks,
    recipe_xorbs,
    recipes,
    repositories,
    repository_contents,
    xorbs,
)
from tars_hub.server.catalog.statements import batches, insert_absent, rows_among
from tars_hub.server.records import Content, Recipe, Xorb

_MOST_RECIPES = 20


class SqlContents:
    """The part of the catalogue that knows what is kept, in which form, and for whom."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_plain(
        self, sizes: Mapping[str, int], *, is_there: Callable[[str], bool] | None = None, repo_id: int | None = None
    ) -> None:
        """The blobs have these contents, each as one piece. Raises GoneError where one `is_there` no more."""
        change = {"plain": True, "offered_at": datetime.now(timezone.utc)}
        fresh = or_(contents.c.plain.is_(False), offers.is_stale(contents))
        for some in batches(sizes):
            with self._database.writing() as connection:
                _add_contents(connection, {sha256: sizes[sha256] for sha256 in some})
                connection.execute(update(contents).where(contents.c.sha256.in_(some), fresh).values(change))
                _require_bytes("content", some, is_there)
                _link(connection, repo_id, some)

    def add_xorb(self, xorb: Xorb, *, is_there: Callable[[str], bool] | None = None) -> None:
        """Keep what is known of a xorb; one that is known stays as it is. Raises GoneError as `add_plain` does."""
        row = {"hash": xorb.hash, "size": xorb.size, "unpacked_size": xorb.unpacked_size, "chunks": xorb.chunks}
        with self._database.writing() as connection:
            insert_absent(connection, xorbs, [row])
            offers.renew(connection, xorbs, [xorb.hash])
            _require_bytes("xorb", [xorb.hash], is_there)

    def offer(self, *, contents: Collection[str] = (), xorbs: Collection[str] = ()) -> None:
        """Those that are there stay for a while from now on; it writes only where that was not noted just before."""
        wanted = ((schema.contents, contents), (schema.xorbs, xorbs))
        with self._database.reading() as connection:
            stale = [(table, offers.stale_among(connection, table, names)) for table, names in wanted]
        if any(names for _, names in stale):
            with self._database.writing() as connection:
                for table, names in stale:
                    offers.renew(connection, table, names)

    def xorbs(self, hashes: Collection[str]) -> dict[str, Xorb]:
        """Those that are known, by their hashes."""
        with self._database.reading() as connection:
            return {row.hash: _xorb(row) for row in rows_among(connection, select(xorbs), xorbs.c.hash, hashes)}

    def add_recipe(self, recipe: Recipe, *, chunks: Collection[str], repo_id: int | None = None) -> None:
        """Keep a recipe, and the hashes of those of its chunks by which others may find it. Raises GoneError."""
        packed = terms.pack(recipe.terms)
        sizes = {"size": recipe.size, "packed_size": recipe.packed_size}
        row = {"hash": recipe.hash, "sha256": recipe.sha256, **sizes, "terms": packed}
        content = contents.c.sha256 == recipe.sha256
        used = dict.fromkeys(term.xorb for term in recipe.terms)
        with self._database.writing() as connection:
            offers.require(connection, xorbs, used)
            insert_absent(connection, recipes, [row])
            key = connection.execute(select(recipes.c.id).where(recipes.c.hash == recipe.hash)).scalar_one()
            insert_absent(connection, recipe_chunks, [{"chunk": c, "recipe_id": key} for c in dict.fromkeys(chunks)])
            insert_absent(connection, recipe_xorbs, [{"xorb": xorb, "recipe_id": key} for xorb in used])
            _add_contents(connection, {recipe.sha256: recipe.size})
            connection.execute(update(contents).where(content, contents.c.xet == "").values(xet=recipe.hash))
            offers.renew(connection, contents, [recipe.sha256])
            _link(connection, repo_id, [recipe.sha256])

    def recipe(self, xet: str) -> Recipe | None:
        """Find a recipe by its Xet hash."""
        with self._database.reading() as connection:
            row = connection.execute(select(recipes).where(recipes.c.hash == xet)).first()
        return _recipe(row) if row else None

    def recipes_with(self, chunk: str) -> list[tuple[str, tuple[int, ...]]]:
        """Xet hashes of recipes with this chunk and the repositories that have committed them; 20, newest first."""
        some = select(recipes.c.hash, recipes.c.sha256).join(recipe_chunks).where(recipe_chunks.c.chunk == chunk)
        newest = some.order_by(recipe_chunks.c.recipe_id.desc()).limit(_MOST_RECIPES)
        links = repository_contents.c
        committed = select(links.sha256, links.repository_id).where(links.committed).order_by(links.repository_id)
        owners: dict[str, list[int]] = {}
        with self._database.reading() as connection:
            found = connection.execute(newest).all()
            for row in rows_among(connection, committed, links.sha256, (row.sha256 for row in found)):
                owners.setdefault(row.sha256, []).append(row.repository_id)
        return [(row.hash, tuple(owners.get(row.sha256, ()))) for row in found]

    def get(self, sha256s: Collection[str]) -> dict[str, Content]:
        """Those that are kept, by their SHA-256."""
        with self._database.reading() as connection:
            found = rows_among(connection, select(contents), contents.c.sha256, sha256s)
            return {row.sha256: _content(row) for row in found}

    def link(self, repo_id: int, sha256s: Collection[str]) -> None:
        """Uploaded for this repository; one that was removed meanwhile wants nothing any more. Raises GoneError."""
        with self._database.writing() as connection:
            offers.require(connection, contents, sha256s)
            _link(connection, repo_id, sha256s)

    def linked(self, repo_id: int, sha256s: Collection[str]) -> Mapping[str, bool]:
        """Those that are linked to the repository, with whether a commit there names them."""
        links = repository_contents.c
        ours = select(links.sha256, links.committed).where(links.repository_id == repo_id)
        with self._database.reading() as connection:
            return {row.sha256: row.committed for row in rows_among(connection, ours, links.sha256, sha256s)}

    def used_bytes(self, namespace: str, *, also: int | None = None) -> int:
        """What the repositories of a namespace hold, each content once; `also` is one more, by its id."""
        with self._database.reading() as connection:
            return usage.of_namespace(connection, namespace, also)

    def used_by(self, repo_ids: Collection[int]) -> dict[int, int]:
        """What each of these repositories holds, in bytes."""
        with self._database.reading() as connection:
            return usage.of_repositories(connection, repo_ids)

    def held(self, namespace: str, sha256s: Collection[str]) -> set[str]:
        """Those that a repository of the namespace holds."""
        with self._database.reading() as connection:
            return usage.held(connection, namespace, sha256s)

    def sizes_held(self, namespace: str, sizes: Collection[int]) -> set[int]:
        """Those of these sizes, in bytes, that a content has that a repository of the namespace holds."""
        with self._database.reading() as connection:
            return usage.sizes_held(connection, namespace, sizes)

    def all_plain(self, after: str, limit: int) -> list[Content]:
        """Contents kept as one piece, in the order of their SHA-256, those after this one."""
        those = select(contents).where(contents.c.plain, contents.c.sha256 > after)
        with self._database.reading() as connection:
            return [_content(row) for row in connection.execute(those.order_by(contents.c.sha256).limit(limit))]

    def all_recipes(self, after: str, limit: int) -> list[Recipe]:
        """In the order of their hashes, those after this one."""
        those = select(recipes).where(recipes.c.hash > after).order_by(recipes.c.hash).limit(limit)
        with self._database.reading() as connection:
            return [_recipe(row) for row in connection.execute(those)]

    def all_xorbs(self, after: str, limit: int) -> list[Xorb]:
        """In the order of their hashes, those after this one."""
        those = select(xorbs).where(xorbs.c.hash > after).order_by(xorbs.c.hash).limit(limit)
        with self._database.reading() as connection:
            return [_xorb(row) for row in connection.execute(those)]


def _require_bytes(kind: str, names: Iterable[str], is_there: Callable[[str], bool] | None) -> None:
    """Raises GoneError. Nobody removes bytes but in a transaction that sees nothing name them, so none comes later."""
    missing = next((name for name in names if not is_there(name)), None) if is_there is not None else None
    if missing is not None:
        raise GoneError(f"{kind} {missing}")


def _link(connection: Connection, repo_id: int | None, sha256s: Iterable[str]) -> None:
    if repo_id is not None:
        there = select(repositories.c.id).where(repositories.c.id == repo_id)
        if connection.execute(there).first() is not None:
            link(connection, repo_id, sha256s)


def _add_contents(connection: Connection, sizes: Mapping[str, int]) -> None:
    rows = [{"sha256": sha256, "size": size, "plain": False, "xet": ""} for sha256, size in sizes.items()]
    insert_absent(connection, contents, rows)


def _content(row: Row[Any]) -> Content:
    return Content(sha256=row.sha256, size=row.size, plain=row.plain, xet=row.xet)


def _xorb(row: Row[Any]) -> Xorb:
    return Xorb(hash=row.hash, size=row.size, unpacked_size=row.unpacked_size, chunks=row.chunks)


def _recipe(row: Row[Any]) -> Recipe:
    return Recipe(
        hash=row.hash,
        sha256=row.sha256,
        size=row.size,
        packed_size=row.packed_size,
        terms=terms.unpack(row.terms),
    )
