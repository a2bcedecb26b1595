"""Repositories: made, changed, moved, removed."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute

from tars_hub.server.errors import HubError
from tars_hub.server.records import Gated
from tars_hub.server.routes.about import TEXT, About, Token
from tars_hub.server.routes.web import Ask, route, text_of
from tars_hub.server.rules import repositories
from tars_hub.server.rules.access import Action, find_repo

MODEL = "/api/models/{namespace}/{name}"


def routes() -> list[BaseRoute]:
    return [
        route("/api/repos/create", "POST", _create, about=_CREATE),
        route("/api/repos/delete", "DELETE", _delete, about=_DELETE),
        route("/api/repos/move", "POST", _move, about=_MOVE),
        route(f"{MODEL}/settings", "PUT", _settings, about=_SETTINGS),
        route(f"{MODEL}/auth-check", "GET", _may_read, by_cookie=True, about=_MAY_READ),
        route(f"{MODEL}/auth-check/write", "GET", _may_write, about=_MAY_WRITE),
    ]


_CREATE = About(
    says="Make a model's repository",
    token=Token.MUST,
    fields={
        "name": "the model's name, or owner/name",
        "organization?": "the owner, where that is not you",
        "visibility?": "private, as it is without a word, or public",
        "private?": "the same as true or false",
        "type?": "model, which is all that is kept here",
    },
    gives="Its address, name and id",
    refuses={409: "It is there already; the answer has its address", 422: "The name cannot be one"},
)
_DELETE = About(
    says="Remove a model with all its history",
    token=Token.MUST,
    fields={"name": "the model's name, or owner/name", "organization?": "the owner", "type?": "model"},
    kind=TEXT,
)
_MOVE = About(
    says="Give a model another name or owner",
    more="The old name leads to it until another model takes that.",
    token=Token.MUST,
    fields={"fromRepo": "owner/name as it is", "toRepo": "owner/name as it is to be", "type?": "model"},
    gives="Its new address",
    refuses={409: "The new name is taken", 422: "The new name cannot be one"},
)
_SETTINGS = About(
    says="Change who may see a model, or have its files",
    token=Token.MUST,
    fields={
        "visibility?": "private or public",
        "private?": "the same as true or false",
        "gated?": "auto: whoever asks gets its files; manual: the owner decides; false: all who may see it",
    },
    gives="What holds now: private, gated",
)
_MAY_READ = About(
    says="Say whether you may download a model's files",
    kind=TEXT,
    refuses={403: "It is gated, and you were not let in"},
)
_MAY_WRITE = About(says="Say whether you may commit to a model", token=Token.MUST, kind=TEXT)


def refuse_other_types(kind: object) -> None:
    """Raises HubError for anything but a model."""
    if kind not in (None, "", "model"):
        raise HubError(f"this hub keeps models only; a {str(kind)[:40]} has no place here")


def _create(ask: Ask) -> Response:
    wanted = ask.json()
    refuse_other_types(wanted.get("type"))
    namespace, name = text_of(wanted, "organization", ""), text_of(wanted, "name")
    if "/" in name and not namespace:
        namespace, _, name = name.partition("/")
    try:
        repo = repositories.create(
            ask.hub, ask.caller, namespace=namespace, name=name, private=_wants_private(wanted) is not False
        )
    except repositories.RepoExistsError as error:
        url = f"{ask.base}/{error.repo.full_name}"
        # The client that said `exist_ok` goes on with this address.
        return JSONResponse({"error": str(error), "url": url}, 409, {"X-Error-Message": str(error)})
    return JSONResponse({"url": f"{ask.base}/{repo.full_name}", "name": repo.full_name, "id": f"{repo.id:024x}"})


def _wants_private(wanted: dict[str, Any]) -> bool | None:
    """None where nothing is said: repositories are private unless somebody asks for more."""
    visibility, private = wanted.get("visibility"), wanted.get("private")
    if visibility not in (None, "public", "private"):
        raise HubError(f"'visibility' is public or private, not {str(visibility)[:40]!r}")
    if private is not None and not isinstance(private, bool):
        raise HubError("'private' is true or false")
    return visibility == "private" if visibility is not None else private


def _delete(ask: Ask) -> Response:
    wanted = ask.json()
    refuse_other_types(wanted.get("type"))
    namespace, name = text_of(wanted, "organization", ""), text_of(wanted, "name")
    full_name = name if "/" in name else f"{namespace or ask.caller.name}/{name}"
    repositories.remove(ask.hub, ask.caller, full_name)
    return PlainTextResponse("OK")


def _move(ask: Ask) -> Response:
    wanted = ask.json()
    refuse_other_types(wanted.get("type"))
    repo = repositories.move(ask.hub, ask.caller, source=text_of(wanted, "fromRepo"), target=text_of(wanted, "toRepo"))
    return JSONResponse({"url": f"{ask.base}/{repo.full_name}"})


_GATED: dict[object, Gated] = {False: "", "auto": "auto", "manual": "manual"}


def _settings(ask: Ask) -> Response:
    wanted = ask.json()
    gated: Gated | None = None
    if wanted.get("gated") is not None:
        if not isinstance(wanted["gated"], (bool, str)) or wanted["gated"] not in _GATED:
            raise HubError('\'gated\' is false, "auto" or "manual"')
        gated = _GATED[wanted["gated"]]
    repo = repositories.change_settings(ask.hub, ask.caller, ask.repo_name, private=_wants_private(wanted), gated=gated)
    return JSONResponse({"private": repo.private, "gated": repo.gated or False})


def _may_read(ask: Ask) -> Response:
    find_repo(ask.hub, ask.caller, ask.repo_name, Action.DOWNLOAD)
    return PlainTextResponse("OK")


def _may_write(ask: Ask) -> Response:
    find_repo(ask.hub, ask.caller, ask.repo_name, Action.WRITE)
    return PlainTextResponse("OK")
