"""Differences between two texts as git shows them; no I/O.

Strangers choose the texts, so the work is bounded: what is too large to be compared line by line is shown as taken out
and put in again, and beyond a limit not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby
from typing import Literal, TypeAlias

NO_BLOB = "0" * 40
_CONTEXT = 3
_COMPARED = 250_000  # pairs of lines, in one file
_COMPARED_IN_ALL = 2_000_000
_NUL_WITHIN = 8000  # bytes: where git looks for what makes a file binary
_Opcode: TypeAlias = tuple[Literal["replace", "delete", "insert", "equal"], int, int, int, int]


@dataclass(frozen=True)
class Side:
    """A file before or after a change; `data` is None where it is too large to be shown."""

    oid: str
    data: bytes | None


class Effort:
    """How many pairs of lines may still be compared, in all files of a difference together."""

    def __init__(self) -> None:
        self._left = _COMPARED_IN_ALL

    def spend(self, pairs: int) -> bool:
        """Whether so many may be compared, which then are spent."""
        if pairs > min(_COMPARED, self._left):
            return False
        self._left -= pairs
        return True


def file_diff(path: str, old: Side | None, new: Side | None, effort: Effort | None = None) -> str:
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
    hunks = list(_hunks(before, after, effort or Effort()))
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


def _hunks(before: Sequence[str], after: Sequence[str], effort: Effort) -> Iterator[str]:
    if before == after:
        return
    for group in _Bounded(before, after, effort).get_grouped_opcodes(_CONTEXT):
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

    def __init__(self, before: Sequence[str], after: Sequence[str], effort: Effort) -> None:
        super().__init__(None, "", "")
        self._before, self._after, self._effort = before, after, effort

    def get_opcodes(self) -> list[_Opcode]:
        before, after = self._before, self._after
        shorter = min(len(before), len(after))
        same = next((at for at in range(shorter) if before[at] != after[at]), shorter)
        left = shorter - same
        alike = next((at for at in range(left) if before[-1 - at] != after[-1 - at]), left)
        a_end, b_end = len(before) - alike, len(after) - alike
        middle: Iterable[_Opcode] = [("replace", same, a_end, same, b_end)]
        if self._effort.spend((a_end - same) * (b_end - same)):
            shared = _shared(before[same:a_end], after[same:b_end])
            middle = _opcodes([(a + same, b + same) for a, b in shared], (same, same), (a_end, b_end))
        return [("equal", 0, same, 0, same), *middle, ("equal", a_end, len(before), b_end, len(after))]


def _shared(before: Sequence[str], after: Sequence[str]) -> list[tuple[int, int]]:
    """The longest common subsequence, as pairs of places.

    All columns of the usual table are bits of one number (Hyyrö 2004), so the work is one addition for each line of
    `before`, whatever the lines are. difflib's own search may take as long as the pairs of lines for each match.
    """
    if len(after) > len(before):
        return [(at, to) for to, at in _shared(after, before)]  # the numbers stay short
    places: dict[str, int] = {}
    for at, line in enumerate(after):
        places[line] = places.get(line, 0) | 1 << at
    every = (1 << len(after)) - 1
    rows = [every]  # a bit that is 0: one more line in common than with one line of `after` less
    for line in before:
        row = rows[-1]
        found = row & places.get(line, 0)
        rows.append((row + found | row - found) & every)
    return _walked(rows, before, after)[::-1]


def _walked(rows: Sequence[int], before: Sequence[str], after: Sequence[str]) -> list[tuple[int, int]]:
    """From the table's end back to its start."""
    pairs: list[tuple[int, int]] = []
    a, b = len(before), len(after)
    while a and b:
        if before[a - 1] == after[b - 1]:
            a, b = a - 1, b - 1
            pairs.append((a, b))
        elif rows[a] >> b - 1 & 1:
            b -= 1
        else:
            a -= 1
    return pairs


def _opcodes(shared: Sequence[tuple[int, int]], start: tuple[int, int], end: tuple[int, int]) -> Iterator[_Opcode]:
    """The runs of shared lines, and what lies between them."""
    a, b = start
    for _, group in groupby(enumerate(shared), lambda each: (each[1][0] - each[0], each[1][1] - each[0])):
        run = [places for _, places in group]
        (at, to), length = run[0], len(run)
        yield from (("replace", a, at, b, to), ("equal", at, at + length, to, to + length))
        a, b = at + length, to + length
    yield ("replace", a, end[0], b, end[1])
