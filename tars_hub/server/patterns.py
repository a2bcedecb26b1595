"""Git's patterns for paths, of .gitignore and .gitattributes: https://git-scm.com/docs/gitignore.

Matched name by name, with `fnmatch`, whose expressions do not blow up however a stranger writes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

_LONGEST = 500


@dataclass(frozen=True)
class Pattern:
    """One line of such a file.

    Attributes:
        parts: globs for names from the top down; "**" is for any number of them.
        negated: whether it brings back what another line left out.
        folders_only: whether it is for folders alone.
    """

    parts: tuple[str, ...]
    negated: bool
    folders_only: bool

    def fits(self, path: str) -> bool:
        """Whether a file's path from the top is meant by it."""
        return not self.folders_only and _fits(self.parts, tuple(path.split("/")))

    def fits_or_holds(self, path: str) -> bool:
        """Whether the file, or one of the folders that it lies in, is meant."""
        names = tuple(path.split("/"))
        above = any(_fits(self.parts, names[:count]) for count in range(1, len(names)))
        return above or self.fits(path)


def parse_pattern(line: str) -> Pattern | None:
    """A pattern; None for what is empty, a comment, or too long to be meant."""
    if not line.strip() or line.startswith("#") or len(line) > _LONGEST:
        return None
    negated = line.startswith("!")
    text = line[1:] if negated else line.removeprefix("\\")
    folders_only = text.endswith("/")
    text = text.rstrip("/")
    if not text:
        return None
    anchored = "/" in text
    parts = tuple(part for part in text.split("/") if part)
    return Pattern(parts if anchored else ("**", *parts), negated, folders_only)


def _fits(parts: tuple[str, ...], names: tuple[str, ...]) -> bool:
    """Whether the globs fit all the names: for each number of globs, how many names they can have used up."""
    reached = {0}
    for number, part in enumerate(parts, 1):
        if part == "**":
            least = 1 if number == len(parts) else 0  # at the end it is for all within a folder, not for the folder
            reached = set(range(min(reached) + least, len(names) + 1)) if reached else reached
        else:
            reached = {at + 1 for at in reached if at < len(names) and fnmatchcase(names[at], part)}
    return len(names) in reached
