"""One look for all pages: templates, the frame around them, and what browsers are told to allow."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from tars_hub.server.pages import wording
from tars_hub.server.pages.csrf import csrf_of
from tars_hub.server.pages.header import header_of
from tars_hub.server.pages.static import address
from tars_hub.server.routes.web import Ask

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",  # what one caller may see is not for the next one at this browser
}


def page(ask: Ask, template: str, *, status: int = 200, **values: Any) -> Response:  # noqa: ANN401  # the template's
    """A page from a template, all of whose values are escaped.

    Every template gets `ask`, `caller` and `csrf` besides; one with `repo`, `revision` and `tab` gets `header`.
    """
    values |= {"ask": ask, "caller": ask.caller, "csrf": csrf_of(ask)}
    if "repo" in values and "tab" in values:
        values["header"] = header_of(ask, values["repo"], values["revision"], values["tab"])
    text = _environment().get_template(template).render(values)
    # Halves of letters, which JSON can hold, are no UTF-8.
    return HTMLResponse(text.encode(errors="replace"), status, HEADERS)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("tars_hub.server.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["static"] = address
    made.filters |= wording.FILTERS
    return made
