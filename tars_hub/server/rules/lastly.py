"""Which commit last changed a path."""

from __future__ import annotations

from collections.abc import Sequence

from tars_hub.server.hub import Hub
from tars_hub.server.records import Commit
from tars_hub.server.trees import find

_COMMITS_AT_ONCE = 200


def last_commits(hub: Hub, repo_id: int, head: Commit, paths: Sequence[str]) -> dict[str, Commit]:
    """For each path of a revision, the newest commit that made it what it is there, along first parents."""
    wanted = {path: _oid(hub, head, path) for path in paths}
    last = dict.fromkeys(paths, head)
    open_paths, skip = set(paths), 1
    while open_paths:
        older = hub.catalog.history.log(repo_id, head.oid, skip=skip, limit=_COMMITS_AT_ONCE)
        for commit in older:
            open_paths = {path for path in open_paths if _oid(hub, commit, path) == wanted[path]}
            last |= dict.fromkeys(open_paths, commit)
        skip += len(older)
        if len(older) < _COMMITS_AT_ONCE:
            break
    return last


def _oid(hub: Hub, commit: Commit, path: str) -> str | None:
    place = find(hub.catalog.history.trees, commit.tree, path)
    return place.oid if place is not None else None
