"""Which pictures are meant, one at a time: files, folders, names on standard input. Nothing grows with their number."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from itertools import chain
from pathlib import Path

from tars_hub.errors import UsageError
from tars_hub.listing import walk

FROM_INPUT = "-"
_MAX_NAME_BYTES = 1 << 16  # no system opens a file by a longer name
_READ_BYTES = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Named:
    """What a person named.

    Attributes:
        arguments: files and folders; "-" stands for the names on standard input.
        null: names on standard input end with NUL, as `find -print0` writes them, and not with the line.
        source: standard input.
    """

    arguments: Sequence[str]
    null: bool
    source: BufferedIOBase

    @property
    def can_be_counted(self) -> bool:
        """Whether it can be gone through twice."""
        return FROM_INPUT not in self.arguments

    def check(self) -> None:
        """
        Raises:
            UsageError: a folder holds no pictures, or standard input stands twice.
            OSError: a folder cannot be read.
        """
        if self.arguments.count(FROM_INPUT) > 1:
            raise UsageError("- stands twice; standard input can be read once")
        if self.null and self.can_be_counted:
            raise UsageError("--null is about names on standard input; say - for them")
        for argument in self.arguments:
            if argument != FROM_INPUT:
                _check(Path(argument))

    def pictures(self) -> Iterator[str]:
        """The names in the order named; those of one folder sorted. A folder that cannot be read comes by its own name.

        Raises:
            UsageError: at once, where standard input names nothing; later, where what comes there are no names.
        """
        given = _begun(self._from_input()) if not self.can_be_counted else iter(())
        return chain.from_iterable(given if each == FROM_INPUT else _within(Path(each)) for each in self.arguments)

    def _from_input(self) -> Iterator[str]:
        """As they stand there, empty ones left out."""
        for name in _pieces(self.source, b"\0" if self.null else os.linesep.encode()):
            if name:
                yield os.fsdecode(name)


def _within(entry: Path) -> Iterator[str]:
    return walk(entry, with_unreadable=True) if entry.is_dir() else iter([str(entry)])


def _check(entry: Path) -> None:
    if not entry.is_dir():
        return
    with os.scandir(entry):  # says why, where it cannot be read
        pass
    if next(walk(entry), None) is None:
        raise UsageError(f"{entry} holds no pictures")


def _begun(names: Iterator[str]) -> Iterator[str]:
    first = next(names, None)
    if first is None:
        raise UsageError("standard input names no pictures")
    return chain([first], names)


def _pieces(source: BufferedIOBase, end: bytes) -> Iterator[bytes]:
    """What stands between the ends, a piece at a time as it comes."""
    rest = b""
    while block := source.read1(_READ_BYTES):  # what has come by now
        *whole, rest = (rest + block).split(end)
        yield from whole
        if len(rest) > _MAX_NAME_BYTES:
            hint = "" if end == b"\0" else ", or say --null where each ends with NUL"
            raise UsageError(f"standard input: no file name after {rest[:20]!r}; give one name a line{hint}")
    yield rest
