"""Discussions: begun, commented, renamed, closed. Pull requests are such too, and more in `proposals`."""

from __future__ import annotations

import unicodedata
from typing import Literal

from tars_hub.server.catalog.interface import RefMovedError, StaleError
from tars_hub.server.errors import (
    ConflictError,
    ForbiddenError,
    HubError,
    NotFoundError,
    TooLargeError,
    UnprocessableError,
)
from tars_hub.server.hub import Hub
from tars_hub.server.records import Caller, Discussion, Event, NewDiscussion, Repo
from tars_hub.server.rules.access import Action, permits, require

TITLE_LETTERS = 500
COMMENT_BYTES = 64 << 10
_NO_LETTERS = ("Cc", "Cs")  # control characters, and halves of letters that JSON can hold


def find(hub: Hub, repo: Repo, number: int) -> Discussion:
    """Raises NotFoundError."""
    found = hub.catalog.discussions.find(repo.id, number)
    if found is None:
        raise NotFoundError(f"{repo.full_name} has no discussion or pull request {number}")
    return found


def begin(hub: Hub, caller: Caller, repo: Repo, title: str, description: str) -> Discussion:
    """A new discussion, whose first comment is the description."""
    require(caller, repo, Action.PROPOSE)
    new = NewDiscussion(
        title=checked_title(title), status="open", author=caller.name, description=checked_text(description)
    )
    return add(hub, repo, new)


def add(hub: Hub, repo: Repo, new: NewDiscussion) -> Discussion:
    """Store what was checked. Raises ConflictError where the repository is gone."""
    try:
        return hub.catalog.discussions.add(repo.id, new)
    except RefMovedError:
        raise ConflictError(f"{repo.full_name} was removed meanwhile") from None


def comment(hub: Hub, caller: Caller, repo: Repo, number: int, text: str) -> Event:
    """Say something."""
    require(caller, repo, Action.PROPOSE)
    find(hub, repo, number)
    text = _needed(checked_text(text), "comment")
    try:
        return hub.catalog.discussions.comment(repo.id, number, author=caller.name, text=text)
    except StaleError:
        raise _gone(number) from None


def rename(hub: Hub, caller: Caller, repo: Repo, number: int, title: str) -> Event:
    """Give it another title; for its author, and for who may write to the repository."""
    _require_author(caller, repo, find(hub, repo, number).author, "rename this")
    title = checked_title(title)
    try:
        return hub.catalog.discussions.rename(repo.id, number, author=caller.name, title=title)
    except StaleError:
        raise _gone(number) from None


def change_status(
    hub: Hub, caller: Caller, repo: Repo, number: int, status: Literal["open", "closed"], text: str = ""
) -> Event:
    """Close it, open it again, or publish a draft; for its author, and for who may write to the repository."""
    found = find(hub, repo, number)
    _require_author(caller, repo, found.author, "open this" if status == "open" else "close this")
    if found.status == "merged":
        raise ConflictError(f"pull request {number} is merged, and stays so")
    if found.status == status:
        raise ConflictError(f"discussion {number} is {status} already")
    text = checked_text(text)
    try:
        return hub.catalog.discussions.change_status(
            repo.id, number, author=caller.name, old=found.status, new=status, comment=text
        )
    except StaleError:
        raise _gone(number) from None


def edit(hub: Hub, caller: Caller, repo: Repo, number: int, event_id: str, text: str) -> Event:
    """Change what a comment says; for its author alone."""
    found = _comment(hub, repo, number, event_id)
    require(caller, repo, Action.PROPOSE)
    if found.author != caller.name:
        raise ForbiddenError(f"{caller.name} may not edit this comment; {found.author} wrote it")
    if found.hidden:
        raise ConflictError("this comment is hidden, and stays so")
    text = _needed(checked_text(text), "comment")
    try:
        return hub.catalog.discussions.edit(repo.id, number, event_id, text=text)
    except StaleError:
        raise _gone(number) from None


def hide(hub: Hub, caller: Caller, repo: Repo, number: int, event_id: str) -> Event:
    """Take a comment back, for ever; for its author, and for who may write to the repository."""
    found = _comment(hub, repo, number, event_id)
    _require_author(caller, repo, found.author, "hide this comment")
    try:
        return hub.catalog.discussions.hide(repo.id, number, event_id)
    except StaleError:
        raise _gone(number) from None


def _comment(hub: Hub, repo: Repo, number: int, event_id: str) -> Event:
    find(hub, repo, number)
    found = hub.catalog.discussions.event(repo.id, number, event_id)
    if found is None or found.kind != "comment":
        raise NotFoundError(f"discussion {number} of {repo.full_name} has no comment {event_id[:40]!r}")
    return found


def _require_author(caller: Caller, repo: Repo, author: str, what: str) -> None:
    """Raises ForbiddenError for anybody but the author and those who may write."""
    require(caller, repo, Action.PROPOSE)
    if caller.name != author and not permits(caller, repo, Action.WRITE):
        raise ForbiddenError(f"{caller.name} may not {what}; {author} may, and who may write to {repo.full_name}")


def checked_title(title: str) -> str:
    """The title on one line. Raises UnprocessableError."""
    title = _needed(" ".join(title.split()), "title")
    if len(title) > TITLE_LETTERS:
        raise UnprocessableError(f"a title may have {TITLE_LETTERS} letters; this one has {len(title):,}")
    if any(unicodedata.category(letter) in _NO_LETTERS for letter in title):
        raise UnprocessableError("a title may have no control characters")
    return title


def checked_text(text: str) -> str:
    """A comment without blanks around it. Raises UnprocessableError and TooLargeError."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise UnprocessableError("a comment must be text in UTF-8") from None
    if size > COMMENT_BYTES:
        raise TooLargeError(f"a comment may have {COMMENT_BYTES:,} bytes; this one has {size:,}")
    if "\0" in text:
        raise UnprocessableError("a comment may have no zero bytes")
    return text.strip()


def _needed(text: str, what: str) -> str:
    if not text:
        raise HubError(f"the {what} is empty")
    return text


def _gone(number: int) -> ConflictError:
    return ConflictError(f"discussion {number} was changed by somebody else meanwhile; try again")
