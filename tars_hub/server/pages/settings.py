"""A repository's settings in the browser: who may see it, what it is called, who is let to its files, its end."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response
from starlette.routing import BaseRoute

from tars_hub.server.errors import HubError
from tars_hub.server.pages.forms import Form, form_route, go
from tars_hub.server.pages.look import page
from tars_hub.server.pages.new import VISIBILITIES, namespaces
from tars_hub.server.records import Access, Gated, Repo
from tars_hub.server.routes.web import Ask, route
from tars_hub.server.rules import audience, repositories
from tars_hub.server.rules.access import Action, find_repo

_PAGE = "/{namespace}/{name}/settings"
_GATES: dict[str, Gated] = {"off": "", "auto": "auto", "manual": "manual"}
_ANSWERS: dict[str, Access] = {"accept": "accepted", "reject": "rejected"}
_REQUESTS_SHOWN = 100


def routes() -> list[BaseRoute]:
    return [
        route(_PAGE, "GET", _show, by_cookie=True),
        _change(f"{_PAGE}/visibility", _set_visibility),
        _change(f"{_PAGE}/move", _move),
        _change(f"{_PAGE}/access", _decide),
        _change(f"{_PAGE}/delete", _delete),
    ]


def _change(path: str, change: Callable[[Ask, Repo, Form], str]) -> BaseRoute:
    """An address for one of the forms; `change` gives where to go then, and what it refuses stands on the page."""

    def handler(ask: Ask, form: Form) -> Response:
        repo = find_repo(ask.hub, ask.caller, ask.repo_name, Action.ADMINISTER)
        try:
            return go(change(ask, repo, form))
        except HubError as error:
            # It may have been moved or removed just now.
            repo = find_repo(ask.hub, ask.caller, ask.repo_name, Action.ADMINISTER)
            return _page(ask, repo, error=str(error), status=error.status)

    return form_route(path, handler)


def _show(ask: Ask) -> Response:
    return _page(ask, find_repo(ask.hub, ask.caller, ask.repo_name, Action.ADMINISTER))


def _page(ask: Ask, repo: Repo, *, error: str = "", status: int = 200) -> Response:
    return page(
        ask,
        "settings.html",
        status=status,
        repo=repo,
        revision="main",
        commit=None,
        tab="Settings",
        namespaces=namespaces(ask),
        waiting=_requests(ask, repo, "pending"),
        let_in=_requests(ask, repo, "accepted"),
        shown=_REQUESTS_SHOWN,
        error=error,
    )


def _requests(ask: Ask, repo: Repo, status: Access) -> list[str]:
    """Names of those whose requests stand so; the page shows the first of them."""
    if not repo.gated:
        return []
    found = audience.access_requests(ask.hub, ask.caller, repo.full_name, [status], limit=_REQUESTS_SHOWN)
    return [each.user.name for each in found]


def _set_visibility(ask: Ask, repo: Repo, form: Form) -> str:
    private, gated = form.choice("visibility", VISIBILITIES), form.choice("gated", _GATES)
    repositories.change_settings(ask.hub, ask.caller, repo.full_name, private=private, gated=gated)
    return f"/{repo.full_name}/settings"


def _move(ask: Ask, repo: Repo, form: Form) -> str:
    target = f"{form.text('namespace')}/{form.text('name')}"
    moved = repositories.move(ask.hub, ask.caller, source=repo.full_name, target=target)
    return f"/{moved.full_name}/settings"


def _decide(ask: Ask, repo: Repo, form: Form) -> str:
    status = form.choice("answer", _ANSWERS)
    audience.decide_access(ask.hub, ask.caller, repo.full_name, form.text("user"), status)
    return f"/{repo.full_name}/settings"


def _delete(ask: Ask, repo: Repo, form: Form) -> str:
    if form.text("confirm") != repo.full_name:
        raise HubError(f"type {repo.full_name} to delete it; {form.text('confirm')[:100]!r} is another text")
    repositories.remove(ask.hub, ask.caller, repo.full_name)
    return f"/{repo.namespace}"
