"""What a list of models is asked for, from the address and back to one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from tars_hub.server.errors import HubError
from tars_hub.server.records import Search, Sort
from tars_hub.server.wire.reading import read_number

PAGE = 30
_LONGEST = 200  # letters of what is searched for; no full name or tag has as many
_MOST_TAGS = 8
_LAST_PAGE = 1_000_000

SORTS: Mapping[str, tuple[str, Sort, bool]] = {
    "updated": ("Recently updated", "updated_at", False),
    "name": ("Name", "name", True),
    "downloads": ("Most downloads", "downloads", False),
    "likes": ("Most likes", "likes", False),
}
CLASSES: Mapping[str, tuple[str, tuple[int | None, int | None]]] = {
    "2": ("2", (2, 2)),
    "3-10": ("3–10", (3, 10)),
    "11-100": ("11–100", (11, 100)),
    "101-1000": ("101–1,000", (101, 1000)),
    "1001-": ("more than 1,000", (1001, None)),
}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A list, as its address asks for it.

    Attributes:
        owner: a namespace; empty for all.
        classes: a key of CLASSES, or empty.
        page: from 1.
    """

    search: str = ""
    sort: str = "updated"
    backbone: str = ""
    classes: str = ""
    tags: tuple[str, ...] = ()
    owner: str = ""
    page: int = 1

    @property
    def narrowed(self) -> bool:
        """Whether it asks for less than all."""
        return bool(self.search or self.backbone or self.classes or self.tags or self.owner)

    def query(self, *, without: str = "") -> list[tuple[str, str]]:
        """Names and values of the address, without what goes without saying and without one name."""
        pairs = [
            ("search", self.search),
            ("sort", "" if self.sort == "updated" else self.sort),
            ("backbone", self.backbone),
            ("classes", self.classes),
            *(("tag", tag) for tag in self.tags),
            ("owner", self.owner),
            ("page", "" if self.page == 1 else str(self.page)),
        ]
        return [(name, value) for name, value in pairs if value and name != without]

    def href(self, **changes: str | int | tuple[str, ...]) -> str:
        """The address of this list with a few values changed; it begins at its first page unless that is one."""
        changed: Wanted = replace(self, **{"page": 1, **changes})  # type: ignore[arg-type]  # names are checked by it
        return f"?{urlencode(changed.query())}"

    def narrow(self, base: Search) -> Search:
        """The search, one longer than a page, so that it is seen whether there are more."""
        _, column, ascending = SORTS[self.sort]
        return replace(
            base,
            text=self.search,
            author=self.owner,
            tags=self.tags,
            backbone=self.backbone,
            classes=CLASSES[self.classes][1] if self.classes else (None, None),
            sort=column,
            ascending=ascending,
            offset=(self.page - 1) * PAGE,
            limit=PAGE + 1,
        )


def wanted_of(params: QueryParams) -> Wanted:
    """Read an address. Raises HubError where a value is none of those that there are."""
    return Wanted(
        search=params.get("search", "").strip()[:_LONGEST],
        sort=_one_of("sort", params.get("sort") or "updated", SORTS),
        backbone=params.get("backbone", "")[:_LONGEST],
        classes=_one_of("classes", params.get("classes", ""), {"", *CLASSES}),
        tags=tuple(dict.fromkeys(tag[:_LONGEST] for tag in params.getlist("tag") if tag))[:_MOST_TAGS],
        owner=params.get("owner", "").strip()[:_LONGEST],
        page=_page(params.get("page") or "1"),
    )


def _one_of(name: str, value: str, known: Mapping[str, object] | set[str]) -> str:
    if value not in known:
        raise HubError(f"{name}={value[:40]!r} is not known; {', '.join(sorted(filter(None, known)))} are")
    return value


def _page(text: str) -> int:
    number = read_number(text, digits=12)
    if number is None or not 1 <= number <= _LAST_PAGE:
        raise HubError(f"page={text[:40]!r} is no page; they are numbered from 1")
    return number
