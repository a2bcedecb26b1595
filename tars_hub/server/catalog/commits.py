"""How a commit gets into the tables, and how refs move; steps within a transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, select, update
from sqlalchemy.exc import IntegrityError

from tars_hub.server.catalog.facts import columns_of, retag
from tars_hub.server.catalog.interface import GoneError, RefMovedError
from tars_hub.server.catalog.links import mark_committed
from tars_hub.server.catalog.offers import require
from tars_hub.server.catalog.schema import commits, contents, files, refs, repositories, repository_commits, trees
from tars_hub.server.catalog.statements import insert_absent, rows_among
from tars_hub.server.records import Commit, File, NewCommit, RefChange


def store(connection: Connection, repo_id: int, new: NewCommit) -> None:
    """Keep a commit with its trees and files; what is there already stays as it is.

    Raises:
        GoneError: one of its parents, or the content of one of its files, was freed meanwhile.
    """
    require_commits(connection, repo_id, new.commit.parents)
    require(connection, contents, (file.sha256 for file in new.files))
    insert_absent(connection, commits, [_row(new.commit)])
    insert_absent(connection, repository_commits, [{"repository_id": repo_id, "oid": new.commit.oid}])
    insert_absent(connection, trees, [{"oid": oid, "encoded": encoded} for oid, encoded in new.trees.items()])
    insert_absent(connection, files, [_file_row(file) for file in new.files])
    mark_committed(connection, repo_id, (file.sha256 for file in new.files))


def require_commits(connection: Connection, repo_id: int, oids: Iterable[str]) -> None:
    """Raises GoneError where the repository has not all of these commits."""
    owned = repository_commits.c
    wanted = dict.fromkeys(oids)
    question = select(owned.oid).where(owned.repository_id == repo_id)
    there = {row.oid for row in rows_among(connection, question, owned.oid, wanted)}
    missing = next((oid for oid in wanted if oid not in there), None)
    if missing is not None:
        raise GoneError(f"commit {missing}")


def move_refs(connection: Connection, repo_id: int, changes: Sequence[RefChange]) -> None:
    """Raises RefMovedError where a ref is not at its `old`; the transaction must end with that."""
    for change in changes:
        try:
            done = _moved(connection, repo_id, change)
        except IntegrityError as error:  # the repository was removed meanwhile, and its refs with it
            raise RefMovedError(change.name) from error
        if not done:
            raise RefMovedError(change.name)


def _moved(connection: Connection, repo_id: int, change: RefChange) -> bool:
    named = and_(refs.c.repository_id == repo_id, refs.c.name == change.name)
    if change.old is None:
        if change.new is None:
            return connection.execute(select(refs.c.name).where(named)).first() is None
        return insert_absent(connection, refs, [{"repository_id": repo_id, "name": change.name, "commit": change.new}])
    there = and_(named, refs.c.commit == change.old)
    if change.new is None:
        return connection.execute(delete(refs).where(there)).rowcount > 0
    return connection.execute(update(refs).where(there).values(commit=change.new)).rowcount > 0


def update_repository(connection: Connection, repo_id: int, new: NewCommit, *, at: datetime) -> None:
    """Note what its main branch moved to, and since when it counts as updated."""
    values: dict[str, Any] = {"updated_at": at}
    if new.facts is not None:
        values |= columns_of(new.facts)
        retag(connection, repo_id, new.facts)
    connection.execute(update(repositories).where(repositories.c.id == repo_id).values(values))


def _row(commit: Commit) -> dict[str, Any]:
    return {
        "oid": commit.oid,
        "tree": commit.tree,
        "first_parent": commit.parents[0] if commit.parents else None,
        "parents": " ".join(commit.parents),
        "author": commit.author,
        "at": commit.at,
        "message": commit.message,
    }


def commit_of(row: Row[Any]) -> Commit:
    """A row of commits as a record."""
    return Commit(
        oid=row.oid,
        tree=row.tree,
        parents=tuple(row.parents.split()),
        author=row.author,
        at=row.at,
        message=row.message,
    )


def _file_row(file: File) -> dict[str, Any]:
    return {"oid": file.oid, "sha256": file.sha256, "size": file.size, "lfs": file.lfs}


def file_of(row: Row[Any]) -> File:
    """A row of files as a record."""
    return File(oid=row.oid, sha256=row.sha256, size=row.size, lfs=row.lfs)
