"""Refs, commits and the files they name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tars_hub.server.records.models import Facts

BRANCHES, TAGS = "refs/heads/", "refs/tags/"
"""How the full names of branches and tags begin."""
MAIN = f"{BRANCHES}main"


@dataclass(frozen=True, kw_only=True)
class Ref:
    """A name for a commit: refs/heads/main, refs/tags/v1, refs/pr/3."""

    name: str
    commit: str

    @property
    def short(self) -> str:
        """The name without its kind: main, v1, 3."""
        return self.name.split("/", 2)[2]


@dataclass(frozen=True, kw_only=True)
class RefChange:
    """A ref's step from one commit to another; None is: not there."""

    name: str
    old: str | None
    new: str | None


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A commit as git has it; `oid` is the SHA-1 of its git object.

    Attributes:
        message: the whole of it; its first line is the title.
    """

    oid: str
    tree: str
    parents: tuple[str, ...]
    author: str
    at: datetime
    message: str

    @property
    def title(self) -> str:
        return self.message.partition("\n")[0]


@dataclass(frozen=True, kw_only=True)
class File:
    """What a git blob's id stands for.

    Attributes:
        oid: the id of the git blob: of the content itself, or of the pointer that stands for a large file.
        sha256: what the content is kept by.
        size: of the content, in bytes.
        lfs: whether git holds a pointer in its place.
    """

    oid: str
    sha256: str
    size: int
    lfs: bool


@dataclass(frozen=True, kw_only=True)
class NewCommit:
    """A commit with all that came into being by it, to be stored in one transaction.

    Attributes:
        trees: git's encoding of each new tree, by its id.
        files: files that the new trees name and the old one did not.
        facts: of the whole revision; None leaves the repository's as they are.
    """

    commit: Commit
    trees: Mapping[str, bytes]
    files: tuple[File, ...]
    facts: Facts | None = None
