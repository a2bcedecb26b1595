"""Whether ranges of two contents are the same bytes, found out with as little reading as possible.

Where both are kept as recipes of chunks, the chunks' hashes say it of all but the edges. What is left is read and
compared until a difference is seen, or until no more may be read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from tars_hub.server.blobs.interface import Key
from tars_hub.server.hub import Hub
from tars_hub.server.records import Content, Recipe
from tars_hub.server.rules.contents import chunk_table, content_of, read_blob, read_recipe, recipe_of
from tars_hub.server.xet.chunks import ChunkTable

_FIRST_BYTES, _NEXT_BYTES = 64 << 10, 1 << 20  # most that differ do so at once
_MAPPED_BYTES = 16 << 30  # some 262,000 chunks; of larger files nothing is known by chunks


class SpentError(Exception):
    """As much was read as may be."""


@dataclass
class Budget:
    """How many bytes may still be read."""

    left: int

    def spend(self, count: int) -> None:
        """Raises SpentError."""
        if count > self.left:
            raise SpentError
        self.left -= count


class Pair:
    """Two contents, compared a range at a time; ranges are best asked for in the order they lie in."""

    def __init__(self, hub: Hub, old: str, new: str, budget: Budget) -> None:
        """Begin with two contents by their SHA-256. Raises NotFoundError."""
        contents = content_of(hub, old), content_of(hub, new)
        self._old, self._new = (_Window(_reader(hub, content), content.size, budget) for content in contents)
        self._chunks: tuple[_Chunks, _Chunks] | None = None
        if all(content.xet and content.size <= _MAPPED_BYTES for content in contents):
            tables: dict[str, ChunkTable] = {}
            old_map, new_map = (_Chunks(hub, recipe_of(hub, content.xet), tables) for content in contents)
            self._chunks = old_map, new_map

    def same(self, old: int, new: int, length: int) -> bool:
        """Whether `length` bytes from `old` on in the one are those from `new` on in the other.

        Raises:
            SpentError: more would have to be read.
            NotFoundError, OSError, XetFormatError: the bytes are lost.
        """
        unsure = [(old, old + length)]
        if self._chunks is not None:
            known = list(_unsure(*self._chunks, old, new, length))
            if None in known:
                return False
            unsure = [span for span in known if span is not None]
        return all(self._read_same(start, start + new - old, end - start) for start, end in unsure)

    def _read_same(self, old: int, new: int, length: int) -> bool:
        done = 0
        while done < length:
            wanted = min(length - done, _NEXT_BYTES if done else _FIRST_BYTES)
            before, after = self._old.piece(old + done, wanted), self._new.piece(new + done, wanted)
            count = min(len(before), len(after))
            if before[:count] != after[:count]:
                return False
            done += count
        return True


def _reader(hub: Hub, content: Content) -> Callable[[int, int], Iterator[bytes]]:
    """What reads the bytes of a content from the first up to and without the second."""
    if content.plain:
        return partial(read_blob, hub, Key("file", content.sha256))
    return partial(read_recipe, hub, recipe_of(hub, content.xet))


class _Window:
    """The latest bytes that were read: many small tensors lie side by side."""

    def __init__(self, read: Callable[[int, int], Iterator[bytes]], size: int, budget: Budget) -> None:
        self._read, self._size, self._budget = read, size, budget
        self._start, self._data = 0, b""

    def piece(self, start: int, length: int) -> bytes:
        """Bytes from `start` on, one at least and up to `length`."""
        if not self._start <= start < self._start + len(self._data):
            end = min(start + max(length, _FIRST_BYTES), self._size)
            if start >= end:
                raise OSError(f"a content of {self._size} bytes has none from {start} on")
            self._budget.spend(end - start)
            self._start, self._data = start, b"".join(self._read(start, end))
        at = start - self._start
        return self._data[at : at + length]


class _Chunks:
    """Where the chunks of a content lie.

    Attributes:
        starts: the first byte of each, in order.
        by_start: hash and length of each.
    """

    def __init__(self, hub: Hub, recipe: Recipe, tables: dict[str, ChunkTable]) -> None:
        self.by_start: dict[int, tuple[bytes, int]] = {}
        at = 0
        for term in recipe.terms:
            if term.xorb not in tables:
                tables[term.xorb] = chunk_table(hub, term.xorb)
            for raw, length in tables[term.xorb].pairs(term.start, term.end):
                self.by_start[at] = raw, length
                at += length
        self.starts = list(self.by_start)


def _unsure(before: _Chunks, after: _Chunks, old: int, new: int, length: int) -> Iterator[tuple[int, int] | None]:
    """The spans, as bytes of the old content, that chunks say nothing of; None where they say that both differ."""
    end = old + length
    at = max(bisect_right(before.starts, old) - 1, 0)
    while length and at < len(before.starts) and before.starts[at] < end:
        start = before.starts[at]
        mine, other = before.by_start[start], after.by_start.get(start + new - old)
        if mine != other:
            within = old <= start and start + mine[1] <= end
            if within and other is not None and other[1] == mine[1]:
                yield None
                return
            yield max(start, old), min(start + mine[1], end)
        at += 1
