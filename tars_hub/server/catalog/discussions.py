"""Discussions, pull requests and their events in SQL."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, insert, select, update

from tars_hub.server.catalog.commits import move_refs, require_commits, store, update_repository
from tars_hub.server.catalog.engine import Database
from tars_hub.server.catalog.interface import RefMovedError, StaleError
from tars_hub.server.catalog.schema import comment_versions, discussion_events, discussions, repositories
from tars_hub.server.records import (
    MAIN,
    Discussion,
    DiscussionStatus,
    Event,
    EventKind,
    NewCommit,
    NewDiscussion,
    Proposal,
    RefChange,
    Version,
)

_ID_DIGITS = 24
_ID = re.compile(r"0{9}[0-9a-f]{15}")  # of as many digits, and no more than the database's integers hold


class SqlDiscussions:
    """The part of the catalogue that knows what people say to each other."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, repo_id: int, new: NewDiscussion) -> Discussion:
        """Give it the repository's next number. Raises RefMovedError where the repository is gone."""
        now = datetime.now(timezone.utc)
        with self._database.writing() as connection:
            number = _next_number(connection, repo_id)
            connection.execute(insert(discussions), _row(repo_id, number, new, now))
            if new.proposal is not None:
                _begin_ref(connection, repo_id, f"refs/pr/{number}", new.proposal.start, new.commit)
            if new.description:
                _One(connection, repo_id, number).say("comment", new.author, new.description, at=now)
            return _discussion(connection.execute(select(discussions).where(_own(repo_id, number))).one())

    def find(self, repo_id: int, number: int) -> Discussion | None:
        """By its number."""
        with self._database.reading() as connection:
            row = connection.execute(select(discussions).where(_own(repo_id, number))).first()
        return _discussion(row) if row else None

    def search(
        self,
        repo_id: int,
        *,
        pull_requests: bool | None = None,
        statuses: Collection[DiscussionStatus] = (),
        author: str = "",
        offset: int = 0,
        limit: int = 50,
    ) -> tuple[list[Discussion], int]:
        """Those that fit, newest first, and how many there are in all."""
        fits = and_(*_conditions(repo_id, pull_requests, statuses, author))
        page = select(discussions).where(fits).order_by(discussions.c.number.desc()).offset(offset).limit(limit)
        with self._database.reading() as connection:
            count = connection.execute(select(func.count()).select_from(discussions).where(fits)).scalar_one()
            return [_discussion(row) for row in connection.execute(page)], count

    def events(self, repo_id: int, number: int) -> list[Event]:
        """In their order."""
        with self._database.reading() as connection:
            return _events(connection, _within(repo_id, number))

    def event(self, repo_id: int, number: int, event_id: str) -> Event | None:
        """By its id."""
        with self._database.reading() as connection:
            found = _events(connection, _named(repo_id, number, event_id))
        return found[0] if found else None

    def comment(self, repo_id: int, number: int, *, author: str, text: str) -> Event:
        """Raises StaleError."""
        with self._database.writing() as connection:
            one = _One(connection, repo_id, number)
            one.row()
            return one.say("comment", author, text)

    def rename(self, repo_id: int, number: int, *, author: str, title: str) -> Event:
        """Raises StaleError."""
        with self._database.writing() as connection:
            one = _One(connection, repo_id, number)
            old = one.row().title
            connection.execute(update(discussions).where(_own(repo_id, number)).values(title=title))
            return one.say("title-change", author, title, before=old)

    def change_status(
        self,
        repo_id: int,
        number: int,
        *,
        author: str,
        old: DiscussionStatus,
        new: DiscussionStatus,
        comment: str = "",
    ) -> Event:
        """Change it, after a comment if there is one. Raises StaleError where it is not `old`."""
        with self._database.writing() as connection:
            one = _One(connection, repo_id, number)
            one.row()
            if comment:
                one.say("comment", author, comment)
            return one.change_status(author, old, new)

    def merge(
        self,
        repo_id: int,
        number: int,
        *,
        author: str,
        head: str,
        new: NewCommit,
        changes: Sequence[RefChange],
        comment: str = "",
    ) -> Event:
        """Turn an open pull request into a merged one and move refs, at once. Raises RefMovedError and StaleError."""
        with self._database.writing() as connection:
            move_refs(connection, repo_id, changes)
            store(connection, repo_id, new)
            if any(change.name == MAIN for change in changes):
                update_repository(connection, repo_id, new, at=datetime.now(timezone.utc))
            one = _One(connection, repo_id, number)
            one.row()
            if comment:
                one.say("comment", author, comment)
            return one.change_status(author, "open", "merged", head=head, merge_commit=new.commit.oid)

    def edit(self, repo_id: int, number: int, event_id: str, *, text: str) -> Event:
        """Give a comment another text; earlier ones are kept. Raises StaleError where it is gone or hidden."""
        named = _named(repo_id, number, event_id)
        with self._database.writing() as connection:
            found = _comment(connection, named)
            if found.hidden:
                raise StaleError(event_id)
            old = {"event_id": _key(event_id), "position": len(found.earlier)}
            connection.execute(insert(comment_versions), old | {"text": found.text, "at": found.updated_at})
            values = {"text": text, "updated_at": datetime.now(timezone.utc)}
            connection.execute(update(discussion_events).where(named).values(values))
            return _comment(connection, named)

    def hide(self, repo_id: int, number: int, event_id: str) -> Event:
        """Forget all texts of a comment. Raises StaleError where it is gone."""
        named = _named(repo_id, number, event_id)
        with self._database.writing() as connection:
            _comment(connection, named)
            connection.execute(delete(comment_versions).where(comment_versions.c.event_id == _key(event_id)))
            connection.execute(update(discussion_events).where(named).values(text="", hidden=True))
            return _comment(connection, named)


def _next_number(connection: Connection, repo_id: int) -> int:
    # Writers of SQLite come one after the other; elsewhere they queue at the repository's row.
    there = select(repositories.c.id).where(repositories.c.id == repo_id).with_for_update()
    if connection.execute(there).first() is None:
        raise RefMovedError(MAIN)
    newest = select(func.max(discussions.c.number)).where(discussions.c.repository_id == repo_id)
    return (connection.execute(newest).scalar() or 0) + 1


def _row(repo_id: int, number: int, new: NewDiscussion, at: datetime) -> dict[str, Any]:
    row = {"repository_id": repo_id, "number": number, "title": new.title, "status": new.status}
    row |= {"author": new.author, "created_at": at}
    if new.proposal is not None:
        row |= {"base": new.proposal.base, "start": new.proposal.start}
    return row


def _begin_ref(connection: Connection, repo_id: int, ref: str, start: str, new: NewCommit | None) -> None:
    move_refs(connection, repo_id, [RefChange(name=ref, old=None, new=new.commit.oid if new else start)])
    if new is not None:
        store(connection, repo_id, new)
    else:
        require_commits(connection, repo_id, [start])


def _conditions(
    repo_id: int, pull_requests: bool | None, statuses: Collection[DiscussionStatus], author: str
) -> Iterator[ColumnElement[bool]]:
    column = discussions.c
    yield column.repository_id == repo_id
    if pull_requests is not None:
        yield column.base.is_not(None) if pull_requests else column.base.is_(None)
    if statuses:
        yield column.status.in_(sorted(statuses))
    if author:
        yield func.lower(column.author) == author.lower()


def _own(repo_id: int, number: int) -> ColumnElement[bool]:
    return and_(discussions.c.repository_id == repo_id, discussions.c.number == number)


def _within(repo_id: int, number: int) -> ColumnElement[bool]:
    return and_(discussion_events.c.repository_id == repo_id, discussion_events.c.number == number)


def _named(repo_id: int, number: int, event_id: str) -> ColumnElement[bool]:
    return and_(_within(repo_id, number), discussion_events.c.id == _key(event_id))


def _key(event_id: str) -> int:
    """Its row's key; one that no row has where it cannot be an id."""
    return int(event_id, 16) if _ID.fullmatch(event_id) else 0


@dataclass(frozen=True)
class _One:
    """A discussion within a transaction."""

    connection: Connection
    repo_id: int
    number: int

    def row(self) -> Row[Any]:
        """Raises StaleError."""
        own = _own(self.repo_id, self.number)
        row = self.connection.execute(select(discussions).where(own).with_for_update()).first()
        if row is None:
            raise StaleError(self.number)
        return row

    def say(self, kind: EventKind, author: str, text: str, *, before: str = "", at: datetime | None = None) -> Event:
        at = at or datetime.now(timezone.utc)
        row = {"repository_id": self.repo_id, "number": self.number, "kind": kind, "author": author, "at": at}
        row |= {"updated_at": at, "text": text, "before": before, "hidden": False}
        key = self.connection.execute(insert(discussion_events), row).inserted_primary_key
        return _events(self.connection, discussion_events.c.id == (key[0] if key else 0))[0]

    def change_status(self, author: str, old: DiscussionStatus, new: DiscussionStatus, **values: str) -> Event:
        there = and_(_own(self.repo_id, self.number), discussions.c.status == old)
        changed = update(discussions).where(there).values(status=new, **values)
        if self.connection.execute(changed).rowcount == 0:
            raise StaleError(self.number)
        return self.say("status-change", author, new)


def _comment(connection: Connection, named: ColumnElement[bool]) -> Event:
    found = _events(connection, and_(named, discussion_events.c.kind == "comment"))
    if not found:
        raise StaleError("comment")
    return found[0]


def _events(connection: Connection, condition: ColumnElement[bool]) -> list[Event]:
    earlier: dict[int, list[Version]] = {}
    versions = select(comment_versions).join(discussion_events).where(condition)
    for row in connection.execute(versions.order_by(comment_versions.c.event_id, comment_versions.c.position)):
        earlier.setdefault(row.event_id, []).append(Version(row.text, row.at))
    rows = connection.execute(select(discussion_events).where(condition).order_by(discussion_events.c.id))
    return [_event(row, tuple(earlier.get(row.id, ()))) for row in rows]


def _event(row: Row[Any], earlier: tuple[Version, ...]) -> Event:
    return Event(
        id=f"{row.id:0{_ID_DIGITS}x}",
        kind=row.kind,
        author=row.author,
        at=row.at,
        text=row.text,
        updated_at=row.updated_at,
        before=row.before,
        hidden=row.hidden,
        earlier=earlier,
    )


def _discussion(row: Row[Any]) -> Discussion:
    proposal = None
    if row.base is not None:
        proposal = Proposal(base=row.base, start=row.start, head=row.head or "", merge_commit=row.merge_commit or "")
    return Discussion(
        number=row.number,
        title=row.title,
        status=row.status,
        author=row.author,
        created_at=row.created_at,
        proposal=proposal,
    )
