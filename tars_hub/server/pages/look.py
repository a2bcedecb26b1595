"""One look for all pages: templates, the frame around them, and what browsers are told to allow."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

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
    """A page from a template, all of whose values are escaped; `ask` and `caller` it gets besides."""
    text = _environment().get_template(template).render(ask=ask, caller=ask.caller, **values)
    return HTMLResponse(text, status, HEADERS)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("tars_hub.server.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
