"""Which repository may name which content; steps within a transaction."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, update

from tars_hub.server.catalog.schema import repository_contents
from tars_hub.server.catalog.statements import batches, insert_absent


def link(connection: Connection, repo_id: int, sha256s: Iterable[str]) -> None:
    """Uploaded for this repository; what is committed there stays so."""
    rows = [{"repository_id": repo_id, "sha256": sha256, "committed": False} for sha256 in dict.fromkeys(sha256s)]
    insert_absent(connection, repository_contents, rows)


def mark_committed(connection: Connection, repo_id: int, sha256s: Iterable[str]) -> None:
    """A commit in this repository names them."""
    names = list(sha256s)
    link(connection, repo_id, names)
    links = repository_contents
    ours = update(links).where(links.c.repository_id == repo_id, links.c.committed.is_(False)).values(committed=True)
    for some in batches(names):
        connection.execute(ours.where(links.c.sha256.in_(some)))
