"""Discussions and pull requests."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from tars_hub.server.records import Discussion, DiscussionStatus, Event, NewCommit, NewDiscussion, RefChange


class Discussions(Protocol):
    """Discussions and pull requests of each repository, with what happened in them."""

    def add(self, repo_id: int, new: NewDiscussion) -> Discussion:
        """Give it the repository's next number; a pull request's ref begins at its commit, or where it starts.

        Raises RefMovedError where the repository is gone, and GoneError as `History.commit` does.
        """
        ...

    def find(self, repo_id: int, number: int) -> Discussion | None: ...

    def search(
        self,
        repo_id: int,
        *,
        pull_requests: bool | None = None,
        statuses: Collection[DiscussionStatus] = (),
        author: str = "",
        offset: int = 0,
        limit: int = 50,
    ) -> tuple[list[Discussion], int]:
        """Those that fit, newest first, and how many there are in all."""
        ...

    def events(self, repo_id: int, number: int) -> list[Event]:
        """In their order, without commits: these are known by the ref."""
        ...

    def event(self, repo_id: int, number: int, event_id: str) -> Event | None: ...

    def comment(self, repo_id: int, number: int, *, author: str, text: str) -> Event:
        """Raises StaleError."""
        ...

    def rename(self, repo_id: int, number: int, *, author: str, title: str) -> Event:
        """Raises StaleError."""
        ...

    def change_status(
        self,
        repo_id: int,
        number: int,
        *,
        author: str,
        old: DiscussionStatus,
        new: DiscussionStatus,
        comment: str = "",
    ) -> Event:
        """Change it, after a comment if there is one. Raises StaleError where it is not `old`."""
        ...

    def merge(
        self,
        repo_id: int,
        number: int,
        *,
        author: str,
        head: str,
        new: NewCommit,
        changes: Sequence[RefChange],
        comment: str = "",
    ) -> Event:
        """Turn an open pull request into a merged one and move refs, at once, as `History.commit` does.

        The repository counts as updated now, however old the commit is. Raises RefMovedError and StaleError.

        Args:
            head: where its ref stands.
            new: what the branch stands at after it; one that is there already is not stored again.
        """
        ...

    def edit(self, repo_id: int, number: int, event_id: str, *, text: str) -> Event:
        """Give a comment another text; earlier ones are kept. Raises StaleError where it is gone or hidden."""
        ...

    def hide(self, repo_id: int, number: int, event_id: str) -> Event:
        """Forget all texts of a comment. Raises StaleError where it is gone."""
        ...
