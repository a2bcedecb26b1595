"""Users and organisations, as others see them: nothing counts here that the caller may not read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from tars_hub.server.errors import ForbiddenError, UnauthorizedError
from tars_hub.server.records import Repo, Search, User
from tars_hub.server.routes.about import PAGES, About, Token
from tars_hub.server.routes.web import Ask, next_link, route
from tars_hub.server.rules.access import visible
from tars_hub.server.rules.accounts import find_organisation, find_person
from tars_hub.server.wire.times import stamp

_PAGE = 1000


def routes() -> list[BaseRoute]:
    return [
        route("/api/users/{user}/overview", "GET", _user, about=_USER),
        route("/api/organizations/{organisation}/overview", "GET", _organisation, about=_ORGANISATION),
        route("/api/organizations/{organisation}/members", "GET", _members, about=_MEMBERS),
        route("/api/organizations/{organisation}/settings/repositories", "GET", _repositories, about=_REPOSITORIES),
    ]


_USER = About(says="Describe a user", gives="Their name, their organisations, and how many models they own and like")
_ORGANISATION = About(says="Describe an organisation", gives="Its name, and how many models and members it has")
_MEMBERS = About(says="List the members of an organisation", gives="A list of users")
_REPOSITORIES = About(
    says="List an organisation's models and what each keeps, for its members",
    token=Token.MUST,
    query=PAGES,
    gives="A list: each model's id, visibility and bytes, and its share of them all",
)


def object_id(number: int) -> str:
    """An id as clients know them: 24 hex digits."""
    return f"{number:024x}"


def person(user: User) -> dict[str, Any]:
    """What clients want to know of somebody; pictures of people there are none."""
    facts = {"user": user.name, "fullname": user.name, "avatarUrl": "", "type": "user", "isPro": False}
    return {"_id": object_id(user.id), **facts}


def _named(organisation: User) -> dict[str, Any]:
    facts = {"name": organisation.name, "fullname": organisation.name, "avatarUrl": "", "type": "org"}
    return {"_id": object_id(organisation.id), **facts}


def _user(ask: Ask) -> Response:
    user = find_person(ask.hub, ask.part("user"))
    owned, liked = replace(visible(ask.caller), author=user.name), replace(visible(ask.caller), liked_by=user.id)
    counts = {"numModels": _count(ask, owned), "numLikes": _count(ask, liked)}
    orgs = [_named(each) for each in ask.hub.catalog.accounts.organisations_of(user.id)]
    return JSONResponse({**person(user), "createdAt": stamp(user.created_at), **counts, "orgs": orgs})


def _organisation(ask: Ask) -> Response:
    found = find_organisation(ask.hub, ask.part("organisation"))
    counts = {
        "numModels": _count(ask, replace(visible(ask.caller), author=found.name)),
        "numUsers": len(ask.hub.catalog.accounts.members(found.id)),
    }
    return JSONResponse({**_named(found), "createdAt": stamp(found.created_at), **counts, "isVerified": False})


def _count(ask: Ask, search: Search) -> int:
    return ask.hub.catalog.repositories.facets(search, most=1).count


def _members(ask: Ask) -> Response:
    found = find_organisation(ask.hub, ask.part("organisation"))
    return JSONResponse([person(member.user) for member in ask.hub.catalog.accounts.members(found.id)])


def _repositories(ask: Ask) -> Response:
    found = find_organisation(ask.hub, ask.part("organisation"))
    if ask.caller.token is None:
        raise UnauthorizedError(f"log in to see what {found.name} keeps")
    if ask.caller.role_in(found.name) is None:
        raise ForbiddenError(f"{ask.caller.name} is no member of {found.name}")
    return storage_of(ask, found.name)


def storage_of(ask: Ask, namespace: str) -> Response:
    """What each repository of an owner keeps, and how much of all that is; for those that the caller may read.

    A content that two of them hold counts in both; the shares are those of this page.
    """
    offset, limit = ask.rows(most=_PAGE)
    search = replace(visible(ask.caller), author=namespace, offset=offset, limit=limit + 1)
    found = ask.hub.catalog.repositories.search(search)
    used = ask.hub.catalog.contents.used_by([repo.id for repo in found[:limit]])
    lines = [_storage(repo, used[repo.id], sum(used.values())) for repo in found[:limit]]
    return JSONResponse(lines, headers=next_link(ask, cursor=offset + limit) if len(found) > limit else {})


def _storage(repo: Repo, used_bytes: int, total_bytes: int) -> dict[str, Any]:
    return {
        "id": repo.full_name,
        "type": "model",
        "updatedAt": stamp(repo.updated_at),
        "visibility": "private" if repo.private else "public",
        "storage": used_bytes,
        "storagePercent": 100 * used_bytes / (total_bytes or 1),
    }
