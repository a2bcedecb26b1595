"""Repositories, and the search for them."""

from __future__ import annotations

from typing import Protocol

from tars_hub.server.records import Facets, Gated, NewCommit, Repo, Search


class Repositories(Protocol):
    """Repositories and their settings."""

    def add(self, namespace: str, name: str, *, private: bool, first: NewCommit) -> Repo:
        """Make a repository whose main branch stands at `first`. Raises TakenError.

        An old name that led elsewhere since a move is free to be taken, and leads here then.
        """
        ...

    def find(self, full_name: str) -> Repo | None:
        """By "namespace/name", in any case; a name it had before a move counts too."""
        ...

    def by_id(self, repo_id: int) -> Repo | None: ...

    def update(self, repo_id: int, *, private: bool | None = None, gated: Gated | None = None) -> None: ...

    def move(self, repo_id: int, namespace: str, name: str) -> None:
        """Give it another name; the old one leads to it until somebody takes it. Raises TakenError."""
        ...

    def remove(self, repo_id: int) -> None:
        """Forget it with its refs, commits, discussions and old names. Contents stay."""
        ...

    def search(self, search: Search) -> list[Repo]: ...

    def facets(self, search: Search, *, most: int) -> Facets:
        """How many fit, whatever the page, and by what they could be narrowed: up to so many names of a kind."""
        ...

    def all(self, after: int, limit: int) -> list[Repo]:
        """In the order of their ids, those after this one."""
        ...
