"""Refs, commits, trees and files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from tars_hub.server.records import Commit, File, NewCommit, Ref, RefChange


class History(Protocol):
    """Refs, commits, trees and files. A commit belongs to the repositories it was made in."""

    def refs(self, repo_id: int) -> list[Ref]:
        """By name."""
        ...

    def ref(self, repo_id: int, name: str) -> str | None:
        """The commit's oid."""
        ...

    def move_refs(self, repo_id: int, changes: Sequence[RefChange]) -> None:
        """All of them or none. Raises RefMovedError where a ref is not at its `old`, GoneError for a lost commit."""
        ...

    def commit(self, repo_id: int, new: NewCommit, changes: Sequence[RefChange]) -> None:
        """Store a commit and move refs to it, at once; the contents that it names become readable in the repository.

        Where the main branch moves, the repository's `updated_at` becomes the commit's time and its facts
        become `new.facts`, if given. Storing what is there already is no error. Raises RefMovedError.

        Contents of its files that are not kept, and parents that the repository has no more, raise GoneError.
        """
        ...

    def find_commit(self, repo_id: int, prefix: str) -> Commit | None:
        """By its oid or the beginning of it (hex digits); None where none or several fit."""
        ...

    def log(self, repo_id: int, oid: str, *, skip: int = 0, limit: int = 1000) -> list[Commit]:
        """This commit and its first parents, newest first."""
        ...

    def trees(self, oids: Collection[str]) -> dict[str, bytes]:
        """Git's encoding of each."""
        ...

    def files(self, oids: Collection[str]) -> dict[str, File]:
        """By the ids of their git blobs."""
        ...
