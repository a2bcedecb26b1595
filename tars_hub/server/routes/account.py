"""Who am I, and what do I have."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from tars_hub.server.errors import RevisionNotFoundError, UnauthorizedError
from tars_hub.server.hub import Hub
from tars_hub.server.records import MAIN, Repo, Search
from tars_hub.server.routes.web import Ask, route
from tars_hub.server.rules import revisions
from tars_hub.server.wire.times import stamp

_MOST = 1000


def routes() -> list[BaseRoute]:
    return [
        route("/api/whoami-v2", "GET", _whoami),
        route("/api/settings/repositories", "GET", _own_repositories),
        route("/api/agent-harnesses", "GET", _no_harnesses, by_token=False),
        route("/api/telemetry/{topic:rest}", "GET", _no_telemetry, by_token=False),
    ]


def _whoami(ask: Ask) -> Response:
    token = ask.caller.token
    if token is None:
        raise UnauthorizedError("Invalid username or password.")
    user = token.user
    access = {"displayName": token.label, "role": token.role, "createdAt": stamp(token.created_at)}
    facts: dict[str, Any] = {
        "type": "user",
        "id": f"{user.id:024x}",
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
    name = ask.caller.name
    found = ask.hub.catalog.repositories.search(Search(namespaces=(name,), author=name, limit=_MOST))
    used = [_used_bytes(ask.hub, repo) for repo in found]
    total = sum(used) or 1
    return JSONResponse(
        [
            {
                "id": repo.full_name,
                "type": "model",
                "updatedAt": stamp(repo.updated_at),
                "visibility": "private" if repo.private else "public",
                "storage": size,
                "storagePercent": 100 * size / total,
            }
            for repo, size in zip(found, used, strict=True)
        ]
    )


def _used_bytes(hub: Hub, repo: Repo) -> int:
    """What the main branch of a repository takes up; nothing where it was removed meanwhile."""
    try:
        return revisions.used_bytes(revisions.entries(hub, revisions.commit_at(hub, repo, MAIN)))
    except RevisionNotFoundError:
        return 0


def _no_telemetry(_: Ask) -> Response:
    """Clients tell which functions are used; nobody here wants to know."""
    return Response(status_code=204)


def _no_harnesses(_: Ask) -> Response:
    """The client asks once a day which programs of others it should name in its user agent: none."""
    return JSONResponse({"standardEnvVars": [], "harnesses": {}})
