"""What changed in the lines of small files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tars_hub.server.diffs import Effort, Side, file_diff
from tars_hub.server.errors import NotFoundError
from tars_hub.server.hub import Hub
from tars_hub.server.records import File
from tars_hub.server.rules.contents import read_all
from tars_hub.server.rules.file_changes import FileChange, Kind

_FILE_BYTES = 256 << 10
_ALL_BYTES = 1 << 20
_FILES = 100
_LINES, _ALL_LINES = 1000, 5000
_LINE_LETTERS = 2000

Mark: TypeAlias = Literal["added", "removed", "same", "place"]
_MARKS: dict[str, Mark] = {"+": "added", "-": "removed", "@": "place", "\\": "place"}


@dataclass(frozen=True)
class DiffLine:
    """A line of a difference, with the sign that git puts before it."""

    mark: Mark
    text: str


@dataclass(frozen=True, kw_only=True)
class TextChange:
    """The difference of one file.

    Attributes:
        more: how many lines it has besides.
    """

    path: str
    kind: Kind
    lines: tuple[DiffLine, ...]
    more: int = 0

    def count(self, mark: Mark) -> int:
        """How many of the lines that are shown were added, or removed."""
        return sum(line.mark == mark for line in self.lines)


def text_changes(hub: Hub, changed: Iterable[FileChange]) -> list[TextChange]:
    """Differences of those files that are small and text, as many as a page can bear."""
    left, room, effort = _ALL_BYTES, _ALL_LINES, Effort()
    found = list[TextChange]()
    for change in changed:
        size = sum(file.size for file in (change.old, change.new) if file)
        if len(found) >= _FILES or room <= 0:
            break
        if size > left or not _is_small(change):
            continue
        left -= size
        lines = list(_lines(hub, change, effort))
        kept = tuple(lines[: min(_LINES, room)])
        room -= len(kept)
        if kept:
            found.append(TextChange(path=change.path, kind=change.kind, lines=kept, more=len(lines) - len(kept)))
    return found


def _is_small(change: FileChange) -> bool:
    return all(file is None or (not file.lfs and file.size <= _FILE_BYTES) for file in (change.old, change.new))


def _lines(hub: Hub, change: FileChange, effort: Effort) -> Iterator[DiffLine]:
    """The lines from the first place of a change on; none for what is no text, or lost."""
    try:
        sides = [_side(hub, file) for file in (change.old, change.new)]
    except (NotFoundError, OSError):
        return
    begun = False
    for line in file_diff("", sides[0], sides[1], effort).split("\n"):
        begun = begun or line.startswith("@@")
        if begun and line:
            yield DiffLine(_MARKS.get(line[0], "same"), line[:_LINE_LETTERS])


def _side(hub: Hub, file: File | None) -> Side | None:
    return None if file is None else Side(file.oid, read_all(hub, file.sha256, limit=_FILE_BYTES))
