"""Git's patterns for paths, of .gitignore and .gitattributes: https://git-scm.com/docs/gitignore.

Matched name by name, with `fnmatch`, whose expressions do not blow up however a stranger writes them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from typing import TypeAlias

from tars_hub.server.errors import UnprocessableError

_LONGEST = 300  # letters; 500 lines of stars and no end take 0.6 s to read

Glob: TypeAlias = Callable[[str], object] | None
"""Says of a name whether it fits; None is "**", for any number of names."""


# What holding a name against a glob costs besides its letters: alone, and as a step through a pattern of several globs.
_NAME, _STEP = 4, 30


class Patience:
    """How much may be matched for one request, so that a stranger's patterns do not hold the hub up.

    It is enough for 256 paths of ten names and 200 letters with 500 usual patterns, and ends within about a second.
    Without it, 256 paths of 100 names took three minutes with 500 patterns made to be slow.
    """

    def __init__(self, letters: int = 40_000_000) -> None:
        self._left = letters

    def read(self, names: Sequence[str]) -> None:
        """Spend what it costs to hold names against a glob."""
        self.spend(sum(map(len, names)) + _NAME * len(names))

    def spend(self, letters: int) -> None:
        """Raises UnprocessableError once it has run out."""
        self._left -= letters
        if self._left < 0:
            raise UnprocessableError(
                "it takes too long to match these paths with the patterns of .gitignore and .gitattributes; "
                "ask for fewer files at once, or write simpler patterns"
            )


@dataclass(frozen=True)
class Pattern:
    """One line of such a file.

    Attributes:
        globs: for names from the top down.
        negated: whether it brings back what another line left out.
        folders_only: whether it is for folders alone.
    """

    globs: tuple[Glob, ...]
    negated: bool
    folders_only: bool

    def fits(self, names: Sequence[str], patience: Patience) -> bool:
        """Whether a file is meant by it, whose path from the top is these names."""
        patience.read(names[-1:])
        last = self.globs[-1]
        if self.folders_only or (last is not None and not last(names[-1])):
            return False
        return self._is_usual or (self._may_fit(names, patience) and len(names) in self._fitting(names, patience))

    def fits_or_holds(self, names: Sequence[str], patience: Patience) -> bool:
        """Whether the file, or one of the folders that it lies in, is meant."""
        if not self._may_fit(names[:-1] if self.folders_only else names, patience):
            return False
        return self._is_usual or any(
            count < len(names) or not self.folders_only for count in self._fitting(names, patience)
        )

    def _may_fit(self, names: Sequence[str], patience: Patience) -> bool:
        """Whether each glob fits some name. Most patterns are out by this, for little."""
        for glob in reversed(self.globs):
            if glob is not None:
                patience.read(names)
                if not any(map(glob, names)):
                    return False
        return True

    def _fitting(self, names: Sequence[str], patience: Patience) -> Iterator[int]:
        patience.spend(len(self.globs) * len(names) * _STEP)
        return _fitting(self.globs, names)

    @property
    def _is_usual(self) -> bool:
        """Whether it is a glob for a name at any depth."""
        return len(self.globs) == 2 and self.globs[0] is None and self.globs[1] is not None


def parse_pattern(line: str) -> Pattern | None:
    """A pattern; None for what is empty, a comment, no pattern, or too long to be meant."""
    if not line.strip() or line.startswith("#") or len(line) > _LONGEST:
        return None
    negated = line.startswith("!")
    text = line[1:] if negated else line.removeprefix("\\")
    folders_only = text.endswith("/")
    text = text.rstrip("/")
    if not text:
        return None
    parts = [part for part in text.split("/") if part]
    try:
        globs = tuple(_glob(part) for part in (parts if "/" in text else ["**", *parts]))
    except re.error:
        return None
    return Pattern(globs, negated, folders_only)


@lru_cache(4096)
def _glob(part: str) -> Glob:
    return None if part == "**" else re.compile(translate(part)).match


def _fitting(globs: Sequence[Glob], names: Sequence[str]) -> Iterator[int]:
    """Numbers of names, from the top, that the globs fit: a file's own path, or that of a folder above it."""
    reached = _with_skipped(globs, {0})
    for count, name in enumerate(names, 1):
        after = set[int]()
        for at in reached - {len(globs)}:
            glob = globs[at]
            if glob is None:
                # At the end it is for all within a folder, and not for the folder.
                after |= {at, at + 1} if at + 1 == len(globs) else {at}
            elif glob(name):
                after.add(at + 1)
        reached = _with_skipped(globs, after)
        if len(globs) in reached:
            yield count
        if not reached:
            return


def _with_skipped(globs: Sequence[Glob], reached: set[int]) -> set[int]:
    """Where the globs can be as well, as "**" before others may be for no name."""
    found = set(reached)
    for at in reached:
        while at + 1 < len(globs) and globs[at] is None:
            at += 1  # noqa: PLW2901
            found.add(at)
    return found
