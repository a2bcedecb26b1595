"""Likes, and access to gated repositories: asked for, granted, refused."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from tars_hub.server.errors import HubError, NotFoundError
from tars_hub.server.records import Access, AccessRequest
from tars_hub.server.routes.about import PAGES, About, Token
from tars_hub.server.routes.people import object_id, person
from tars_hub.server.routes.repos import MODEL
from tars_hub.server.routes.web import Ask, paged, route, text_of
from tars_hub.server.rules import audience
from tars_hub.server.rules.access import Action, find_repo
from tars_hub.server.wire.times import stamp

_REQUESTS = f"{MODEL}/user-access-request"
_STATUSES: dict[str, Access] = {"pending": "pending", "accepted": "accepted", "rejected": "rejected"}


def routes() -> list[BaseRoute]:
    return [
        route(f"{MODEL}/like", "POST", _like, about=_LIKE),
        route(f"{MODEL}/like", "DELETE", _unlike, about=_UNLIKE),
        route(f"{MODEL}/likers", "GET", _likers, about=_LIKERS),
        route("/api/users/{user}/likes", "GET", _likes, about=_LIKES),
        route(f"{MODEL}/ask-access", "POST", _ask_access, about=_ASK),
        route(f"{_REQUESTS}/{{status}}", "GET", _requests, about=_LIST),
        route(f"{_REQUESTS}/handle", "POST", _handle, about=_HANDLE),
        route(f"{_REQUESTS}/grant", "POST", _grant, about=_GRANT),
    ]


_LIKE = About(says="Like a model", token=Token.MUST, gives="How many like it")
_UNLIKE = About(says="Like a model no more", token=Token.MUST, gives="How many like it")
_LIKERS = About(says="List who likes a model", query=PAGES, gives="A list of users")
_LIKES = About(says="List the models that a user likes", query=PAGES, gives="A list of names")
_ASK = About(
    says="Ask for the files of a gated model", token=Token.MUST, gives="What became of it: accepted, or pending"
)
_LIST = About(
    says="List who asked for a gated model's files",
    more="For those who may change its settings.",
    token=Token.MUST,
    query=PAGES,
    gives="A list: user, time and status of each",
)
_HANDLE = About(
    says="Decide on a request for a gated model's files",
    token=Token.MUST,
    fields={
        "status": "accepted, rejected or pending",
        "user?": "whose request it is; or requestId",
        "requestId?": "the request's id, as the list has it",
    },
    gives="The status",
)
_GRANT = About(
    says="Let somebody to a gated model's files, asked or not",
    token=Token.MUST,
    fields={"user": "their name"},
    gives="The status",
)


def _like(ask: Ask) -> Response:
    return JSONResponse({"likes": audience.like(ask.hub, ask.caller, ask.repo_name, True).likes})


def _unlike(ask: Ask) -> Response:
    return JSONResponse({"likes": audience.like(ask.hub, ask.caller, ask.repo_name, False).likes})


def _likers(ask: Ask) -> Response:
    offset, limit = ask.rows(most=audience.PAGE)
    found = audience.likers(ask.hub, ask.caller, ask.repo_name, offset=offset, limit=limit + 1)
    return paged(ask, [person(user) for user in found], offset, limit)


def _likes(ask: Ask) -> Response:
    offset, limit = ask.rows(most=audience.PAGE)
    found = audience.liked_by(ask.hub, ask.caller, ask.part("user"), offset=offset, limit=limit + 1)
    return paged(ask, [{"repo": {"name": repo.full_name, "type": "model"}} for repo in found], offset, limit)


def _ask_access(ask: Ask) -> Response:
    return JSONResponse({"status": audience.ask_access(ask.hub, ask.caller, ask.repo_name)})


def _requests(ask: Ask) -> Response:
    offset, limit = ask.rows(most=audience.PAGE)
    wanted = [_status(ask.part("status"))]
    found = audience.access_requests(ask.hub, ask.caller, ask.repo_name, wanted, offset=offset, limit=limit + 1)
    return paged(ask, [_request(each) for each in found], offset, limit)


def _request(found: AccessRequest) -> dict[str, Any]:
    facts = {"requestId": object_id(found.user.id), "status": found.status, "timestamp": stamp(found.at)}
    return {"user": person(found.user), **facts}


def _handle(ask: Ask) -> Response:
    wanted = ask.json()
    if wanted.get("rejectionReason"):
        raise HubError("this hub keeps no reasons; reject the request without one")
    status = _status(text_of(wanted, "status"))
    audience.decide_access(ask.hub, ask.caller, ask.repo_name, _user_meant(ask, wanted), status)
    return JSONResponse({"status": status})


def _user_meant(ask: Ask, wanted: dict[str, Any]) -> str:
    """The name of the user whose request it is, named so or by the request's id."""
    find_repo(ask.hub, ask.caller, ask.repo_name, Action.ADMINISTER)  # before anything is told of anybody
    if "requestId" not in wanted:
        return text_of(wanted, "user")
    text = text_of(wanted, "requestId")
    try:
        user = ask.hub.catalog.accounts.user_by_id(int(text, 16)) if len(text) == 24 else None
    except (ValueError, OverflowError):
        user = None
    if user is None:
        raise NotFoundError(f"there is no request {text[:40]!r}")
    return user.name


def _grant(ask: Ask) -> Response:
    audience.grant_access(ask.hub, ask.caller, ask.repo_name, text_of(ask.json(), "user"))
    return JSONResponse({"status": "accepted"})


def _status(text: str) -> Access:
    if text not in _STATUSES:
        raise HubError(f"a request is {', '.join(_STATUSES)}, not {text[:40]!r}")
    return _STATUSES[text]
