"""How much repositories keep: sums over their contents, each content counted once; steps within a transaction.

Sizes are those of the contents as clients know them, whatever they take up on the disk.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, Select, func, or_, select

from tars_hub.server.catalog.schema import contents, repositories, repository_contents
from tars_hub.server.catalog.statements import batches, rows_among


def of_namespace(connection: Connection, namespace: str, also: int | None = None) -> int:
    """Bytes of all that the repositories of a namespace hold, and that another one would bring along."""
    repo = repositories.c
    ours = repo.lower_namespace == namespace.lower()
    return _sum(connection, _linked().where(or_(ours, repo.id == also) if also is not None else ours))


def of_repositories(connection: Connection, repo_ids: Collection[int]) -> dict[int, int]:
    """Bytes that each of these repositories holds."""
    links = repository_contents.c
    summed = select(links.repository_id, func.sum(contents.c.size).label("bytes"))
    each = summed.join(contents, contents.c.sha256 == links.sha256).group_by(links.repository_id)
    found = dict.fromkeys(repo_ids, 0)
    for some in batches(repo_ids):
        for row in connection.execute(each.where(links.repository_id.in_(some))):
            found[row.repository_id] = int(row.bytes)
    return found


def held(connection: Connection, namespace: str, sha256s: Collection[str]) -> set[str]:
    """Those of these contents that a repository of the namespace holds."""
    question = _linked().where(repositories.c.lower_namespace == namespace.lower()).distinct()
    return {row.sha256 for row in rows_among(connection, question, repository_contents.c.sha256, sha256s)}


def sizes_held(connection: Connection, namespace: str, sizes: Collection[int]) -> set[int]:
    """Those of these sizes, in bytes, that a content has that a repository of the namespace holds."""
    links, repo = repository_contents.c, repositories.c
    known = select(contents.c.size).join(repository_contents, links.sha256 == contents.c.sha256)
    ours = known.join(repositories, repo.id == links.repository_id).where(repo.lower_namespace == namespace.lower())
    found = set[int]()
    for some in batches(sizes):
        found |= set(connection.execute(ours.where(contents.c.size.in_(some)).distinct()).scalars())
    return found


def _linked() -> Select[tuple[str]]:
    links = repository_contents.c
    return select(links.sha256).join(repositories, repositories.c.id == links.repository_id)


def _sum(connection: Connection, sha256s: Select[tuple[str]]) -> int:
    question = select(func.coalesce(func.sum(contents.c.size), 0)).where(contents.c.sha256.in_(sha256s))
    return int(connection.execute(question).scalar_one())
