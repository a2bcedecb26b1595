"""Users, organisations, tokens and sessions in SQL."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    delete,
    func,
    insert,
    select,
    update,
)

from tars_hub.server.catalog.callers import OF_DIGEST, OF_ID, OF_SESSION, caller_of, token_of, tokens_with_users
from tars_hub.server.catalog.engine import Database
from tars_hub.server.catalog.interface import TakenError
from tars_hub.server.catalog.schema import (
    commits,
    discussion_events,
    discussions,
    members,
    repositories,
    repository_commits,
    repository_likes,
    sessions,
    token_repositories,
    tokens,
    users,
)
from tars_hub.server.catalog.statements import insert_absent
from tars_hub.server.records import Caller, Member, MemberRole, Role, Token, User

_MOST_SESSIONS = 100  # that one token has at a time; whoever holds it can begin any number


class SqlAccounts:
    """The part of the catalogue that knows who there is, and by what they are known."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_user(self, name: str, *, organisation: bool = False) -> User:
        """Raises TakenError."""
        with self._database.writing() as connection:
            if not insert_absent(connection, users, [_new_user(name, organisation)]):
                raise TakenError(name)
            return _named(connection, name)

    def add_first(self, name: str, *, digest: str, role: Role, label: str) -> Token | None:
        """Keep the very first token, with its user if there is none of this name; None where there is a token."""
        with self._database.writing() as connection:
            if _any_token(connection):
                return None
            insert_absent(connection, users, [_new_user(name, False)])
            row = {"digest": digest, "role": role, "label": label}
            return _insert_token(connection, _named(connection, name), row, None)

    def user(self, name: str) -> User | None:
        """Find a user or an organisation, in any case."""
        with self._database.reading() as connection:
            row = connection.execute(select(users).where(users.c.lower_name == name.lower())).first()
        return user_of(row) if row else None

    def user_by_id(self, user_id: int) -> User | None:
        """Find a user or an organisation."""
        with self._database.reading() as connection:
            row = connection.execute(select(users).where(users.c.id == user_id)).first()
        return user_of(row) if row else None

    def users(self) -> list[User]:
        """All of them, organisations too, by name."""
        with self._database.reading() as connection:
            return [user_of(row) for row in connection.execute(select(users).order_by(users.c.lower_name))]

    def set_quota(self, user_id: int, quota_bytes: int | None) -> None:
        """None lifts it."""
        with self._database.writing() as connection:
            connection.execute(update(users).where(users.c.id == user_id).values(quota_bytes=quota_bytes))

    def remove_user(self, user_id: int) -> bool:
        """Forget a user or an organisation with tokens, sessions, memberships and likes; False if it owns a model."""
        owner = select(users.c.lower_name).where(users.c.id == user_id).scalar_subquery()
        owned = select(repositories.c.id).where(repositories.c.lower_namespace == owner).limit(1)
        with self._database.writing() as connection:
            if connection.execute(owned).first() is not None:
                return False
            liked = connection.execute(_liked_by(user_id)).scalars().all()
            connection.execute(delete(users).where(users.c.id == user_id))
            for repo_id in liked:
                recount_likes(connection, repo_id)
            return True

    def members(self, organisation_id: int) -> list[Member]:
        """By name."""
        of_organisation = select(users, members.c.role).join(members, members.c.user_id == users.c.id)
        question = of_organisation.where(members.c.organisation_id == organisation_id).order_by(users.c.lower_name)
        with self._database.reading() as connection:
            return [Member(user=user_of(row), role=row.role) for row in connection.execute(question)]

    def organisations_of(self, user_id: int) -> list[User]:
        """Those that a user is in, by name."""
        joined = select(users).join(members, members.c.organisation_id == users.c.id)
        question = joined.where(members.c.user_id == user_id).order_by(users.c.lower_name)
        with self._database.reading() as connection:
            return [user_of(row) for row in connection.execute(question)]

    def has_traces(self, name: str) -> bool:
        """Whether a repository, or a commit, a discussion or something said in one bears this name."""
        with self._database.reading() as connection:
            return any(connection.execute(question).first() is not None for question in _traces_of(name))

    def set_member(self, organisation_id: int, user_id: int, role: MemberRole | None) -> None:
        """Make somebody a member, or of another role; None ends it."""
        one = and_(members.c.organisation_id == organisation_id, members.c.user_id == user_id)
        row = {"organisation_id": organisation_id, "user_id": user_id, "role": role}
        with self._database.writing() as connection:
            connection.execute(delete(members).where(one))
            if role is not None:
                insert_absent(connection, members, [row])

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
        row = {"digest": digest, "role": role, "label": label, "expires_at": expires_at}
        with self._database.writing() as connection:
            return _insert_token(connection, user, row, repositories)

    def has_tokens(self) -> bool:
        """Whether there is any token, of anybody."""
        with self._database.reading() as connection:
            return _any_token(connection)

    def token(self, digest: str) -> Token | None:
        """Find a token by its digest, also one that has ended."""
        return self._token(tokens.c.digest == digest)

    def token_by_id(self, token_id: int) -> Token | None:
        """Find a token by its id, also one that has ended."""
        return self._token(tokens.c.id == token_id)

    def tokens(self, user_id: int) -> list[Token]:
        """A user's, oldest first, also those that have ended."""
        question = tokens_with_users().where(tokens.c.user_id == user_id).order_by(tokens.c.id)
        with self._database.reading() as connection:
            return [token_of(connection, row) for row in connection.execute(question).all()]

    def remove_token(self, token_id: int) -> None:
        """Forget a token and the sessions that began with it."""
        with self._database.writing() as connection:
            connection.execute(delete(tokens).where(tokens.c.id == token_id))

    def add_session(self, token_id: int, *, digest: str, expires_at: datetime) -> None:
        """Keep a session by the digest of its text; those that have ended, or are too many, are forgotten."""
        now = datetime.now(timezone.utc)
        row = {"digest": digest, "token_id": token_id, "expires_at": expires_at}
        with self._database.writing() as connection:
            connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
            connection.execute(delete(sessions).where(sessions.c.digest.in_(_crowded_out(token_id))))
            connection.execute(insert(sessions), row)

    def remove_session(self, digest: str) -> None:
        """Forget a session."""
        with self._database.writing() as connection:
            connection.execute(delete(sessions).where(sessions.c.digest == digest))

    def caller(
        self, *, token: str | None = None, token_id: int | None = None, session: str | None = None
    ) -> Caller | None:
        """Who holds a token, by its digest or id, or a session, by its digest; None where it is not valid now."""
        question = OF_SESSION if session is not None else OF_DIGEST if token is not None else OF_ID
        values = {"now": datetime.now(timezone.utc), "session": session, "digest": token, "token_id": token_id}
        with self._database.reading() as connection:
            row = connection.execute(question, values).first()
            return caller_of(connection, token_of(connection, row)) if row is not None else None

    def _token(self, condition: ColumnElement[bool]) -> Token | None:
        with self._database.reading() as connection:
            row = connection.execute(tokens_with_users().where(condition)).first()
            return token_of(connection, row) if row is not None else None


def _new_user(name: str, organisation: bool) -> dict[str, Any]:
    now = datetime.now(timezone.utc)
    return {"name": name, "lower_name": name.lower(), "created_at": now, "organisation": organisation}


def _named(connection: Connection, name: str) -> User:
    return user_of(connection.execute(select(users).where(users.c.lower_name == name.lower())).one())


def _any_token(connection: Connection) -> bool:
    return connection.execute(select(tokens.c.id).limit(1)).first() is not None


def _insert_token(
    connection: Connection, user: User, row: dict[str, Any], repositories: Collection[int] | None
) -> Token:
    more = {"user_id": user.id, "created_at": datetime.now(timezone.utc), "scoped": repositories is not None}
    key = connection.execute(insert(tokens), row | more).inserted_primary_key
    token_id = key[0] if key else 0
    scope = [{"token_id": token_id, "repository_id": each} for each in sorted(repositories or ())]
    insert_absent(connection, token_repositories, scope)
    return token_of(connection, connection.execute(tokens_with_users().where(tokens.c.id == token_id)).one())


def _crowded_out(token_id: int) -> Select[tuple[str]]:
    """Ask for the sessions of a token that must go before it has another; they end first."""
    own = select(sessions.c.digest).where(sessions.c.token_id == token_id)
    return own.order_by(sessions.c.expires_at.desc()).offset(_MOST_SESSIONS - 1)


def _liked_by(user_id: int) -> Select[Any]:
    return select(repository_likes.c.repository_id).where(repository_likes.c.user_id == user_id)


def recount_likes(connection: Connection, repo_id: int) -> None:
    """A repository has as many as there are rows."""
    counted = select(func.count()).where(repository_likes.c.repository_id == repo_id).scalar_subquery()
    connection.execute(update(repositories).where(repositories.c.id == repo_id).values(likes=counted))


def _traces_of(name: str) -> Iterator[Select[Any]]:
    """Ask for what bears a name that no foreign key leads to."""
    lower = name.lower()
    of_repository = select(repository_commits.c.oid).join(commits, commits.c.oid == repository_commits.c.oid)
    yield select(repositories.c.id).where(repositories.c.lower_namespace == lower).limit(1)
    yield select(discussions.c.number).where(func.lower(discussions.c.author) == lower).limit(1)
    yield select(discussion_events.c.id).where(func.lower(discussion_events.c.author) == lower).limit(1)
    yield of_repository.where(func.lower(commits.c.author) == lower).limit(1)


def user_of(row: Row[Any]) -> User:
    """A row of users as a record."""
    return User(
        id=row.id,
        name=row.name,
        created_at=row.created_at,
        organisation=row.organisation,
        quota_bytes=row.quota_bytes,
    )
