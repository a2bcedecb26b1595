"""TIFF's directories: lists of tags, read without trust and written anew (TIFF 6.0, section 2; BigTIFF)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tars_hub.containers.parts import MAX_BLOCKS, Flaw, too_many, unpack

_SHORT = 3
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_INTEGERS = {1: "u1", _SHORT: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
_SUB_DIRECTORIES = {330, 34665, 34853}  # smaller copies, EXIF, GPS
_MAX_TAGS = 4096  # libtiff's limit too


@dataclass(frozen=True)
class Layout:
    """Byte order and the widths that BigTIFF doubles.

    Attributes:
        order: "<" or ">".
        count, offset: struct codes of a directory's length and of an offset.
    """

    order: str
    count: str
    offset: str

    @property
    def inline_bytes(self) -> int:
        return struct.calcsize(self.offset)

    @property
    def entry(self) -> str:
        """tag, type, number of values, the values or where they are."""
        return f"{self.order}HH{self.offset}{self.inline_bytes}s"

    def short(self, tag: int, value: int) -> bytes:
        """An entry with one 16-bit value."""
        return struct.pack(self.entry, tag, _SHORT, 1, struct.pack(self.order + "H", value))


CLASSIC = {b"II*\0": Layout("<", "H", "I"), b"MM\0*": Layout(">", "H", "I")}
BIG = {b"II+\0": Layout("<", "Q", "Q"), b"MM\0+": Layout(">", "Q", "Q")}


@dataclass(frozen=True)
class Entry:
    """One tag: the type and number of its values, where they lie, and the entry as stored."""

    kind: int
    count: int
    at: int
    raw: bytes


@dataclass(frozen=True)
class Directory:
    """The tags of one page."""

    data: bytes
    layout: Layout
    entries: Mapping[int, Entry]

    def integers(self, tag: int, most: int) -> npt.NDArray[np.uint64]:
        """The values of a tag, at most so many."""
        entry = self.entries.get(tag)
        if entry is None or entry.kind not in _INTEGERS:
            raise Flaw(f"damaged: a TIFF without tag {tag}")
        if entry.count > most:
            raise Flaw(f"damaged: a TIFF with {entry.count} values in tag {tag}")
        kind = self.layout.order + _INTEGERS[entry.kind]
        return np.frombuffer(self.data, kind, entry.count, entry.at).astype(np.uint64)

    def integer(self, tag: int, default: int | None = None) -> int:
        """The first value of a tag."""
        if default is not None and tag not in self.entries:
            return default
        values = self.integers(tag, 1 << 16)
        if not len(values):
            raise Flaw(f"damaged: a TIFF with an empty tag {tag}")
        return int(values[0])

    def content(self, tag: int) -> bytes:
        entry = self.entries[tag]
        return self.data[entry.at : entry.at + entry.count * _SIZES[entry.kind]]


def directories(data: bytes) -> list[Directory]:
    """The pages' directories, after a look at the smaller ones that hang on them: all must be inside the file."""
    layout, (first,) = _opening(data)
    pages: list[Directory] = []
    seen: set[int] = set()
    queue, tags = [(first, True)], 0
    while queue:
        offset, is_page = queue.pop()
        if offset == 0 or offset in seen:
            continue
        seen.add(offset)
        directory, following = _directory(data, layout, offset)
        tags += 1 + len(directory.entries)
        if tags > MAX_BLOCKS:
            raise too_many("tags")
        if is_page:
            pages.append(directory)
        queue += [(below, False) for below in _below(directory)]
        queue.append((following, is_page))
    if not pages:
        raise Flaw("damaged: a TIFF without a picture in it")
    return pages


def with_directory(data: bytes, layout: Layout, entries: Mapping[int, bytes]) -> bytes:
    """The same file, its one directory made of these entries and put at the end."""
    start = len(data) + len(data) % 2
    opening = data[:4] if layout.count == "H" else data[:8]
    opening += struct.pack(layout.order + layout.offset, start)
    count = struct.pack(layout.order + layout.count, len(entries))
    end = bytes(layout.inline_bytes)
    padding = bytes(start - len(data))
    rows = (entries[tag] for tag in sorted(entries))
    return b"".join((opening, memoryview(data)[len(opening) :], padding, count, *rows, end))


def _opening(data: bytes) -> tuple[Layout, tuple[int]]:
    """The layout and where the first directory lies."""
    mark = data[:4]
    if mark in CLASSIC:
        layout = CLASSIC[mark]
        return layout, unpack(layout.order + "I", data, 4)
    layout = BIG[mark]
    width, zero, first = unpack(layout.order + "HHQ", data, 4)
    if (width, zero) != (8, 0):
        raise Flaw("damaged: a BigTIFF with offsets of an unknown width")
    return layout, (first,)


def _directory(data: bytes, layout: Layout, offset: int) -> tuple[Directory, int]:
    """The directory at an offset, and the offset of the one after it."""
    if offset > len(data):
        raise Flaw("cut short: a TIFF directory lies past the end")
    (count,) = unpack(layout.order + layout.count, data, offset)
    if not 1 <= count <= _MAX_TAGS:
        raise Flaw(f"damaged: a TIFF directory with {count} tags")
    start = offset + struct.calcsize(layout.order + layout.count)
    width = struct.calcsize(layout.entry)
    entries: dict[int, Entry] = {}
    for at in range(start, start + count * width, width):
        tag, entry = _entry(data, layout, at, width)
        entries.setdefault(tag, entry)
    (following,) = unpack(layout.order + layout.offset, data, start + count * width)
    return Directory(data, layout, entries), following


def _entry(data: bytes, layout: Layout, at: int, width: int) -> tuple[int, Entry]:
    tag, kind, count, inline = unpack(layout.entry, data, at)
    size = _SIZES.get(kind, 1) * count
    where = at + width - layout.inline_bytes
    if size > layout.inline_bytes:
        (where,) = struct.unpack(layout.order + layout.offset, inline)
    if where + size > len(data):
        raise Flaw("cut short: a TIFF tag's values run past the end")
    return tag, Entry(kind, count, where, data[at : at + width])


def _below(directory: Directory) -> list[int]:
    tags = [tag for tag in _SUB_DIRECTORIES if tag in directory.entries]
    return [int(offset) for tag in tags for offset in directory.integers(tag, _MAX_TAGS)]
