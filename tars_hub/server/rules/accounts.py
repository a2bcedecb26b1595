"""Users and their tokens."""

from __future__ import annotations

import hashlib
import secrets
import string

from tars_hub.server.catalog.interface import TakenError
from tars_hub.server.errors import ConflictError, NotFoundError, UnauthorizedError
from tars_hub.server.hub import Hub
from tars_hub.server.names import check_namespace
from tars_hub.server.records import Caller, Role, User

_ALPHABET = string.ascii_letters + string.digits
_TOKEN_LETTERS = 40  # of 62: about 238 bits, so that a plain hash of it cannot be turned back


def add_user(hub: Hub, name: str) -> User:
    """Raises UnprocessableError or ConflictError where the name will not do."""
    check_namespace(name)
    try:
        return hub.catalog.accounts.add_user(name)
    except TakenError:
        raise ConflictError(f"there is a user {name!r} already") from None


def add_first(hub: Hub, name: str, token: str) -> None:
    """Make the first user and this token, which may write, at once; a user of that name who is there gets it.

    Raises:
        UnprocessableError: the name will not do.
        ConflictError: there is a token already.
    """
    check_namespace(name)
    if hub.catalog.accounts.add_first(name, digest=_digest(token), role="write", label="first") is None:
        raise ConflictError("this hub has its first token already")


def new_token() -> str:
    """A text that nobody can guess."""
    return "hf_" + "".join(secrets.choice(_ALPHABET) for _ in range(_TOKEN_LETTERS))


def create_token(hub: Hub, user_name: str, *, role: Role, label: str = "") -> str:
    """A new token's text; the hub keeps its hash alone, so this is the one time it can be seen.

    Raises:
        NotFoundError: no such user.
    """
    user = hub.catalog.accounts.user(user_name)
    if user is None:
        raise NotFoundError(f"there is no user {user_name!r} here; `tars hub user add` makes one")
    text = new_token()
    hub.catalog.accounts.add_token(user, digest=_digest(text), role=role, label=label or f"{user.name}-{role}")
    return text


def caller_of(hub: Hub, text: str | None) -> Caller:
    """Who sends this token; without one, nobody in particular.

    Raises:
        UnauthorizedError: nobody has this token.
    """
    if text is None:
        return Caller()
    token = hub.catalog.accounts.token(_digest(text))
    if token is None:
        # The client looks for these very words.
        raise UnauthorizedError("Invalid credentials in Authorization header")
    return Caller(token=token)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
