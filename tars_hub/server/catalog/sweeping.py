"""What housekeeping looks at and removes, in SQL.

Commits are told apart by the numbers of their rows, which SQLite gives in the order they come as long as none is
removed; whoever compares numbers removes none between.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    literal_column,
    select,
)

from tars_hub.server.catalog.engine import Database
from tars_hub.server.catalog.interface import RefMovedError
from tars_hub.server.catalog.schema import (
    commits,
    contents,
    discussions,
    files,
    meta,
    recipe_xorbs,
    recipes,
    refs,
    repository_commits,
    repository_contents,
    trees,
    xorbs,
)
from tars_hub.server.catalog.statements import batches, rows_among
from tars_hub.server.catalog.tidying import Held, Kind, Lineage, Node, Object

_STORE = "store"
_PAGE = 2000
_AT_ONCE = 100  # rows that one transaction removes
_PAUSE_S = 0.002
_ROW: ColumnElement[int] = literal_column("commits.rowid")


class SqlSweeping:
    """The part of the catalogue that forgets."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def lineage(self, repo_id: int) -> Lineage:
        """A repository as it is at one moment."""
        starts = select(discussions.c.start).where(discussions.c.repository_id == repo_id)
        nodes = select(commits.c.oid, commits.c.tree, commits.c.parents, commits.c.at).join(repository_commits)
        linked = select(repository_contents.c.sha256).where(repository_contents.c.repository_id == repo_id)
        with self._database.reading() as connection:
            return Lineage(
                refs=_refs(connection, repo_id),
                starts=frozenset(connection.execute(starts.where(discussions.c.start.is_not(None))).scalars()),
                commits={
                    row.oid: Node(tree=row.tree, parents=tuple(row.parents.split()), at=row.at)
                    for row in connection.execute(nodes.where(repository_commits.c.repository_id == repo_id))
                },
                contents=frozenset(connection.execute(linked).scalars()),
            )

    def forget(
        self, repo_id: int, seen: Lineage, *, commits: Collection[str], contents: Collection[str], before: datetime
    ) -> tuple[int, int]:
        """Take commits from a repository, then links to contents that were last offered before. Raises RefMovedError.

        Where the refs are what they were, and so is the number of commits, nothing came that leads to any of these.
        """
        gone = unlinked = 0
        for some in batches(commits, _AT_ONCE):
            with self._writing() as connection:
                _require_same(connection, repo_id, seen, gone)
                owned = repository_commits.c
                gone += _deleted(connection, repository_commits, owned.repository_id == repo_id, owned.oid.in_(some))
        for some in batches(contents, _AT_ONCE):
            with self._writing() as connection:
                _require_same(connection, repo_id, seen, gone)
                links = repository_contents.c
                these = and_(links.repository_id == repo_id, links.sha256.in_(some))
                unlinked += _deleted(connection, repository_contents, these, ~_offered_since(links.sha256, before))
        return gone, unlinked

    def contents(self) -> Iterator[Held]:
        """All of them, in the order of their names."""
        count = select(func.count()).where(repository_contents.c.sha256 == contents.c.sha256).scalar_subquery()
        question = select(contents, count.label("users"))
        for row in self._pages(question, contents.c.sha256, ""):
            yield Held(name=row.sha256, size=row.size, on_disk=row.plain, offered_at=row.offered_at, users=row.users)

    def recipes(self) -> Iterator[tuple[int, str, bool]]:
        """All of them: id, the content's SHA-256, and whether that is kept."""
        question = select(recipes.c.id, recipes.c.sha256, _kept(recipes.c.sha256).label("kept"))
        for row in self._pages(question, recipes.c.id, 0):
            yield row.id, row.sha256, bool(row.kept)

    def xorbs(self) -> Iterator[Held]:
        """All of them, in the order of their names."""
        users = select(func.group_concat(recipe_xorbs.c.recipe_id)).where(recipe_xorbs.c.xorb == xorbs.c.hash)
        question = select(xorbs.c.hash, xorbs.c.size, xorbs.c.offered_at, users.scalar_subquery().label("users"))
        for row in self._pages(question, xorbs.c.hash, ""):
            named = tuple(int(text) for text in str(row.users or "").split(",") if text)
            yield Held(name=row.hash, size=row.size, on_disk=True, offered_at=row.offered_at, recipes=named)

    def needs(self, xet: str) -> set[str]:
        """The xorbs that stay for a recipe's sake."""
        question = select(recipe_xorbs.c.xorb).join(recipes).where(recipes.c.hash == xet)
        with self._database.reading() as connection:
            return set(connection.execute(question).scalars())

    def known(self, kind: Kind, names: Collection[str]) -> set[str]:
        """Those of these blobs that the catalogue knows."""
        with self._database.reading() as connection:
            return _known(connection, kind, names)

    def free_contents(self, sha256s: Collection[str], *, before: datetime) -> int:
        """Forget contents that are linked to no repository and were last offered before."""
        loose = ~exists().where(repository_contents.c.sha256 == contents.c.sha256)
        return self._free(contents, contents.c.sha256, sha256s, and_(loose, contents.c.offered_at < before))

    def free_recipes(self, ids: Collection[int]) -> int:
        """Forget recipes whose content is not kept; what they were found by goes with them."""
        return self._free(recipes, recipes.c.id, ids, ~_kept(recipes.c.sha256))

    def free_xorbs(self, hashes: Collection[str], *, before: datetime) -> int:
        """Forget xorbs that no recipe names and that were last offered before, and give the store another name."""
        unused = ~exists().where(recipe_xorbs.c.xorb == xorbs.c.hash)
        return self._free(xorbs, xorbs.c.hash, hashes, and_(unused, xorbs.c.offered_at < before), then=_rename_store)

    def withdraw(self, kind: Kind, names: Collection[str], take: Callable[[str], None]) -> None:
        """Hand those of these blobs to `take` that the catalogue does not know."""
        with self._writing() as connection:
            known = _known(connection, kind, names)
            for name in names:
                if name not in known:
                    take(name)

    def commits(self, after: int = 0) -> Iterator[tuple[int, str, str, int]]:
        """All commits, or those after this number: number, id, tree, and how many repositories have it."""
        for row in self._pages(_numbered(), _ROW, after):
            yield row.number, row.oid, row.tree, row.users

    def free_commits(self, oids: Collection[str]) -> int:
        """Forget commits that no repository has."""
        return self._free(commits, commits.c.oid, oids, ~exists().where(repository_commits.c.oid == commits.c.oid))

    def objects(self, kind: Object) -> Iterator[str]:
        """Ids of all trees, or of all files."""
        key = _OBJECTS[kind].c.oid
        for row in self._pages(select(key), key, ""):
            yield row.oid

    def free_objects(self, kind: Object, oids: Collection[str], *, last: tuple[int, str]) -> int:
        """Forget trees or files that no commit names up to the last that was seen. Raises RefMovedError."""
        table = _OBJECTS[kind]
        newest = select(_ROW, commits.c.oid).order_by(_ROW.desc()).limit(1)
        with self._writing() as connection:
            found = connection.execute(newest).first()
            if (tuple(found) if found else (0, "")) != last:
                raise RefMovedError("a commit came")
            return sum(_deleted(connection, table, table.c.oid.in_(some)) for some in batches(oids))

    def _free(
        self,
        table: Table,
        key: ColumnElement[Any],
        names: Collection[Any],
        condition: ColumnElement[bool],
        *,
        then: Callable[[Connection], None] | None = None,
    ) -> int:
        count = 0
        for some in batches(names, _AT_ONCE):
            with self._writing() as connection:
                gone = _deleted(connection, table, key.in_(some), condition)
                if gone and then is not None:
                    then(connection)
            count += gone
        return count

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A short transaction, after which whoever pushes has as much time: they only sleep and look again."""
        with self._database.writing() as connection:
            began = time.monotonic()
            yield connection
        time.sleep(time.monotonic() - began + _PAUSE_S)

    def _pages(self, question: Select[Any], key: ColumnElement[Any], after: int | str) -> Iterator[Row[Any]]:
        """All rows in the order of a key, which comes first in them; each page in a transaction of its own."""
        page = question.order_by(key).limit(_PAGE)
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(page.where(key > after)).all()
            if not rows:
                return
            yield from rows
            after = rows[-1][0]


_OBJECTS: dict[Object, Table] = {"tree": trees, "file": files}


def store_of(connection: Connection) -> str:
    """What follows the instance in the name of the store; empty as long as no xorb was freed."""
    drawn = connection.execute(select(meta.c.value).where(meta.c.key == _STORE)).scalar()
    return f"-{drawn}" if drawn else ""


def _rename_store(connection: Connection) -> None:
    connection.execute(delete(meta).where(meta.c.key == _STORE))
    connection.execute(insert(meta), {"key": _STORE, "value": secrets.token_hex(8)})


def _refs(connection: Connection, repo_id: int) -> dict[str, str]:
    question = select(refs.c.name, refs.c.commit).where(refs.c.repository_id == repo_id)
    return {row.name: row.commit for row in connection.execute(question)}


def _require_same(connection: Connection, repo_id: int, seen: Lineage, gone: int) -> None:
    count = select(func.count()).select_from(repository_commits).where(repository_commits.c.repository_id == repo_id)
    if connection.execute(count).scalar_one() != len(seen.commits) - gone or _refs(connection, repo_id) != seen.refs:
        raise RefMovedError(f"of repository {repo_id}")


def _deleted(connection: Connection, table: Table, *conditions: ColumnElement[bool]) -> int:
    return connection.execute(delete(table).where(*conditions)).rowcount


def _kept(sha256: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(contents.c.sha256 == sha256)


def _offered_since(sha256: ColumnElement[str], before: datetime) -> ColumnElement[bool]:
    return exists().where(contents.c.sha256 == sha256, contents.c.offered_at >= before)


def _known(connection: Connection, kind: Kind, names: Collection[str]) -> set[str]:
    table, key = (contents, contents.c.sha256) if kind == "file" else (xorbs, xorbs.c.hash)
    question: Select[Any] = select(key.label("name")).select_from(table)
    if kind == "file":
        question = question.where(contents.c.plain)
    return {row.name for row in rows_among(connection, question, key, names)}


def _numbered() -> Select[Any]:
    users = select(func.count()).where(repository_commits.c.oid == commits.c.oid).scalar_subquery()
    return select(_ROW.label("number"), commits.c.oid, commits.c.tree, users.label("users"))
