"""Refs, commits, trees and files in SQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Select, and_, bindparam, literal, select

from tars_hub.server.catalog.commits import (
    commit_of,
    file_of,
    move_refs,
    require_commits,
    store,
    update_repository,
)
from tars_hub.server.catalog.engine import Database
from tars_hub.server.catalog.schema import commits, files, refs, repository_commits, trees
from tars_hub.server.catalog.statements import rows_among
from tars_hub.server.records import MAIN, Commit, File, NewCommit, Ref, RefChange

_BEHIND_HEX = "g"  # sorts behind every hex digit
# Made once: they are asked for every picture that is answered, and take longer to put together than to run.
_REF = select(refs.c.commit).where(refs.c.repository_id == bindparam("repo"), refs.c.name == bindparam("ref"))
_COMMITS = (
    select(commits)
    .join(repository_commits)
    .where(
        repository_commits.c.repository_id == bindparam("repo"),
        repository_commits.c.oid >= bindparam("start"),
        repository_commits.c.oid < bindparam("end"),
    )
    .limit(2)
)


class SqlHistory:
    """The part of the catalogue that knows what git knows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def refs(self, repo_id: int) -> list[Ref]:
        """By name."""
        question = select(refs).where(refs.c.repository_id == repo_id).order_by(refs.c.name)
        with self._database.reading() as connection:
            return [Ref(name=row.name, commit=row.commit) for row in connection.execute(question)]

    def ref(self, repo_id: int, name: str) -> str | None:
        """The commit's oid."""
        with self._database.reading() as connection:
            return connection.execute(_REF, {"repo": repo_id, "ref": name}).scalar()

    def move_refs(self, repo_id: int, changes: Sequence[RefChange]) -> None:
        """All of them or none. Raises RefMovedError where a ref is not at its `old`, GoneError for a lost commit."""
        with self._database.writing() as connection:
            move_refs(connection, repo_id, changes)
            require_commits(connection, repo_id, (change.new for change in changes if change.new))

    def commit(self, repo_id: int, new: NewCommit, changes: Sequence[RefChange]) -> None:
        """Store a commit and move refs to it, at once. Raises RefMovedError and GoneError."""
        with self._database.writing() as connection:
            move_refs(connection, repo_id, changes)  # first: who was too slow writes nothing
            store(connection, repo_id, new)
            if any(change.name == MAIN and change.new for change in changes):
                update_repository(connection, repo_id, new, at=new.commit.at)

    def find_commit(self, repo_id: int, prefix: str) -> Commit | None:
        """By its oid or the beginning of it; None where none or several fit."""
        start = prefix.lower()
        with self._database.reading() as connection:
            found = connection.execute(_COMMITS, {"repo": repo_id, "start": start, "end": start + _BEHIND_HEX}).all()
        return commit_of(found[0]) if len(found) == 1 else None

    def log(self, repo_id: int, oid: str, *, skip: int = 0, limit: int = 1000) -> list[Commit]:
        """This commit and its first parents, newest first."""
        with self._database.reading() as connection:
            return [commit_of(row) for row in connection.execute(_line(repo_id, oid, skip, limit))]

    def trees(self, oids: Collection[str]) -> dict[str, bytes]:
        """Git's encoding of each."""
        with self._database.reading() as connection:
            return {row.oid: row.encoded for row in rows_among(connection, select(trees), trees.c.oid, oids)}

    def files(self, oids: Collection[str]) -> dict[str, File]:
        """By the ids of their git blobs."""
        with self._database.reading() as connection:
            return {row.oid: file_of(row) for row in rows_among(connection, select(files), files.c.oid, oids)}


def _line(repo_id: int, oid: str, skip: int, limit: int) -> Select[Any]:
    """Ask for a commit and its first parents, walking in the database."""
    ours, step = repository_commits.c, commits.c
    line = (
        select(step.oid, step.first_parent, literal(0).label("depth"))
        .join(repository_commits)
        .where(ours.repository_id == repo_id, step.oid == oid)
        .cte("line", recursive=True)
    )
    further = (
        select(step.oid, step.first_parent, line.c.depth + 1)
        .select_from(line)
        .join(commits, step.oid == line.c.first_parent)
        .join(repository_commits, and_(ours.oid == step.oid, ours.repository_id == repo_id))
        .where(line.c.depth + 1 < skip + limit)
    )
    line = line.union_all(further)
    walked = select(commits).join(line, line.c.oid == step.oid).where(line.c.depth >= skip)
    return walked.order_by(line.c.depth).limit(limit)
