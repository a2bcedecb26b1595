"""The members of an organisation, for those who say who is one."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from tars_hub.server.errors import HubError
from tars_hub.server.pages.forms import Form, form_route, go, log_in_first
from tars_hub.server.pages.look import page
from tars_hub.server.records import MemberRole
from tars_hub.server.routes.web import Ask, route
from tars_hub.server.rules import membership

_PAGE = "/settings/members/{organisation}"
_ROLES: dict[str, MemberRole | None] = {"read": "read", "write": "write", "admin": "admin", "none": None}


def routes() -> list[BaseRoute]:
    return [route(_PAGE, "GET", _show, by_cookie=True), form_route(_PAGE, _set)]


def _show(ask: Ask) -> Response:
    if ask.caller.token is None:
        return log_in_first(ask)
    return _list(ask)


def _list(ask: Ask, *, error: str = "", status: int = 200) -> Response:
    organisation = membership.administered(ask.hub, ask.caller, ask.part("organisation"))
    return page(
        ask,
        "members.html",
        status=status,
        organisation=organisation.name,
        members=ask.hub.catalog.accounts.members(organisation.id),
        roles=[role for role in _ROLES if role != "none"],
        error=error,
    )


def _set(ask: Ask, form: Form) -> Response:
    name = membership.administered(ask.hub, ask.caller, ask.part("organisation")).name
    try:
        role = form.choice("role", _ROLES)
        membership.set_member(ask.hub, ask.caller, name, form.text("user"), role)
    except HubError as error:
        return _list(ask, error=str(error), status=error.status)
    if role != "admin" and form.text("user").lower() == ask.caller.name.lower():
        return go(f"/{name}")  # this page is no longer for them
    return go(f"/settings/members/{name}")
