"""Differences between two texts as git shows them; no I/O.

Strangers choose the texts, so the work is bounded: what is too large to be compared line by line is shown as taken out
and put in again, and beyond a limit not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal, TypeAlias

NO_BLOB = "0" * 40
_CONTEXT = 3
_COMPARED = 250_000  # pairs of lines
_NUL_WITHIN = 8000  # bytes: where git looks for what makes a file binary
_Opcode: TypeAlias = tuple[Literal["replace", "delete", "insert", "equal"], int, int, int, int]


@dataclass(frozen=True)
class Side:
    """A file before or after a change; `data` is None where it is too large to be shown."""

    oid: str
    data: bytes | None


def file_diff(path: str, old: Side | None, new: Side | None) -> str:
    """The difference of one file; a side that is None is not there. Ends in a newline."""
    name_old, name_new = (f"a/{path}" if old else "/dev/null"), (f"b/{path}" if new else "/dev/null")
    head = [f"diff --git a/{path} b/{path}"]
    if old is None:
        head.append("new file mode 100644")
    if new is None:
        head.append("deleted file mode 100644")
    head.append(f"index {(old.oid if old else NO_BLOB)[:7]}..{(new.oid if new else NO_BLOB)[:7]}")
    before, after = _lines(old), _lines(new)
    if before is None or after is None:
        return "\n".join([*head, f"Binary files {name_old} and {name_new} differ", ""])
    hunks = list(_hunks(before, after))
    names = [f"--- {name_old}", f"+++ {name_new}"] if hunks else []
    return "\n".join([*head, *names, *hunks, ""])


def _lines(side: Side | None) -> list[str] | None:
    """The lines with their ends; None for what is no text, or too large to be shown."""
    if side is None:
        return []
    if side.data is None or b"\0" in side.data[:_NUL_WITHIN]:
        return None
    text = side.data.decode(errors="replace")
    return [line for line in text.replace("\n", "\n\0").split("\0") if line]


def _hunks(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    if before == after:
        return
    for group in _Bounded(before, after).get_grouped_opcodes(_CONTEXT):
        first, last = group[0], group[-1]
        yield f"@@ -{_span(first[1], last[2])} +{_span(first[3], last[4])} @@"
        for tag, a, a_end, b, b_end in group:
            if tag == "equal":
                yield from _marked(" ", before[a:a_end])
                continue
            yield from _marked("-", before[a:a_end])
            yield from _marked("+", after[b:b_end])


def _span(start: int, end: int) -> str:
    return f"{start + 1 if end > start else start},{end - start}"


def _marked(mark: str, lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield mark + line.rstrip("\n")
        if not line.endswith("\n"):
            yield "\\ No newline at end of file"


class _Bounded(SequenceMatcher[str]):
    """A matcher that looks only between what both share at their ends, and only where that is small."""

    def __init__(self, before: Sequence[str], after: Sequence[str]) -> None:
        super().__init__(None, "", "")
        self._before, self._after = before, after

    def get_opcodes(self) -> list[_Opcode]:
        before, after = self._before, self._after
        shorter = min(len(before), len(after))
        same = next((at for at in range(shorter) if before[at] != after[at]), shorter)
        left = shorter - same
        alike = next((at for at in range(left) if before[-1 - at] != after[-1 - at]), left)
        a_end, b_end = len(before) - alike, len(after) - alike
        middle: list[_Opcode] = [("replace", same, a_end, same, b_end)]
        if (a_end - same) * (b_end - same) <= _COMPARED:
            found = SequenceMatcher(None, before[same:a_end], after[same:b_end], autojunk=False).get_opcodes()
            middle = [(tag, a + same, to + same, b + same, b_to + same) for tag, a, to, b, b_to in found]
        return [("equal", 0, same, 0, same), *middle, ("equal", a_end, len(before), b_end, len(after))]
