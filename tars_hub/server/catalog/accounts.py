"""Users and tokens in SQL."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import ColumnElement, Row, insert, select

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
            return _user(connection.execute(select(users).where(users.c.lower_name == name.lower())).one())

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
        at = datetime.now(timezone.utc)
        row = {"user_id": user.id, "digest": digest, "role": role, "label": label, "created_at": at}
        with self._database.writing() as connection:
            key = connection.execute(insert(tokens), row).inserted_primary_key
        return Token(id=key[0] if key else 0, user=user, role=role, label=label, created_at=at)

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


def _user(row: Row[Any]) -> User:
    return User(id=row.id, name=row.name, created_at=row.created_at)
