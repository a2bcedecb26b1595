"""What every route stands on: a request with its caller, and errors that the client understands.

Rules and the catalogue wait for the disk, so they run in threads; the event loop only moves bytes.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import IO, Any, TypeAlias
from urllib.parse import quote, unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tars_hub.server.errors import BusyError, EntryNotFoundError, HubError, RangeError, TooLargeError, UnauthorizedError
from tars_hub.server.hub import Hub
from tars_hub.server.records import Caller
from tars_hub.server.routes.about import About
from tars_hub.server.rules.tokens import caller_of, caller_of_session
from tars_hub.server.wire.reading import read_json, read_number

_STRANGERS_BYTES = 64 << 10
_IN_MEMORY_BYTES = 1 << 20
_FAR = 1 << 40  # pages or rows; no list has as many, and databases can still count them
SESSION_COOKIE = "tars_session"
_HOST = re.compile(r"[A-Za-z0-9._-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")


@dataclass(frozen=True)
class Ask:
    """A request, read whole.

    Attributes:
        base: the hub's address as the caller knows it, without a slash at its end.
        session: the text of the browser's session that says who asks; empty where something else does.
    """

    hub: Hub
    request: Request
    caller: Caller
    base: str
    body: bytes = b""
    session: str = ""

    def part(self, name: str) -> str:
        """A part of the path, unquoted only now: a slash within a branch's name splits nothing."""
        return unquote(self.request.path_params[name])

    @property
    def repo_name(self) -> str:
        return f"{self.part('namespace')}/{self.part('name')}"

    @property
    def demo(self) -> str:
        """The path of the page that tries models, without a slash at its end; empty where there is none."""
        return str(self.request.app.state.demo)

    def flag(self, name: str) -> bool:
        return self.request.query_params.get(name, "").lower() in ("true", "1")

    def number(self, name: str, default: int, *, most: int) -> int:
        """A whole number of the query, from 0 to `most`."""
        text = self.request.query_params.get(name)
        if text is None:
            return default
        number = read_number(text, digits=18)
        if number is None:
            raise HubError(f"{name}={text[:40]!r} is no whole number")
        return min(number, most)

    @property
    def page(self) -> int:
        """Which page of a long list is asked for, from 0."""
        return self.number("p", 0, most=_FAR)

    def rows(self, *, most: int) -> tuple[int, int]:
        """After how many rows of a long list the answer is to begin, and how many of them it may have, one at least."""
        return self.number("cursor", 0, most=_FAR), max(self.number("limit", most, most=most), 1)

    def words(self, name: str) -> list[str]:
        """All values of a name of the query, given once each or with commas; `name[]` counts too."""
        params = self.request.query_params
        return [
            word for text in (*params.getlist(name), *params.getlist(f"{name}[]")) for word in text.split(",") if word
        ]

    def json(self) -> dict[str, Any]:
        """The body, which must be a JSON object."""
        try:
            found = read_json(self.body or b"{}")
        except (ValueError, RecursionError):
            raise HubError("the request's body is no JSON in UTF-8") from None
        if not isinstance(found, dict):
            raise HubError("the request's body must be a JSON object")
        return found


Handler: TypeAlias = Callable[[Ask], Response]
StreamHandler: TypeAlias = Callable[[Ask], Awaitable[Response]]


class ApiRoute(Route):
    """An address, and what is told of it.

    Attributes:
        method: the one that it was made for.
        about: what is told; None for a page, and where there is nothing to tell.
        module: the name of the module that answers.
        by_cookie: a browser's session says who asks, too.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[[Request], Awaitable[Response]],
        method: str,
        handler: Handler | StreamHandler,
        about: About | None,
        by_cookie: bool,
    ) -> None:
        super().__init__(path, endpoint, methods=[method])
        self.method, self.about, self.by_cookie = method, about, by_cookie
        self.module = handler.__module__


def route(
    path: str,
    method: str,
    handler: Handler,
    *,
    by_token: bool = True,
    by_cookie: bool = False,
    about: About | None = None,
) -> ApiRoute:
    """An address whose body is read whole before `handler` runs in a thread.

    Args:
        by_token: or whatever the request carries besides says who asks; its caller is nobody then.
        by_cookie: a browser's session says it too, where there is no token. Only for what changes nothing: a browser
            sends its cookie wherever another site lets it go.
        about: what is told of it; nothing of a page.

    Raises:
        ValueError: a cookie is to be enough for a change.
    """
    reads = method in ("GET", "HEAD")
    if by_cookie and not reads:
        raise ValueError(f"{method} {path}: a change wants more than a cookie")

    async def endpoint(request: Request) -> Response:
        ask = await run_in_threadpool(ask_of, request, by_token=by_token, by_cookie=by_cookie)
        if not reads:  # of whoever is not known yet, little is kept in memory
            limit = ask.hub.limits.json_bytes if ask.caller.token else _STRANGERS_BYTES
            ask = replace(ask, body=await read_body(request, limit))
        return await run_in_threadpool(handler, ask)

    return ApiRoute(path, endpoint, method, handler, about, by_cookie)


def streaming_route(
    path: str, method: str, handler: StreamHandler, *, by_token: bool = True, about: About | None = None
) -> ApiRoute:
    """An address that reads its own body as it comes."""

    async def endpoint(request: Request) -> Response:
        return await handler(await run_in_threadpool(ask_of, request, by_token=by_token, by_cookie=False))

    return ApiRoute(path, endpoint, method, handler, about, False)


def ask_of(request: Request, *, by_token: bool, by_cookie: bool) -> Ask:
    """Who asks, before anything of the body is read. Raises UnauthorizedError."""
    hub: Hub = request.app.state.hub
    base, token, session = base_url(hub, request), bearer(request), request.cookies.get(SESSION_COOKIE, "")
    if by_token and token is not None:
        return Ask(hub, request, caller_of(hub, token), base)
    if by_cookie and session:
        caller = caller_of_session(hub, session)
        return Ask(hub, request, caller, base, session=session if caller.token else "")
    return Ask(hub, request, Caller(), base)


def bearer(request: Request) -> str | None:
    """The token that a request carries, None without one."""
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    return text.strip() if kind.lower() == "bearer" else None


def base_url(hub: Hub, request: Request) -> str:
    """The address by which this caller knows the hub."""
    if hub.settings.public_url:
        return hub.settings.public_url
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        raise HubError("the request's Host header is no address")
    return f"{request.url.scheme}://{host}"


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body. Raises TooLargeError."""
    pieces, size = list[bytes](), 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit:
            raise TooLargeError(f"this request may have {limit:,} bytes")
        pieces.append(piece)
    return b"".join(pieces)


@asynccontextmanager
async def spooled_body(ask: Ask, limit: int) -> AsyncIterator[IO[bytes]]:
    """The whole body in a file that is gone afterwards, so that slow senders take no memory. Raises TooLargeError."""
    with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES, dir=str(ask.hub.settings.data)) as body:
        size = 0
        async for piece in ask.request.stream():
            size += len(piece)
            if size > limit:
                raise TooLargeError(f"this request may have {limit:,} bytes")
            await run_in_threadpool(body.write, piece)
        body.seek(0)
        yield body


def answer_error(_: Request, error: Exception) -> Response:
    """What the client turns into its own exceptions."""
    if not isinstance(error, HubError):
        raise error
    message = one_line(error)
    headers = {"X-Error-Message": message.encode("latin-1", "replace").decode("latin-1")}
    if error.code:
        headers["X-Error-Code"] = error.code
    if isinstance(error, EntryNotFoundError) and error.commit:
        headers["X-Repo-Commit"] = error.commit
    if isinstance(error, RangeError):
        headers["Content-Range"] = f"bytes */{error.size}"
    if isinstance(error, UnauthorizedError):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, BusyError):
        headers["Retry-After"] = "1"
    return JSONResponse({"error": message}, error.status, headers)


def one_line(error: Exception) -> str:
    """What an error says, on one line of letters that can be seen."""
    return " ".join("".join(char if char.isprintable() else " " for char in str(error)).split())


def next_link(ask: Ask, **changes: str | int) -> dict[str, str]:
    """The header that leads to the next page: this very request with a few values changed."""
    params = [(key, value) for key, value in ask.request.query_params.multi_items() if key not in changes]
    params += [(key, str(value)) for key, value in changes.items()]
    query = "&".join(f"{quote(key)}={quote(value)}" for key, value in params)
    path = ask.request.scope["path"]  # as it came, still quoted
    return {"Link": f'<{ask.base}{path}?{query}>; rel="next"'}


def paged(ask: Ask, found: Sequence[dict[str, Any]], offset: int, limit: int) -> Response:
    """A page of answers, of which one more was looked for to know whether there are others."""
    return JSONResponse(found[:limit], headers=next_link(ask, cursor=offset + limit) if len(found) > limit else {})


def text_of(found: dict[str, Any], key: str, default: str | None = None) -> str:
    """A text within a JSON object.

    Raises:
        HubError: it is missing and has no default, or it is no text.
    """
    value = found.get(key, default)
    if value is None and default is not None:
        value = default
    if not isinstance(value, str):
        raise HubError(f"{key!r} must be a text")
    return value


def objects_of(found: dict[str, Any], key: str, *, most: int) -> Sequence[dict[str, Any]]:
    """A list of JSON objects within another."""
    value = found.get(key)
    if not isinstance(value, list) or len(value) > most or not all(isinstance(each, dict) for each in value):
        raise HubError(f"{key!r} must be a list of up to {most} objects")
    return value
