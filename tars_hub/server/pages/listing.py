"""The lists: all models at `/`, and those of one owner at `/{namespace}`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from starlette.responses import Response
from starlette.routing import BaseRoute

from tars_hub.server.errors import NotFoundError
from tars_hub.server.pages.filters import CLASSES, PAGE, SORTS, Wanted, wanted_of
from tars_hub.server.pages.lines import line_of
from tars_hub.server.pages.look import page
from tars_hub.server.records import Facets, Member, User
from tars_hub.server.routes.web import Ask, route
from tars_hub.server.rules.access import visible

_FACETS = 20
_MEMBERS = 200


def routes() -> list[BaseRoute]:
    """`/{namespace}` takes every address of one part that nobody took before it."""
    return [
        route("/", "GET", _all, by_cookie=True),
        route("/{namespace}", "GET", _owners, by_cookie=True),
    ]


@dataclass(frozen=True)
class Choice:
    """A way to narrow a list, or to widen it again where it is chosen already; `count` is None where not counted."""

    word: str
    href: str
    count: int | None = None
    chosen: bool = False


def _all(ask: Ask) -> Response:
    wanted = wanted_of(ask.request.query_params)
    base = visible(ask.caller)
    repositories = ask.hub.catalog.repositories
    found = repositories.search(wanted.narrow(base))
    facets = repositories.facets(wanted.narrow(base), most=_FACETS)
    empty = not found and not wanted.narrowed
    return page(
        ask,
        "list.html",
        wanted=wanted,
        sorts=[(key, said) for key, (said, _, _) in SORTS.items()],
        lines=[line_of(repo) for repo in found[:PAGE]],
        more=len(found) > PAGE,
        count=facets.count,
        groups=_groups(wanted, facets),
        chosen=list(_chosen(wanted)),
        empty=empty,
    )


def _groups(wanted: Wanted, facets: Facets) -> list[tuple[str, list[Choice]]]:
    """What the list can be narrowed by, each kind with its name; kinds without a choice are left out."""
    classes = [Choice(said, wanted.href(classes=key)) for key, (said, _) in CLASSES.items()]
    found = [
        ("Backbone", [] if wanted.backbone else _choices(wanted, "backbone", facets.backbones)),
        ("Classes", [] if wanted.classes else classes),
        ("Owner", [] if wanted.owner else _choices(wanted, "owner", facets.owners)),
        ("Tag", list(_tags(wanted, facets))),
    ]
    return [(name, choices) for name, choices in found if choices]


def _choices(wanted: Wanted, name: str, counted: Iterable[tuple[str, int]]) -> list[Choice]:
    return [Choice(word, wanted.href(**{name: word}), count) for word, count in counted]


def _tags(wanted: Wanted, facets: Facets) -> Iterator[Choice]:
    said_already = {name for name, _ in facets.backbones}
    for tag, count in facets.tags:
        if tag not in wanted.tags and tag not in said_already:
            yield Choice(tag, wanted.href(tags=(*wanted.tags, tag)), count)


def _chosen(wanted: Wanted) -> Iterator[Choice]:
    """What the list is narrowed by, each with the address of the list without it."""
    if wanted.search:
        yield Choice(f"“{wanted.search}”", wanted.href(search=""))
    if wanted.backbone:
        yield Choice(wanted.backbone, wanted.href(backbone=""))
    if wanted.classes:
        yield Choice(f"{CLASSES[wanted.classes][0]} classes", wanted.href(classes=""))
    if wanted.owner:
        yield Choice(f"by {wanted.owner}", wanted.href(owner=""))
    for tag in wanted.tags:
        yield Choice(tag, wanted.href(tags=tuple(other for other in wanted.tags if other != tag)))


def _owners(ask: Ask) -> Response:
    name = ask.part("namespace")
    wanted = wanted_of(ask.request.query_params)
    user = ask.hub.catalog.accounts.user(name)
    search = replace(wanted, owner=name).narrow(visible(ask.caller))
    found = ask.hub.catalog.repositories.search(search)
    if user is None and not found:  # of somebody who was removed, models may have stayed
        raise NotFoundError(f"there is nothing at /{name[:100]}: no user or organisation of that name")
    return page(
        ask,
        "owner.html",
        name=user.name if user else found[0].namespace,
        user=user,
        members=_members(ask, user),
        wanted=replace(wanted, owner=""),
        sorts=[(key, said) for key, (said, _, _) in SORTS.items()],
        lines=[line_of(repo) for repo in found[:PAGE]],
        more=len(found) > PAGE,
    )


def _members(ask: Ask, user: User | None) -> list[Member]:
    return ask.hub.catalog.accounts.members(user.id)[:_MEMBERS] if user and user.organisation else []
