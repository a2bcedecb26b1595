"""Users and tokens in SQL."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, insert, select

from tars_hub.server.catalog.engine import Database
from tars_hub.server.catalog.interface import TakenError
from tars_hub.server.catalog.schema import tokens, users
from tars_hub.server.catalog.statements import insert_absent
from tars_hub.server.records import Role, Token, User


class SqlAccounts:
    """The part of the catalogue that knows users and tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_user(self, name: str) -> User:
        """Raises TakenError."""
        row = {"name": name, "lower_name": name.lower(), "created_at": datetime.now(timezone.utc)}
        with self._database.writing() as connection:
            if not insert_absent(connection, users, [row]):
                raise TakenError(name)
            return _named(connection, name)

    def add_first(self, name: str, *, digest: str, role: Role, label: str) -> Token | None:
        """Keep the very first token, with its user if there is none of this name; None where there is a token."""
        row = {"name": name, "lower_name": name.lower(), "created_at": datetime.now(timezone.utc)}
        with self._database.writing() as connection:
            if _any_token(connection):
                return None
            insert_absent(connection, users, [row])
            return _insert_token(connection, _named(connection, name), digest=digest, role=role, label=label)

    def user(self, name: str) -> User | None:
        """Find a user, in any case."""
        with self._database.reading() as connection:
            row = connection.execute(select(users).where(users.c.lower_name == name.lower())).first()
        return _user(row) if row else None

    def users(self) -> list[User]:
        """All of them, by name."""
        with self._database.reading() as connection:
            return [_user(row) for row in connection.execute(select(users).order_by(users.c.lower_name))]

    def add_token(self, user: User, *, digest: str, role: Role, label: str) -> Token:
        """Keep a token by the digest of its text."""
        with self._database.writing() as connection:
            return _insert_token(connection, user, digest=digest, role=role, label=label)

    def has_tokens(self) -> bool:
        """Whether there is any token, of anybody."""
        with self._database.reading() as connection:
            return _any_token(connection)

    def token(self, digest: str) -> Token | None:
        """Find a token by its digest."""
        return self._token(tokens.c.digest == digest)

    def token_by_id(self, token_id: int) -> Token | None:
        """Find a token by its id."""
        return self._token(tokens.c.id == token_id)

    def _token(self, condition: ColumnElement[bool]) -> Token | None:
        of_user = [users.c.name, users.c.created_at.label("user_created_at")]
        with self._database.reading() as connection:
            row = connection.execute(select(tokens, *of_user).join(users).where(condition)).first()
        if row is None:
            return None
        user = User(id=row.user_id, name=row.name, created_at=row.user_created_at)
        return Token(id=row.id, user=user, role=row.role, label=row.label, created_at=row.created_at)


def _named(connection: Connection, name: str) -> User:
    return _user(connection.execute(select(users).where(users.c.lower_name == name.lower())).one())


def _any_token(connection: Connection) -> bool:
    return connection.execute(select(tokens.c.id).limit(1)).first() is not None


def _insert_token(connection: Connection, user: User, *, digest: str, role: Role, label: str) -> Token:
    at = datetime.now(timezone.utc)
    row = {"user_id": user.id, "digest": digest, "role": role, "label": label, "created_at": at}
    key = connection.execute(insert(tokens), row).inserted_primary_key
    return Token(id=key[0] if key else 0, user=user, role=role, label=label, created_at=at)


def _user(row: Row[Any]) -> User:
    return User(id=row.id, name=row.name, created_at=row.created_at)
