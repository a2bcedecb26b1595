"""Downloads by Xet: where in which xorbs the bytes of a file lie, and links to fetch exactly those.

https://huggingface.co/docs/xet/download-protocol
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tars_hub.server.errors import ForbiddenError, NotFoundError, RangeError
from tars_hub.server.hub import Hub
from tars_hub.server.records import Recipe, Term
from tars_hub.server.rules.contents import chunk_table, recipe_of
from tars_hub.server.rules.runs import Run, merged
from tars_hub.server.rules.xet import Session
from tars_hub.server.xet.chunks import ChunkTable

_LINK = "xorb bytes"


@dataclass(frozen=True)
class Fetch:
    """Chunks `start` up to and without `end` of a xorb, its bytes `first` to `last`, both included."""

    xorb: str
    start: int
    end: int
    first: int
    last: int


@dataclass(frozen=True)
class Plan:
    """How to get a range of a file.

    Attributes:
        offset: bytes of the first term that come before the range.
        terms: in the order of the file, cut to the chunks that the range touches.
        fetches: what must be fetched for them, each byte once, in order of xorbs and chunks.
    """

    offset: int
    terms: tuple[Term, ...]
    fetches: tuple[Fetch, ...]


def plan(hub: Hub, session: Session, xet: str, start: int = 0, end: int | None = None) -> Plan:
    """How to get the bytes of a file from `start` up to and without `end`.

    Raises:
        NotFoundError: no commit of the session's repository names this file.
        RangeError: the range begins behind its end.
    """
    recipe = _recipe(hub, session, xet)
    end = recipe.size if end is None else min(end, recipe.size)
    if start >= recipe.size and recipe.size:
        raise RangeError(recipe.size)
    tables: dict[str, ChunkTable] = {}
    offset, terms = _cut(hub, recipe, start, end, tables)
    return Plan(offset, tuple(terms), tuple(_fetches(terms, tables)))


def size_of(hub: Hub, session: Session, xet: str) -> int:
    """The size of a file in bytes. Raises NotFoundError as `plan` does."""
    return _recipe(hub, session, xet).size


def _recipe(hub: Hub, session: Session, xet: str) -> Recipe:
    recipe = recipe_of(hub, xet)
    if not hub.catalog.contents.linked(session.repo.id, [recipe.sha256]).get(recipe.sha256):
        raise NotFoundError(f"the hub has no recipe for {xet}")
    return recipe


def _cut(hub: Hub, recipe: Recipe, start: int, end: int, tables: dict[str, ChunkTable]) -> tuple[int, list[Term]]:
    offset, terms, begins = 0, list[Term](), 0
    for term in recipe.terms:
        ends = begins + term.unpacked_size
        if begins < end and start < ends:
            table = _table(hub, tables, term.xorb)
            first, skip = table.chunk_at(max(start - begins, 0), term.start)
            last, _ = table.chunk_at(min(end, ends) - begins - 1, term.start)
            offset = offset if terms else skip
            size = table.unpacked_length(first, last + 1)
            terms.append(Term(xorb=term.xorb, start=first, end=last + 1, unpacked_size=size))
        begins = ends
    return offset, terms


def _table(hub: Hub, tables: dict[str, ChunkTable], xorb: str) -> ChunkTable:
    if xorb not in tables:
        tables[xorb] = chunk_table(hub, xorb)
    return tables[xorb]


def _fetches(terms: Iterable[Term], tables: dict[str, ChunkTable]) -> list[Fetch]:
    found = []
    for xorb, start, end in merged(Run(term.xorb, term.start, term.end) for term in terms):
        first, after = tables[xorb].packed_range(start, end)
        found.append(Fetch(xorb, start, end, first, after - 1))
    return found


def fetch_ticket(hub: Hub, fetch: Fetch) -> str:
    """What a link must carry to open these bytes and no others: the rest of a xorb may be somebody else's."""
    return hub.signer.sign(_LINK, [fetch.xorb, fetch.first, fetch.last])


@dataclass(frozen=True)
class Opened:
    """What a ticket opens: bytes `first` to `last` of a xorb, both included."""

    xorb: str
    first: int
    last: int


def read_ticket(hub: Hub, ticket: str) -> Opened:
    """Raises ForbiddenError for one that is not ours, or too old."""
    return Opened(*hub.signer.read(_LINK, ticket, max_age_s=hub.settings.link_s))


def check_fetch(opened: Opened, xorb: str, first: int, last: int) -> None:
    """Raises ForbiddenError unless these bytes are among those that a ticket opens."""
    if opened.xorb != xorb or not opened.first <= first <= last <= opened.last:
        raise ForbiddenError(f"this link opens bytes {opened.first} to {opened.last} of {opened.xorb} alone")
