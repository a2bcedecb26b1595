"""Take a file out of a branch in the browser, after a page that asks whether it is meant."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from tars_hub.server.errors import BranchMovedError
from tars_hub.server.pages.forms import Form, form_route, go
from tars_hub.server.pages.target import carry_out, order_of, target_of, target_page
from tars_hub.server.routes.web import Ask, route
from tars_hub.server.rules import revisions
from tars_hub.server.wire.commits import Gone

_PAGE = "/{namespace}/{name}/delete/{revision:revision}/{path:rest}"


def routes() -> list[BaseRoute]:
    return [route(_PAGE, "GET", _show, by_cookie=True), form_route(_PAGE, _remove)]


def _show(ask: Ask) -> Response:
    return _page(ask, Form())


def _page(ask: Ask, form: Form, *, error: str = "", status: int = 200) -> Response:
    target, path = target_of(ask), ask.part("path")
    file = revisions.file_at(ask.hub, target.commit, path)
    return target_page(ask, "delete.html", target, form, error=error, status=status, path=path, file=file)


def _remove(ask: Ask, form: Form) -> Response:
    target, path = target_of(ask), ask.part("path")
    try:
        order = order_of(form, [Gone(path)], summary=f"Delete {path}")
        revisions.file_at(ask.hub, target.commit, path)  # a folder is not deleted by a form that speaks of a file
        return go(carry_out(ask, target, form, order, folder=path.rpartition("/")[0]))
    except BranchMovedError as error:
        message = (
            "Somebody else changed this branch after you opened this page; nothing was deleted. Look, then decide."
        )
        return _page(ask, form, error=message, status=error.status)
