"""What visitors do to somebody's repository: like it, and ask to be let to its files."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from tars_hub.server.pages.forms import Form, form_route, go
from tars_hub.server.routes.web import Ask
from tars_hub.server.rules import audience
from tars_hub.server.rules.access import find_repo


def routes() -> list[BaseRoute]:
    return [
        form_route("/{namespace}/{name}/like", _like),
        form_route("/{namespace}/{name}/ask-access", _ask_access),
    ]


def _like(ask: Ask, _: Form) -> Response:
    """Like it, or no longer: the other of what is now."""
    repo = find_repo(ask.hub, ask.caller, ask.repo_name)
    liked = audience.likes(ask.hub, ask.caller, repo)
    audience.like(ask.hub, ask.caller, repo.full_name, not liked)
    return go(f"/{repo.full_name}")


def _ask_access(ask: Ask, _: Form) -> Response:
    repo = find_repo(ask.hub, ask.caller, ask.repo_name)
    audience.ask_access(ask.hub, ask.caller, repo.full_name)
    return go(f"/{repo.full_name}")
