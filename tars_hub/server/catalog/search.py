"""A search for repositories as one SQL question."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select

from tars_hub.server.catalog.schema import repositories, repository_tags
from tars_hub.server.records import Search

_COLUMNS = {
    "created_at": repositories.c.created_at,
    "updated_at": repositories.c.updated_at,
    "name": repositories.c.lower_name,
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


def _conditions(search: Search) -> Iterator[ColumnElement[bool]]:
    repo = repositories.c
    seen = [namespace.lower() for namespace in search.namespaces]
    yield or_(repo.private.is_(False), repo.lower_namespace.in_(seen))
    if search.text:
        yield repo.lower_name.contains(search.text.lower(), autoescape=True)
    if search.author:
        yield repo.lower_namespace == search.author.lower()
    if search.tags:
        yield repo.id.in_(_tagged(set(search.tags)))
    if search.pipeline_tag:
        yield repo.pipeline_tag == search.pipeline_tag
    if search.gated is not None:
        yield repo.gated != "" if search.gated else repo.gated == ""
    least, most = search.parameters
    if least is not None:  # NULL is neither more nor less than anything
        yield repo.parameters >= least
    if most is not None:
        yield repo.parameters <= most


def _tagged(tags: set[str]) -> Select[Any]:
    """Ids of repositories that have all of these tags."""
    column = repository_tags.c
    some = select(column.repository_id).where(column.tag.in_(sorted(tags)))
    return some.group_by(column.repository_id).having(func.count() == len(tags))
