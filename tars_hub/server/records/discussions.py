"""What is said of a repository, and proposed to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tars_hub.server.records.history import NewCommit

DiscussionStatus = Literal["draft", "open", "closed", "merged"]
EventKind = Literal["comment", "status-change", "title-change", "commit"]


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What a pull request is beside a discussion: its commits lie behind a ref of its own.

    Attributes:
        base: the full name of the branch that it is to be merged into.
        start: the commit that its ref began at.
        head: where its ref stood when it was merged; empty before.
        merge_commit: where the branch stood after that; empty before.
    """

    base: str
    start: str
    head: str = ""
    merge_commit: str = ""


@dataclass(frozen=True, kw_only=True)
class Discussion:
    """A discussion of a repository, or a pull request; they share one row of numbers from 1."""

    number: int
    title: str
    status: DiscussionStatus
    author: str
    created_at: datetime
    proposal: Proposal | None = None

    @property
    def ref(self) -> str:
        """Of a pull request: what commits to it move."""
        return f"refs/pr/{self.number}"


@dataclass(frozen=True, kw_only=True)
class NewDiscussion:
    """A discussion with all that begins with it, to be stored in one transaction.

    Attributes:
        description: its first comment; empty for none.
        commit: the first of a pull request, on top of its `start`.
    """

    title: str
    status: DiscussionStatus
    author: str
    description: str = ""
    proposal: Proposal | None = None
    commit: NewCommit | None = None


@dataclass(frozen=True)
class Version:
    """A comment's text as it once was, and when it became so."""

    text: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened in a discussion.

    Attributes:
        id: hex digits; a commit's oid.
        text: a comment's text, the new status, the new title, a commit's title.
        before: the old title.
        updated_at: when a comment got its present text.
        hidden: a comment that was taken back; its texts are gone.
        earlier: a comment's texts before this one, oldest first.
    """

    id: str
    kind: EventKind
    author: str
    at: datetime
    text: str
    updated_at: datetime
    before: str = ""
    hidden: bool = False
    earlier: tuple[Version, ...] = ()
