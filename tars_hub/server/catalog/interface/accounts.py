"""Users, organisations, tokens and sessions."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from tars_hub.server.records import Caller, Member, MemberRole, Role, Token, User


class Accounts(Protocol):
    """Users, organisations, tokens and sessions."""

    def add_user(self, name: str, *, organisation: bool = False) -> User:
        """Raises TakenError."""
        ...

    def add_first(self, name: str, *, digest: str, role: Role, label: str) -> Token | None:
        """Keep the very first token, with its user if there is none of this name; None where there is a token."""
        ...

    def user(self, name: str) -> User | None: ...

    def user_by_id(self, user_id: int) -> User | None: ...

    def users(self) -> list[User]:
        """All of them, organisations too, by name."""
        ...

    def set_quota(self, user_id: int, quota_bytes: int | None) -> None:
        """None lifts it."""
        ...

    def remove_user(self, user_id: int) -> bool:
        """Forget a user or an organisation with tokens, sessions, memberships and likes; False if it owns a model."""
        ...

    def members(self, organisation_id: int) -> list[Member]:
        """By name."""
        ...

    def organisations_of(self, user_id: int) -> list[User]:
        """Those that a user is in, by name."""
        ...

    def has_traces(self, name: str) -> bool:
        """Whether a repository, or a commit, a discussion or something said in one bears this name."""
        ...

    def set_member(self, organisation_id: int, user_id: int, role: MemberRole | None) -> None:
        """Make somebody a member, or of another role; None ends it."""
        ...

    def add_token(
        self,
        user: User,
        *,
        digest: str,
        role: Role,
        label: str,
        expires_at: datetime | None = None,
        repositories: Collection[int] | None = None,
    ) -> Token:
        """Keep a token by the digest of its text."""
        ...

    def has_tokens(self) -> bool:
        """Whether there is any token, of anybody."""
        ...

    def token(self, digest: str) -> Token | None:
        """Also one that has ended."""
        ...

    def token_by_id(self, token_id: int) -> Token | None:
        """Also one that has ended."""
        ...

    def tokens(self, user_id: int) -> list[Token]:
        """A user's, oldest first, also those that have ended."""
        ...

    def remove_token(self, token_id: int) -> None:
        """Forget a token and the sessions that began with it."""
        ...

    def add_session(self, token_id: int, *, digest: str, expires_at: datetime) -> None:
        """Keep a session by the digest of its text; those that have ended are forgotten."""
        ...

    def remove_session(self, digest: str) -> None: ...

    def caller(
        self, *, token: str | None = None, token_id: int | None = None, session: str | None = None
    ) -> Caller | None:
        """Who holds a token, by its digest or id, or a session, by its digest; None where it is not valid now."""
        ...
