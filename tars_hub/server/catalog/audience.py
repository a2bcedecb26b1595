"""Who likes, downloads and asks for repositories, in SQL."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, select, update

from tars_hub.server.catalog.accounts import recount_likes, user_of
from tars_hub.server.catalog.engine import Database
from tars_hub.server.catalog.schema import access_requests, repositories, repository_likes, users
from tars_hub.server.catalog.statements import insert_absent
from tars_hub.server.records import Access, AccessRequest, User


class SqlAudience:
    """The part of the catalogue that knows what others make of repositories."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count_download(self, repo_id: int) -> None:
        """One more."""
        with self._database.writing() as connection:
            one_more = {"downloads": repositories.c.downloads + 1}
            connection.execute(update(repositories).where(repositories.c.id == repo_id).values(one_more))

    def like(self, repo_id: int, user_id: int, *, liked: bool) -> None:
        """Like a repository, or no longer; doing it twice is as good as once."""
        one = and_(repository_likes.c.repository_id == repo_id, repository_likes.c.user_id == user_id)
        row = {"repository_id": repo_id, "user_id": user_id, "at": datetime.now(timezone.utc)}
        with self._database.writing() as connection:
            if not _are_there(connection, repo_id, user_id):
                return
            if liked:
                insert_absent(connection, repository_likes, [row])
            else:
                connection.execute(delete(repository_likes).where(one))
            recount_likes(connection, repo_id)

    def likes(self, repo_id: int, user_id: int) -> bool:
        """Whether this user likes it."""
        one = and_(repository_likes.c.repository_id == repo_id, repository_likes.c.user_id == user_id)
        with self._database.reading() as connection:
            return connection.execute(select(repository_likes.c.user_id).where(one)).first() is not None

    def likers(self, repo_id: int, *, offset: int = 0, limit: int = 1000) -> list[User]:
        """By name."""
        question = select(users).join(repository_likes).where(repository_likes.c.repository_id == repo_id)
        page = question.order_by(users.c.lower_name).offset(offset).limit(limit)
        with self._database.reading() as connection:
            return [user_of(row) for row in connection.execute(page)]

    def request(self, repo_id: int, user_id: int, status: Access) -> Access:
        """Ask for the files of a repository; one who has asked before keeps the answer. What it is now."""
        row = {"repository_id": repo_id, "user_id": user_id, "status": status, "at": datetime.now(timezone.utc)}
        one = and_(access_requests.c.repository_id == repo_id, access_requests.c.user_id == user_id)
        with self._database.writing() as connection:
            if _are_there(connection, repo_id, user_id):
                insert_absent(connection, access_requests, [row])
            found: Access | None = connection.execute(select(access_requests.c.status).where(one)).scalar()
        return found or status

    def standing(self, repo_id: int, user_id: int) -> Access | None:
        """What became of a user's request; None where there is none."""
        one = and_(access_requests.c.repository_id == repo_id, access_requests.c.user_id == user_id)
        with self._database.reading() as connection:
            found: Access | None = connection.execute(select(access_requests.c.status).where(one)).scalar()
        return found

    def requests(
        self, repo_id: int, *, statuses: Collection[Access], offset: int = 0, limit: int = 1000
    ) -> list[AccessRequest]:
        """Oldest first."""
        asked = select(users, access_requests.c.status, access_requests.c.at).join(access_requests)
        own = and_(access_requests.c.repository_id == repo_id, access_requests.c.status.in_(list(statuses)))
        with self._database.reading() as connection:
            page = asked.where(own).order_by(access_requests.c.at, users.c.id).offset(offset).limit(limit)
            rows = connection.execute(page)
            return [AccessRequest(user=user_of(row), status=row.status, at=row.at) for row in rows]

    def decide(self, repo_id: int, user_id: int, status: Access) -> None:
        """Answer a request, or let somebody in who has not asked."""
        one = and_(access_requests.c.repository_id == repo_id, access_requests.c.user_id == user_id)
        row: dict[str, Any] = {"repository_id": repo_id, "user_id": user_id}
        with self._database.writing() as connection:
            if not _are_there(connection, repo_id, user_id):
                return
            connection.execute(delete(access_requests).where(one))
            connection.execute(insert(access_requests), row | {"status": status, "at": datetime.now(timezone.utc)})


def _are_there(connection: Connection, repo_id: int, user_id: int) -> bool:
    """Whether both are; either may have been removed since they were looked up."""
    repo = connection.execute(select(repositories.c.id).where(repositories.c.id == repo_id)).first()
    return repo is not None and connection.execute(select(users.c.id).where(users.c.id == user_id)).first() is not None
