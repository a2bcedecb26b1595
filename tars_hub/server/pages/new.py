"""Make a repository in the browser."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from tars_hub.server.errors import HubError
from tars_hub.server.pages.forms import Form, form_route, go, log_in_first
from tars_hub.server.pages.look import page
from tars_hub.server.routes.web import Ask, route
from tars_hub.server.rules import repositories
from tars_hub.server.rules.access import may_create

VISIBILITIES = {"private": True, "public": False}
"""What a form says, and whether that is private."""


def routes() -> list[BaseRoute]:
    return [route("/new", "GET", _show, by_cookie=True), form_route("/new", _make)]


def namespaces(ask: Ask) -> list[str]:
    """Where the caller may make repositories, as the names are written: their own first."""
    found = [ask.hub.catalog.accounts.user(name) for name in sorted(ask.caller.roles)]
    names = [ask.caller.name, *(each.name for each in found if each is not None)]
    return [name for name in names if may_create(ask.caller, name)]


def _show(ask: Ask) -> Response:
    if ask.caller.user is None:
        return log_in_first(ask)
    return _form(ask, Form())


def _form(ask: Ask, form: Form, *, error: str = "", status: int = 200) -> Response:
    return page(ask, "new.html", status=status, namespaces=namespaces(ask), form=form, error=error)


def _make(ask: Ask, form: Form) -> Response:
    try:
        made = repositories.create(
            ask.hub,
            ask.caller,
            namespace=form.text("namespace"),
            name=form.text("name"),
            private=form.choice("visibility", VISIBILITIES),
        )
    except HubError as error:
        return _form(ask, form, error=str(error), status=error.status)
    return go(f"/{made.full_name}")
