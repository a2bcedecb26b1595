"""What one revision changed in another, as text."""

from __future__ import annotations

from collections.abc import Iterator

from tars_hub.server.diffs import Effort, Side, file_diff
from tars_hub.server.gitobjects import pointer
from tars_hub.server.hub import Hub
from tars_hub.server.records import Commit, File
from tars_hub.server.rules.contents import read_all
from tars_hub.server.trees import walk

_FILE_BYTES = 256 << 10
_ALL_BYTES = 2 << 20
_FILES = 1000


def files_of(hub: Hub, commit: Commit) -> dict[str, str]:
    """The blob of each file of a revision, by its path."""
    return {place.path: place.oid for place in walk(hub.catalog.history.trees, commit.tree) if not place.is_tree}


def diff(hub: Hub, start: Commit, head: Commit) -> str:
    """What `head` changed since `start`, as git says it; large files by their pointers."""
    before, after = files_of(hub, start), files_of(hub, head)
    changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    text = "".join(_file_diffs(hub, before, after, changed[:_FILES]))
    return text if len(changed) <= _FILES else f"{text}... and {len(changed) - _FILES:,} files more\n"


def _file_diffs(hub: Hub, before: dict[str, str], after: dict[str, str], paths: list[str]) -> Iterator[str]:
    oids = {oid for path in paths for oid in (before.get(path), after.get(path)) if oid}
    files = hub.catalog.history.files(oids)
    left, effort = _ALL_BYTES, Effort()
    for path in paths:
        sides = [files[oid] if oid else None for oid in (before.get(path), after.get(path))]
        sizes = [_shown_size(file) for file in sides if file is not None]
        shown = max(sizes) <= _FILE_BYTES and sum(sizes) <= left
        left -= sum(sizes) if shown else 0
        old, new = (_side(hub, file, shown) for file in sides)
        yield file_diff(path, old, new, effort)


def _shown_size(file: File) -> int:
    return 0 if file.lfs else file.size


def _side(hub: Hub, file: File | None, shown: bool) -> Side | None:
    if file is None:
        return None
    if file.lfs:
        return Side(file.oid, pointer(file.sha256, file.size))
    return Side(file.oid, read_all(hub, file.sha256, limit=_FILE_BYTES) if shown else None)
