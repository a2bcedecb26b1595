"""Tokens and who holds them, as rows of SQL: what is read for almost every request."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, or_, select

from tars_hub.server.catalog.schema import access_requests, members, sessions, token_repositories, tokens, users
from tars_hub.server.records import Caller, Token, User


def tokens_with_users() -> Select[Any]:
    """Tokens with their users, whose columns have names of their own."""
    of_user = [column.label(f"user_{column.name}") for column in users.c if column.name != "id"]
    return select(tokens, *of_user).join(users, users.c.id == tokens.c.user_id)


# Made once: they are asked for almost every request, and take longer to put together than to run.
_VALID = tokens_with_users().where(or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > bindparam("now")))
OF_ID = _VALID.where(tokens.c.id == bindparam("token_id"))
OF_DIGEST = _VALID.where(tokens.c.digest == bindparam("digest"))
OF_SESSION = _VALID.join(sessions, sessions.c.token_id == tokens.c.id).where(
    sessions.c.digest == bindparam("session"), sessions.c.expires_at > bindparam("now")
)
_ROLES = (
    select(users.c.lower_name, members.c.role)
    .join(members, members.c.organisation_id == users.c.id)
    .where(members.c.user_id == bindparam("user_id"))
)
_GRANTED = select(access_requests.c.repository_id).where(
    access_requests.c.status == "accepted", access_requests.c.user_id == bindparam("user_id")
)


def token_of(connection: Connection, row: Row[Any]) -> Token:
    """A row of `tokens_with_users` as a record."""
    return Token(
        id=row.id,
        user=User(
            id=row.user_id,
            name=row.user_name,
            created_at=row.user_created_at,
            organisation=row.user_organisation,
            quota_bytes=row.user_quota_bytes,
        ),
        role=row.role,
        label=row.label,
        created_at=row.created_at,
        expires_at=row.expires_at,
        repositories=_scope(connection, row.id) if row.scoped else None,
    )


def _scope(connection: Connection, token_id: int) -> frozenset[int]:
    question = select(token_repositories.c.repository_id).where(token_repositories.c.token_id == token_id)
    return frozenset(connection.execute(question).scalars())


def caller_of(connection: Connection, token: Token) -> Caller:
    """What else a token's holder may, by others' leave."""
    of_holder = {"user_id": token.user.id}
    return Caller(
        token=token,
        roles={row.lower_name: row.role for row in connection.execute(_ROLES, of_holder)},
        granted=frozenset(connection.execute(_GRANTED, of_holder).scalars()),
    )
