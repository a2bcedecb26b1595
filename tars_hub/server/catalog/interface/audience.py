"""Downloads, likes and access requests."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from tars_hub.server.records import Access, AccessRequest, User


class Audience(Protocol):
    """What others make of repositories: downloads, likes, and wishes to be let to gated files."""

    def count_download(self, repo_id: int) -> None: ...

    def like(self, repo_id: int, user_id: int, *, liked: bool) -> None:
        """Like a repository, or no longer; doing it twice is as good as once."""
        ...

    def likes(self, repo_id: int, user_id: int) -> bool:
        """Whether this user likes it."""
        ...

    def likers(self, repo_id: int, *, offset: int = 0, limit: int = 1000) -> list[User]:
        """By name."""
        ...

    def request(self, repo_id: int, user_id: int, status: Access) -> Access:
        """Ask for the files of a repository; one who has asked before keeps the answer. What it is now."""
        ...

    def standing(self, repo_id: int, user_id: int) -> Access | None:
        """What became of a user's request; None where there is none."""
        ...

    def requests(
        self, repo_id: int, *, statuses: Collection[Access], offset: int = 0, limit: int = 1000
    ) -> list[AccessRequest]:
        """Oldest first."""
        ...

    def decide(self, repo_id: int, user_id: int, status: Access) -> None:
        """Answer a request, or let somebody in who has not asked."""
        ...
