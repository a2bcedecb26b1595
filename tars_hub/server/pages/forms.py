"""Forms that browsers send: read within bounds, and believed only when a page of this hub sent them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar
from urllib.parse import parse_qsl, quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tars_hub.server.errors import HubError
from tars_hub.server.pages import csrf
from tars_hub.server.routes.web import Ask, ask_of, read_body

_FORM_BYTES = 64 << 10
_MOST_FIELDS = 200
_TYPE = "application/x-www-form-urlencoded"
_LOCAL = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,2000}")  # no backslash: browsers read it as a slash

Meaning = TypeVar("Meaning")


@dataclass(frozen=True)
class Form:
    """What was filled in, by the fields' names; all of it is whatever somebody sent."""

    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """The last value of a field, without space around it; empty where there is none."""
        return self.fields.get(name, ("",))[-1].strip()

    def choice(self, name: str, among: Mapping[str, Meaning]) -> Meaning:
        """What a value stands for. Raises HubError for any other value."""
        found = self.text(name)
        if found not in among:
            raise HubError(f"{name} is one of {', '.join(map(repr, among))}, not {found[:40]!r}")
        return among[found]


FormHandler: TypeAlias = Callable[[Ask, Form], Response]


class FormRoute(Route):
    """An address that takes a form; nothing but `form_route` and its like make one."""


def form_route(path: str, handler: FormHandler) -> Route:
    """An address for forms of a session: its handler is called only for one that this session's own page sent."""

    async def endpoint(ask: Ask) -> Response:
        csrf.require_session(ask)  # before anything of the body is read
        form = await read_form(ask)
        csrf.check_token(ask, form.text(csrf.FIELD))
        return await run_in_threadpool(handler, ask, form)

    return sent_from_here(path, endpoint)


def sent_from_here(path: str, handler: Callable[[Ask], Awaitable[Response]]) -> Route:
    """An address for what a page of this hub sends; the handler reads the body, and must check the form's token."""

    async def endpoint(request: Request) -> Response:
        ask = await run_in_threadpool(ask_of, request, by_token=False, by_cookie=True)
        csrf.check_origin(ask)
        return await handler(ask)

    return FormRoute(path, endpoint, methods=["POST"])


async def read_form(ask: Ask) -> Form:
    """The body of a small form. Raises HubError, TooLargeError."""
    if ask.request.headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
        raise HubError(f"a form comes as {_TYPE}")
    body = await read_body(ask.request, _FORM_BYTES)
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS, separator="&"
        )
    except ValueError:  # also: no ASCII, no UTF-8
        raise HubError(f"this form cannot be read; it may have {_MOST_FIELDS} fields, in UTF-8") from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return Form(fields)


def go(path: str) -> Response:
    """Send the browser on with a GET, so that loading again sends no form twice."""
    return Response(status_code=303, headers={"Location": path, "Cache-Control": "no-store"})


def local_path(text: str) -> str:
    """An address of this hub, as it was given; its front page in the place of any other, or of none."""
    return text if _LOCAL.fullmatch(text) else "/"


def log_in_first(ask: Ask) -> Response:
    """To the login form, and from there back to where one wanted to go."""
    return go(login_address(ask.request))


def login_address(request: Request) -> str:
    """Where to log in and come back from; back only to what can be looked at again."""
    if request.method != "GET":
        return "/login"
    query = request.scope.get("query_string", b"").decode("latin-1")
    came = request.scope["path"]  # still quoted
    return f"/login?next={quote(f'{came}?{query}' if query else came, safe='')}"
