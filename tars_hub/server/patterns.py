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

_LONGEST = 500

Glob: TypeAlias = Callable[[str], object] | None
"""Says of a name whether it fits; None is "**", for any number of names."""


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

    def fits(self, path: str) -> bool:
        """Whether a file's path from the top is meant by it."""
        names = path.split("/")
        return not self.folders_only and len(names) in _fitting(self.globs, names)

    def fits_or_holds(self, path: str) -> bool:
        """Whether the file, or one of the folders that it lies in, is meant."""
        names = path.split("/")
        return any(count < len(names) or not self.folders_only for count in _fitting(self.globs, names))


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
