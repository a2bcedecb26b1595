"""Tokens: made, shown by their labels, taken back; and who a request comes from."""

from __future__ import annotations

import hashlib
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from tars_hub.server.errors import (
    ConflictError,
    ForbiddenError,
    HubError,
    NotFoundError,
    RepoNotFoundError,
    UnauthorizedError,
)
from tars_hub.server.hub import Hub
from tars_hub.server.names import check_namespace
from tars_hub.server.records import Caller, Repo, Role, Token
from tars_hub.server.rules.access import Action, find_repo
from tars_hub.server.rules.accounts import find_person

_ALPHABET = string.ascii_letters + string.digits
_TOKEN_LETTERS = 40  # of 62: about 238 bits, so that a plain hash of it cannot be turned back
_LONGEST_LABEL = 100
_SESSION_DAYS = 30
_MOST_OWN = 500  # tokens of one user, who makes them with another; all are read to be listed


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a new token is to be.

    Attributes:
        label: what it is for; empty gets one.
        repositories: full names of those that it is for; empty for all.
        days: until it ends; None for never.
    """

    role: Role = "read"
    label: str = ""
    repositories: Sequence[str] = ()
    days: int | None = None


def add_first(hub: Hub, name: str, token: str) -> None:
    """Make the first user and this token, which may write, at once; a user of that name who is there gets it.

    Raises:
        UnprocessableError: the name will not do.
        ConflictError: there is a token already, or the name is an organisation's.
    """
    check_first_name(hub, name)
    if hub.catalog.accounts.add_first(name, digest=_digest(token), role="write", label="first") is None:
        raise ConflictError("this hub has its first token already")


def check_first_name(hub: Hub, name: str) -> None:
    """Raises UnprocessableError or ConflictError unless the first token may be this user's."""
    check_namespace(name)
    there = hub.catalog.accounts.user(name)
    if there is not None and there.organisation:
        raise ConflictError(f"{there.name} is an organisation, which has no tokens; name a user")


def new_token() -> str:
    """A text that nobody can guess."""
    return "hf_" + "".join(secrets.choice(_ALPHABET) for _ in range(_TOKEN_LETTERS))


def create_token(
    hub: Hub,
    user_name: str,
    *,
    role: Role,
    label: str = "",
    repositories: Sequence[Repo] | None = None,
    expires_at: datetime | None = None,
) -> str:
    """A new token's text; the hub keeps its hash alone, so this is the one time it can be seen.

    Raises:
        NotFoundError: no such user.
        HubError: the label is too long.
    """
    user = find_person(hub, user_name)
    if len(label) > _LONGEST_LABEL or not label.isprintable():
        raise HubError(f"a token's label is one line of up to {_LONGEST_LABEL} letters")
    text = new_token()
    hub.catalog.accounts.add_token(
        user,
        digest=_digest(text),
        role=role,
        label=label or f"{user.name}-{role}",
        expires_at=expires_at,
        repositories=None if repositories is None else [repo.id for repo in repositories],
    )
    return text


def create_own_token(hub: Hub, caller: Caller, wish: Wish) -> str:
    """A token that the caller makes with another, or within a session: never mightier than that one.

    Raises:
        UnauthorizedError, ForbiddenError: the caller may not make tokens, or not such a one.
        ConflictError: the caller has too many.
        RepoNotFoundError: the caller may not read one of the repositories.
    """
    own = require_whole(caller, "make tokens")
    ends = ending(wish.days)
    if own.expires_at is not None and (ends is None or ends > own.expires_at):
        raise ForbiddenError(
            f"the token you came with ends at {own.expires_at:%Y-%m-%d %H:%M} UTC; no other may outlast it"
        )
    if len(hub.catalog.accounts.tokens(own.user.id)) >= _MOST_OWN:
        raise ConflictError(f"{own.user.name} has {_MOST_OWN} tokens, and may have no more; revoke those not in use")
    repos = [find_repo(hub, caller, name, Action.READ) for name in wish.repositories]
    return create_token(
        hub, own.user.name, role=wish.role, label=wish.label, repositories=repos or None, expires_at=ends
    )


def ending(days: int | None) -> datetime | None:
    """The time so many days from now; None for never. Raises HubError."""
    if days is None:
        return None
    if not 1 <= days <= 36_500:
        raise HubError(f"a token lasts for 1 to 36,500 days, not {days}")
    return datetime.now(timezone.utc) + timedelta(days=days)


def repositories_named(hub: Hub, names: Sequence[str]) -> list[Repo]:
    """Repositories by their full names, for whoever runs the hub. Raises RepoNotFoundError."""
    found = [(name, hub.catalog.repositories.find(name)) for name in names]
    missing = [name for name, repo in found if repo is None]
    if missing:
        raise RepoNotFoundError(f"there is no repository {missing[0][:200]!r} here")
    return [repo for _, repo in found if repo is not None]


def revoke(hub: Hub, caller: Caller, token_id: int) -> Token:
    """Take back one of the caller's tokens, with the sessions that began with it.

    Raises:
        UnauthorizedError, ForbiddenError: the caller may not.
        NotFoundError: the caller has no such token.
    """
    own = require_whole(caller, "revoke tokens")
    token = hub.catalog.accounts.token_by_id(token_id)
    if token is None or token.user.id != own.user.id:
        raise NotFoundError(f"you have no token {token_id}")
    hub.catalog.accounts.remove_token(token_id)
    return token


def revoke_any(hub: Hub, token_id: int) -> Token:
    """Take back anybody's token, with the sessions that began with it; for whoever runs the hub.

    Raises:
        NotFoundError: there is none.
    """
    token = hub.catalog.accounts.token_by_id(token_id)
    if token is None:
        raise NotFoundError(f"there is no token {token_id} here; `tars hub token list USER` names them")
    hub.catalog.accounts.remove_token(token_id)
    return token


def require_whole(caller: Caller, what: str) -> Token:
    """The caller's token, which must be one that may write, for all repositories.

    Raises:
        UnauthorizedError, ForbiddenError: it is not.
    """
    if caller.token is None:
        raise UnauthorizedError(f"log in to {what}")
    if not caller.token.is_whole:
        raise ForbiddenError(f"{what} with a token that may write, and is for all repositories")
    return caller.token


def begin_session(hub: Hub, token: str) -> tuple[str, datetime]:
    """A browser's session, which may what its token may and ends with it; its text, and when it ends at the latest.

    Raises:
        UnauthorizedError: nobody has this token.
    """
    found = caller_of(hub, token).token
    if found is None:
        raise UnauthorizedError("there is no token")
    ends = datetime.now(timezone.utc) + timedelta(days=_SESSION_DAYS)
    ends = ends if found.expires_at is None else min(ends, found.expires_at)
    text = secrets.token_urlsafe(32)
    hub.catalog.accounts.add_session(found.id, digest=_digest(text), expires_at=ends)
    return text, ends


def end_session(hub: Hub, text: str) -> None:
    """Forget a session; one that is not there is as good as ended."""
    hub.catalog.accounts.remove_session(_digest(text))


def caller_of(hub: Hub, text: str | None) -> Caller:
    """Who sends this token; without one, nobody in particular.

    Raises:
        UnauthorizedError: nobody has this token, or it has ended.
    """
    if text is None:
        return Caller()
    caller = hub.catalog.accounts.caller(token=_digest(text))
    if caller is None:
        # The client looks for these very words.
        raise UnauthorizedError("Invalid credentials in Authorization header")
    return caller


def caller_of_session(hub: Hub, text: str) -> Caller:
    """Whose session this is; nobody's where it has ended."""
    return hub.catalog.accounts.caller(session=_digest(text)) or Caller()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
