"""What a merge of two revisions would change in one of them, by their paths."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

Paths: TypeAlias = Mapping[str, str]
"""The blob of each file of a revision, by its path."""


@dataclass(frozen=True)
class Merge:
    """
    Attributes:
        changes: to our side: the blob that comes to a path, None where a file goes.
        conflicts: paths that both sides changed and not alike; with any of them there is no merge.
        files: how many there would be then.
    """

    changes: dict[str, str | None]
    conflicts: tuple[str, ...]
    files: int


def merge(base: Paths, ours: Paths, theirs: Paths) -> Merge:
    """Bring to `ours` what `theirs` changed since `base`. Files are taken whole: nothing looks into them."""
    changes: dict[str, str | None] = {}
    conflicts: set[str] = set()
    for path in base.keys() | theirs.keys():
        old, new, now = base.get(path), theirs.get(path), ours.get(path)
        if new in (old, now):
            continue
        if now == old:
            changes[path] = new
        else:
            conflicts.add(path)
    merged = {path for path in ours if path not in changes} | {path for path, oid in changes.items() if oid}
    conflicts.update(_in_the_way(merged, changes))
    return Merge(changes, tuple(sorted(conflicts)), len(merged))


def _in_the_way(merged: Collection[str], changes: Mapping[str, str | None]) -> Iterator[str]:
    """Paths that would be a file on one side and a folder on the other."""
    for path in merged:
        above = path.rpartition("/")[0]
        while above:
            if above in merged:
                yield path if path in changes else above
            above = above.rpartition("/")[0]
