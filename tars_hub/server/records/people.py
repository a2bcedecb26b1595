"""Who asks, and in whose name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Role = Literal["read", "write"]
MemberRole = Literal["read", "write", "admin"]
Access = Literal["pending", "accepted", "rejected"]


@dataclass(frozen=True, kw_only=True)
class User:
    """Somebody who owns the namespace of the same name: a person, or an organisation, which has members and no tokens.

    Attributes:
        quota_bytes: the most that its repositories may keep in all, each content counted once; None for no end.
    """

    id: int
    name: str
    created_at: datetime
    organisation: bool = False
    quota_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Member:
    """A person in an organisation.

    Attributes:
        role: "read" sees its private repositories, "write" makes, changes and removes them, "admin" also says who
            is a member.
    """

    user: User
    role: MemberRole


@dataclass(frozen=True, kw_only=True)
class Token:
    """A token as the hub knows it: its hash was looked up, its text is not kept.

    Attributes:
        expires_at: when it ends; None for never.
        repositories: ids of those that it is for; elsewhere its holder is a stranger. None is for all.
    """

    id: int
    user: User
    role: Role
    label: str
    created_at: datetime
    expires_at: datetime | None = None
    repositories: frozenset[int] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether its holder may do all by it that they may at all: it may write, and is for all repositories."""
        return self.role == "write" and self.repositories is None


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks. Without a token it is nobody in particular, who reads what is public.

    Attributes:
        roles: in organisations, by their names in lower case.
        granted: ids of gated repositories whose files the caller was let to.
    """

    token: Token | None = None
    roles: Mapping[str, MemberRole] = field(default_factory=dict)
    granted: frozenset[int] = frozenset()

    @property
    def user(self) -> User | None:
        return self.token.user if self.token else None

    @property
    def name(self) -> str:
        return self.token.user.name if self.token else ""

    def role_in(self, namespace: str) -> MemberRole | None:
        """In one's own namespace, or in an organisation; None for strangers."""
        if self.token is None:
            return None
        return "admin" if namespace.lower() == self.name.lower() else self.roles.get(namespace.lower())


@dataclass(frozen=True, kw_only=True)
class AccessRequest:
    """Somebody's wish to be let to the files of a gated repository, and what became of it."""

    user: User
    status: Access
    at: datetime
