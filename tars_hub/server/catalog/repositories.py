"""Repositories in SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select, update

from tars_hub.server.catalog import search as searching
from tars_hub.server.catalog.commits import move_refs, store
from tars_hub.server.catalog.engine import Database
from tars_hub.server.catalog.facts import columns_of, facts_of, retag
from tars_hub.server.catalog.interface import TakenError
from tars_hub.server.catalog.schema import former_names, repositories
from tars_hub.server.catalog.statements import insert_absent
from tars_hub.server.records import MAIN, Facets, Facts, Gated, NewCommit, RefChange, Repo, Search

# Made once: it is asked for every picture that is answered, and takes longer to put together than to run.
_BY_NAME = select(repositories).where(repositories.c.lower_name == bindparam("lower_name"))


class SqlRepositories:
    """The part of the catalogue that knows repositories and their settings."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, namespace: str, name: str, *, private: bool, first: NewCommit) -> Repo:
        """Make a repository whose main branch stands at `first`, and which is as old. Raises TakenError."""
        facts = first.facts or Facts()
        row = _names(namespace, name) | columns_of(facts)
        row |= {"private": private, "gated": "", "created_at": first.commit.at, "updated_at": first.commit.at}
        with self._database.writing() as connection:
            if not insert_absent(connection, repositories, [row]):
                raise TakenError(f"{namespace}/{name}")
            repo = _repo(_found(connection, row["lower_name"]))
            _take(connection, row["lower_name"])
            retag(connection, repo.id, facts)
            store(connection, repo.id, first)
            move_refs(connection, repo.id, [RefChange(name=MAIN, old=None, new=first.commit.oid)])
        return repo

    def find(self, full_name: str) -> Repo | None:
        """By "namespace/name", in any case; a name it had before a move counts too."""
        with self._database.reading() as connection:
            row = _found(connection, full_name.lower()) or _formerly(connection, full_name.lower())
        return _repo(row) if row else None

    def by_id(self, repo_id: int) -> Repo | None:
        """Find a repository by its id."""
        with self._database.reading() as connection:
            row = connection.execute(select(repositories).where(repositories.c.id == repo_id)).first()
        return _repo(row) if row else None

    def update(self, repo_id: int, *, private: bool | None = None, gated: Gated | None = None) -> None:
        """Change what is given."""
        values = {"private": private, "gated": gated}
        given = {name: value for name, value in values.items() if value is not None}
        if given:
            with self._database.writing() as connection:
                connection.execute(update(repositories).where(repositories.c.id == repo_id).values(given))

    def move(self, repo_id: int, namespace: str, name: str) -> None:
        """Give it another name; the old one leads to it until somebody takes it. Raises TakenError."""
        names, own = _names(namespace, name), repositories.c.id == repo_id
        with self._database.writing() as connection:
            there = _found(connection, names["lower_name"])
            if there is not None and there.id != repo_id:
                raise TakenError(f"{namespace}/{name}")
            old = connection.execute(select(repositories.c.lower_name).where(own)).scalar()
            connection.execute(update(repositories).where(own).values(names))
            if old is not None:
                insert_absent(connection, former_names, [{"lower_name": old, "repository_id": repo_id}])
            _take(connection, names["lower_name"])  # last: it may have been its own

    def remove(self, repo_id: int) -> None:
        """Forget it; all that belongs to it goes by its foreign keys."""
        with self._database.writing() as connection:
            connection.execute(delete(repositories).where(repositories.c.id == repo_id))

    def search(self, search: Search) -> list[Repo]:
        """Those that fit and may be seen."""
        with self._database.reading() as connection:
            return [_repo(row) for row in connection.execute(searching.question(search))]

    def facets(self, search: Search, *, most: int) -> Facets:
        """How many fit, whatever the page, and by what they could be narrowed: up to so many names of a kind."""
        with self._database.reading() as connection:
            return searching.facets(connection, search, most)

    def all(self, after: int, limit: int) -> list[Repo]:
        """In the order of their ids, those after this one."""
        question = select(repositories).where(repositories.c.id > after).order_by(repositories.c.id).limit(limit)
        with self._database.reading() as connection:
            return [_repo(row) for row in connection.execute(question)]


def _names(namespace: str, name: str) -> dict[str, Any]:
    return {
        "namespace": namespace,
        "name": name,
        "lower_namespace": namespace.lower(),
        "lower_name": f"{namespace}/{name}".lower(),
    }


def _found(connection: Connection, lower_name: str) -> Row[Any] | None:
    return connection.execute(_BY_NAME, {"lower_name": lower_name}).first()


def _formerly(connection: Connection, lower_name: str) -> Row[Any] | None:
    moved = select(repositories).join(former_names).where(former_names.c.lower_name == lower_name)
    return connection.execute(moved).first()


def _take(connection: Connection, lower_name: str) -> None:
    """A name in use leads nowhere else any more."""
    connection.execute(delete(former_names).where(former_names.c.lower_name == lower_name))


def _repo(row: Row[Any] | None) -> Repo:
    if row is None:
        raise LookupError("the repository is gone")
    return Repo(
        id=row.id,
        namespace=row.namespace,
        name=row.name,
        private=row.private,
        gated=row.gated,
        created_at=row.created_at,
        updated_at=row.updated_at,
        facts=facts_of(row.facts),
        downloads=row.downloads,
        likes=row.likes,
    )
