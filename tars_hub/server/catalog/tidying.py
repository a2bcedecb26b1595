"""What the catalogue does for housekeeping: say what there is, and remove what nothing names.

A hub goes on serving meanwhile, in another process. So whoever removes something has looked before, and each removal
looks again, within its transaction: it says its condition itself. Transactions are short, and after each of them
others get as much time as it took.

Whatever a commit of a repository names is kept as long as the repository has that commit, whether a ref leads to it or
not; and what a row of `commits` names is kept as long as the row, so that a commit that comes in finds what it shares
with others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

Kind = Literal["file", "xorb"]
Object = Literal["tree", "file"]


@dataclass(frozen=True, kw_only=True)
class Node:
    """A commit, as far as housekeeping wants to know it."""

    tree: str
    parents: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """A repository at one moment.

    Attributes:
        refs: commits by the full names of refs.
        starts: commits that its pull requests began at, and are compared with.
        commits: all that it has, by their ids, also those that nothing leads to any more.
        contents: all that are linked to it.
    """

    refs: Mapping[str, str]
    starts: frozenset[str]
    commits: Mapping[str, Node]
    contents: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Held:
    """A content or a xorb.

    Attributes:
        on_disk: whether there is a blob of it.
        users: of a content, how many repositories it is linked to; of a xorb, the recipes that name it.
    """

    name: str
    size: int
    on_disk: bool
    offered_at: datetime
    users: int = 0
    recipes: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Totals:
    """How much there is.

    Attributes:
        commits: of all repositories, those that nothing leads to any more too.
        file_bytes, xorb_bytes: on the disk, as the catalogue knows it.
        free_bytes: within the catalogue's own, for whatever comes next.
    """

    repositories: int
    commits: int
    files: int
    contents: int
    file_bytes: int
    xorb_bytes: int
    catalog_bytes: int
    free_bytes: int


class Sweeping(Protocol):
    """What housekeeping looks at and removes."""

    def lineage(self, repo_id: int) -> Lineage: ...

    def forget(
        self, repo_id: int, seen: Lineage, *, commits: Collection[str], contents: Collection[str], before: datetime
    ) -> tuple[int, int]:
        """Take commits from a repository, and links to contents that were last offered before; how many of each.

        Commits go before those that they come after.

        Raises:
            RefMovedError: its refs or its commits are no longer what was seen, less what went; more may have gone.
        """
        ...

    def contents(self) -> Iterator[Held]:
        """All of them, in the order of their names."""
        ...

    def recipes(self) -> Iterator[tuple[int, str, bool]]:
        """All of them: id, the content's SHA-256, and whether that is kept."""
        ...

    def xorbs(self) -> Iterator[Held]:
        """All of them, in the order of their names."""
        ...

    def needs(self, xet: str) -> set[str]:
        """The xorbs that stay for a recipe's sake."""
        ...

    def known(self, kind: Kind, names: Collection[str]) -> set[str]:
        """Those of these blobs that the catalogue knows."""
        ...

    def free_contents(self, sha256s: Collection[str], *, before: datetime) -> int:
        """Forget contents that are linked to no repository and were last offered before; how many."""
        ...

    def free_recipes(self, ids: Collection[int]) -> int:
        """Forget recipes whose content is not kept; how many."""
        ...

    def free_xorbs(self, hashes: Collection[str], *, before: datetime) -> int:
        """Forget xorbs that no recipe names and that were last offered before; how many.

        Clients remember which xorbs a store has, by its address: where one goes, the store gets another name.
        """
        ...

    def withdraw(self, kind: Kind, names: Collection[str], take: Callable[[str], None]) -> None:
        """Hand those of these blobs to `take` that the catalogue does not know, while nobody can add one."""
        ...

    def commits(self, after: int = 0) -> Iterator[tuple[int, str, str, int]]:
        """All commits, or those after this number: number, id, tree, and how many repositories have it.

        Numbers grow as long as no commit is forgotten.
        """
        ...

    def free_commits(self, oids: Collection[str]) -> int:
        """Forget commits that no repository has; how many."""
        ...

    def objects(self, kind: Object) -> Iterator[str]:
        """Ids of all trees, or of all files."""
        ...

    def free_objects(self, kind: Object, oids: Collection[str], *, last: tuple[int, str]) -> int:
        """Forget trees or files that no commit names up to the last that was seen, by number and id; how many.

        Raises:
            RefMovedError: others came after it; nothing is done.
        """
        ...


class Weighing(Protocol):
    """How much there is, for whoever asks what holds the space."""

    def totals(self) -> Totals: ...

    def alone(self) -> dict[int, int]:
        """Bytes on the disk that one repository alone uses, by its id: what would go with it."""
        ...

    def alone_by_owner(self) -> dict[str, int]:
        """Bytes on the disk that the repositories of one namespace alone use, by its name in lower case."""
        ...
