"""Which files differ between two revisions; folders that both share are not looked into."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tars_hub.server.gitobjects import TreeEntry, decode_tree
from tars_hub.server.hub import Hub
from tars_hub.server.records import Commit, File
from tars_hub.server.trees import EMPTY_TREE

Kind: TypeAlias = Literal["added", "removed", "changed"]
_Pair: TypeAlias = tuple[str | None, str | None]
"""Ids of what stands at a path before and after; None is: nothing."""


@dataclass(frozen=True, kw_only=True)
class FileChange:
    """A file that differs; a side that is None has no such file."""

    path: str
    old: File | None
    new: File | None

    @property
    def kind(self) -> Kind:
        return kind_of(self.old, self.new)


@dataclass(frozen=True, kw_only=True)
class Changes:
    """All files that differ, as ids of their git blobs before and after, by path."""

    blobs: Mapping[str, tuple[str | None, str | None]]

    def count(self, kind: Kind) -> int:
        """How many were added, removed or changed."""
        return sum(kind_of(*pair) == kind for pair in self.blobs.values())

    def files(self, hub: Hub, paths: Collection[str]) -> list[FileChange]:
        """Those of these paths that differ, in order."""
        pairs = {path: self.blobs[path] for path in sorted(paths) if path in self.blobs}
        files = hub.catalog.history.files({oid for pair in pairs.values() for oid in pair if oid})
        return [
            FileChange(path=path, old=files[old] if old else None, new=files[new] if new else None)
            for path, (old, new) in pairs.items()
        ]


def changes(hub: Hub, old: Commit | None, new: Commit) -> Changes:
    """What `new` has otherwise than `old`; without an old one, everything."""
    found: dict[str, _Pair] = {}
    level: list[tuple[str, _Pair]] = [("", (old.tree if old else EMPTY_TREE, new.tree))]
    while level:
        trees = _trees(hub, {oid for _, pair in level for oid in pair if oid})
        below: list[tuple[str, _Pair]] = []
        for path, (before, after) in level:
            for name, is_tree, pair in _differing(trees.get(before or "", {}), trees.get(after or "", {})):
                inner = f"{path}/{name}" if path else name
                if is_tree:
                    below.append((inner, pair))
                else:
                    found[inner] = pair
        level = below
    return Changes(blobs=found)


def _trees(hub: Hub, oids: Collection[str]) -> dict[str, dict[tuple[str, bool], TreeEntry]]:
    """The entries of trees by their names, a file and a folder of one name apart."""
    wanted = [oid for oid in oids if oid != EMPTY_TREE]
    loaded = hub.catalog.history.trees(wanted) if wanted else {}
    return {oid: {(entry.name, entry.is_tree): entry for entry in decode_tree(data)} for oid, data in loaded.items()}


def _differing(
    before: Mapping[tuple[str, bool], TreeEntry], after: Mapping[tuple[str, bool], TreeEntry]
) -> Iterator[tuple[str, bool, _Pair]]:
    for key in before.keys() | after.keys():
        old, new = before.get(key), after.get(key)
        pair = (old.oid if old else None, new.oid if new else None)
        if pair[0] != pair[1]:
            yield *key, pair


def kind_of(old: object | None, new: object | None) -> Kind:
    """What became of something that is None where it is not there."""
    if old is None:
        return "added"
    return "removed" if new is None else "changed"
