"""Discussions: begun, commented, renamed, closed. Pull requests are such too, and more in `proposals`."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from itertools import chain
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
from tars_hub.server.records import Caller, Discussion, Event, EventKind, NewDiscussion, Repo
from tars_hub.server.rules.access import Action, permits, require
from tars_hub.server.rules.freed import naming

TITLE_LETTERS = 500
COMMENT_BYTES = 64 << 10
# Who reads a discussion reads all of it, so all of it is bounded. Requests at the same moment may get a little past.
COMMENTS = 1000
CHANGES = 1000  # of the title and the status
ALL_BYTES = 2 << 20  # earlier titles and versions of comments too
VERSIONS = 20  # of a comment
OPEN = 200  # discussions of one author in a repository that is somebody else's
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
    require_few_open(hub, caller, repo)
    new = NewDiscussion(
        title=checked_title(title), status="open", author=caller.name, description=checked_text(description)
    )
    return add(hub, repo, new)


def add(hub: Hub, repo: Repo, new: NewDiscussion) -> Discussion:
    """Store what was checked. Raises ConflictError where the repository is gone."""
    try:
        with naming():
            return hub.catalog.discussions.add(repo.id, new)
    except RefMovedError:
        raise ConflictError(f"{repo.full_name} was removed meanwhile") from None


def comment(hub: Hub, caller: Caller, repo: Repo, number: int, text: str) -> Event:
    """Say something."""
    require(caller, repo, Action.PROPOSE)
    find(hub, repo, number)
    text = _needed(checked_text(text), "comment")
    require_room(hub, repo, number, text)
    try:
        return hub.catalog.discussions.comment(repo.id, number, author=caller.name, text=text)
    except StaleError:
        raise _gone(number) from None


def rename(hub: Hub, caller: Caller, repo: Repo, number: int, title: str) -> Event:
    """Give it another title; for its author, and for who may write to the repository."""
    _require_author(caller, repo, find(hub, repo, number).author, "rename this")
    title = checked_title(title)
    require_room(hub, repo, number, title, kind="title-change")
    try:
        return hub.catalog.discussions.rename(repo.id, number, author=caller.name, title=title)
    except StaleError:
        raise _gone(number) from None


def change_status(
    hub: Hub, caller: Caller, repo: Repo, number: int, status: Literal["open", "closed"], text: str = ""
) -> Event:
    """Close it, open it again, or publish a draft; for its author, and for who may write to the repository.

    Raises:
        TooLargeError: beyond a limit. To close it without a comment is always possible.
    """
    found = find(hub, repo, number)
    _require_author(caller, repo, found.author, "open this" if status == "open" else "close this")
    if found.status == "merged":
        raise ConflictError(f"pull request {number} is merged, and stays so")
    if found.status == status:
        raise ConflictError(f"discussion {number} is {status} already")
    text = checked_text(text)
    if text:
        require_room(hub, repo, number, text)
    if status == "open":
        require_room(hub, repo, number, kind="status-change")
        if found.status == "closed":
            require_few_open(hub, caller, repo)
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
    if len(found.earlier) + 1 >= VERSIONS:
        raise TooLargeError(f"a comment may have {VERSIONS} versions; write another one")
    _require_bytes(hub.catalog.discussions.events(repo.id, number), number, text)
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


def require_few_open(hub: Hub, caller: Caller, repo: Repo) -> None:
    """Raises TooLargeError for who has very many open in somebody else's repository."""
    if permits(caller, repo, Action.WRITE):
        return
    _, count = hub.catalog.discussions.search(repo.id, statuses=("open", "draft"), author=caller.name, limit=1)
    if count >= OPEN:
        raise TooLargeError(
            f"{caller.name} may have {OPEN} discussions and pull requests open in {repo.full_name}; close some first"
        )


def require_room(hub: Hub, repo: Repo, number: int, text: str = "", *, kind: EventKind = "comment") -> None:
    """Raises TooLargeError where a discussion takes no more events of a kind, or no more text."""
    told = hub.catalog.discussions.events(repo.id, number)
    comments = sum(event.kind == "comment" for event in told)
    if kind == "comment" and comments >= COMMENTS:
        raise TooLargeError(f"discussion {number} has {comments:,} comments and takes no more; begin another one")
    if kind != "comment" and len(told) - comments >= CHANGES:
        raise TooLargeError(f"discussion {number} was renamed, opened and closed {CHANGES:,} times; begin another one")
    _require_bytes(told, number, text)


def _require_bytes(told: Iterable[Event], number: int, text: str) -> None:
    texts = chain([text], *([event.text, event.before, *(old.text for old in event.earlier)] for event in told))
    if sum(len(each.encode()) for each in texts) > ALL_BYTES:
        raise TooLargeError(
            f"discussion {number} may have {ALL_BYTES:,} bytes of text, earlier versions too; begin another one"
        )


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
