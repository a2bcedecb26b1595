"""A search for repositories as one SQL question."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from tars_hub.server.catalog.schema import repositories, repository_likes, repository_tags
from tars_hub.server.records import Facets, Search

_COLUMNS = {
    "created_at": repositories.c.created_at,
    "updated_at": repositories.c.updated_at,
    "name": repositories.c.lower_name,
    "downloads": repositories.c.downloads,
    "likes": repositories.c.likes,
}


def question(search: Search) -> Select[Any]:
    """Ask for the rows of the repositories that fit, in order; equals by id, in the same direction."""
    order = [_COLUMNS[search.sort], repositories.c.id]
    return (
        select(repositories)
        .where(*_conditions(search))
        .order_by(*(column.asc() if search.ascending else column.desc() for column in order))
        .offset(search.offset)
        .limit(search.limit)
    )


def facets(connection: Connection, search: Search, most: int) -> Facets:
    """Count what fits, and the names that some of it has in common."""
    found = select(repositories.c.id).where(*_conditions(search))
    tagged = repository_tags.c.repository_id.in_(found)

    def common(column: ColumnElement[str], *conditions: ColumnElement[bool]) -> tuple[tuple[str, int], ...]:
        named = select(column, func.count()).where(column != "", *conditions).group_by(column)
        rows = connection.execute(named.order_by(func.count().desc(), column).limit(most))
        return tuple((row[0], row[1]) for row in rows)

    within = repositories.c.id.in_(found)
    return Facets(
        count=connection.execute(select(func.count()).select_from(found.subquery())).scalar_one(),
        backbones=common(repositories.c.backbone, within),
        owners=common(repositories.c.namespace, within),
        tags=common(repository_tags.c.tag, tagged),
    )


def _conditions(search: Search) -> Iterator[ColumnElement[bool]]:
    repo = repositories.c
    yield or_(repo.private.is_(False), _own(search))
    if search.text:
        yield repo.lower_name.contains(search.text.lower(), autoescape=True)
    if search.author:
        yield repo.lower_namespace == search.author.lower()
    if search.tags:
        yield repo.id.in_(_tagged(set(search.tags)))
    if search.pipeline_tag:
        yield repo.pipeline_tag == search.pipeline_tag
    if search.backbone:
        yield repo.backbone == search.backbone
    if search.liked_by is not None:
        liked = select(repository_likes.c.repository_id).where(repository_likes.c.user_id == search.liked_by)
        yield repo.id.in_(liked)
    if search.gated is not None:
        yield repo.gated != "" if search.gated else repo.gated == ""
    if search.granted is not None:
        yield or_(repo.gated == "", _own(search), repo.id.in_(sorted(_within(search, search.granted))))
    yield from _bounded(repo.parameters, search.parameters)
    yield from _bounded(repo.classes, search.classes)


def _own(search: Search) -> ColumnElement[bool]:
    """Those of the caller's own namespaces and organisations, as far as their token goes."""
    among = repositories.c.lower_namespace.in_([namespace.lower() for namespace in search.namespaces])
    return among if search.within is None else and_(among, repositories.c.id.in_(sorted(search.within)))


def _within(search: Search, ids: frozenset[int]) -> frozenset[int]:
    return ids if search.within is None else ids & search.within


def _bounded(column: ColumnElement[int], bounds: tuple[int | None, int | None]) -> Iterator[ColumnElement[bool]]:
    least, most = bounds
    if least is not None:  # NULL is neither more nor less than anything
        yield column >= least
    if most is not None:
        yield column <= most


def _tagged(tags: set[str]) -> Select[Any]:
    """Ids of repositories that have all of these tags."""
    column = repository_tags.c
    some = select(column.repository_id).where(column.tag.in_(sorted(tags)))
    return some.group_by(column.repository_id).having(func.count() == len(tags))
