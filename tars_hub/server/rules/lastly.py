"""Which commit last changed a path."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tars_hub.server.hub import Hub
from tars_hub.server.records import Commit
from tars_hub.server.trees import Finder, Line

_FIRST, _MOST = 16, 128
# Of trees that are read at once. A folder of 25,000 files is 1 MiB in each commit that changes one of them.
_BYTES = 16 << 20


def last_commits(hub: Hub, repo_id: int, head: Commit, paths: Sequence[str]) -> dict[str, Commit]:
    """For each path of a revision, the newest commit that made it what it is there, along first parents."""
    trees = _Trees(hub)
    finder = Finder(trees.load, paths)
    wanted = {path: _oid(line, 0) for path, line in finder.along([head.tree], paths).items()}
    last, oldest = dict.fromkeys(paths, head), head
    at_once = _FIRST
    while wanted:
        trees.bytes = 0
        older = hub.catalog.history.log(repo_id, oldest.oid, skip=1, limit=at_once)
        lines = finder.along([commit.tree for commit in older], wanted) if older else {}
        same = {path: _how_long(lines[path], wanted[path], len(older)) for path in lines}
        last |= {path: older[count - 1] for path, count in same.items() if count}
        wanted = {path: wanted[path] for path, count in same.items() if count == len(older)}
        if len(older) < at_once:
            break
        oldest = older[-1]
        at_once = min(at_once * 2, _MOST) if trees.bytes < _BYTES else max(at_once // 2, 1)
    return last


class _Trees:
    """Loads trees, and counts their bytes."""

    def __init__(self, hub: Hub) -> None:
        self._history = hub.catalog.history
        self.bytes = 0

    def load(self, oids: Collection[str]) -> dict[str, bytes]:
        found = self._history.trees(oids)
        self.bytes += sum(map(len, found.values()))
        return found


def _how_long(line: Line, wanted: str | None, count: int) -> int:
    """For how many commits, of `count`, a path stays what it is in the newer ones."""
    if _oid(line, 0) != wanted:
        return 0
    return next((start for at, (start, _) in enumerate(line) if _oid(line, at) != wanted), count)


def _oid(line: Line, at: int) -> str | None:
    entry = line[at][1]
    return entry.oid if entry is not None else None
