"""Who am I, and what do I have."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from tars_hub.server.errors import UnauthorizedError
from tars_hub.server.routes.about import PAGES, About, Token
from tars_hub.server.routes.people import object_id, storage_of
from tars_hub.server.routes.web import Ask, route
from tars_hub.server.wire.times import stamp


def routes() -> list[BaseRoute]:
    return [
        route("/api/whoami-v2", "GET", _whoami, by_cookie=True, about=_WHOAMI),
        route("/api/settings/repositories", "GET", _own_repositories, about=_OWN),
        route("/api/agent-harnesses", "GET", _no_harnesses, by_token=False, about=_HARNESSES),
        route("/api/telemetry/{topic:rest}", "GET", _no_telemetry, by_token=False, about=_TELEMETRY),
    ]


_WHOAMI = About(
    says="Say who a token belongs to",
    token=Token.MUST,
    gives="The user's name, their organisations with their role in each, and the token's own role",
)
_OWN = About(
    says="List your own models and what each keeps",
    token=Token.MUST,
    query=PAGES,
    gives="A list: each model's id, visibility and bytes, and its share of them all",
)
_HARNESSES = About(
    says="Say which programs a client is to name in its user agent: none", token=Token.NONE, gives="Empty lists"
)
_TELEMETRY = About(
    says="Take what clients tell of themselves, and throw it away", token=Token.NONE, gives="Nothing", status=204
)


def _whoami(ask: Ask) -> Response:
    token = ask.caller.token
    if token is None:
        raise UnauthorizedError("Invalid username or password.")
    user = token.user
    access = {"displayName": token.label, "role": token.role, "createdAt": stamp(token.created_at)}
    facts: dict[str, Any] = {
        "type": "user",
        "id": object_id(user.id),
        "name": user.name,
        "fullname": user.name,
        "isPro": False,
        "canPay": False,
        "orgs": _organisations(ask),
        "auth": {"type": "access_token", "accessToken": access},
    }
    return JSONResponse(facts)


def _organisations(ask: Ask) -> list[dict[str, Any]]:
    found = [(ask.hub.catalog.accounts.user(name), role) for name, role in sorted(ask.caller.roles.items())]
    return [
        {"type": "org", "name": each.name, "fullname": each.name, "roleInOrg": role, "isEnterprise": False}
        for each, role in found
        if each is not None
    ]


def _own_repositories(ask: Ask) -> Response:
    """What `hf repos ls` shows."""
    if ask.caller.user is None:
        raise UnauthorizedError("log in to see your repositories")
    return storage_of(ask, ask.caller.name)


def _no_telemetry(_: Ask) -> Response:
    """Clients tell which functions are used; nobody here wants to know."""
    return Response(status_code=204)


def _no_harnesses(_: Ask) -> Response:
    """The client asks once a day which programs of others it should name in its user agent: none."""
    return JSONResponse({"standardEnvVars": [], "harnesses": {}})
