"""The hub as one ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tars_hub.server.additions import Addition
from tars_hub.server.called import check_called
from tars_hub.server.errors import HubError
from tars_hub.server.hub import Hub
from tars_hub.server.pages import errors
from tars_hub.server.routes.web import answer_error
from tars_hub.server.table import table
from tars_hub.server.xet.hashes import XetFormatError

_SHARDS_AT_ONCE = 2  # they are read and hashed whole; more at once would leave nothing for downloads


def create_app(
    hub: Hub,
    *,
    mounts: Sequence[tuple[str, ASGIApp]] = (),
    additions: Sequence[Addition] = (),
    names: Collection[str] | None = None,
) -> ASGIApp:
    """The hub's application.

    Args:
        mounts: other applications, each with the path below which it gets every request, untouched.
        additions: single addresses that others answer; they go before the hub's own.
        names: those that requests may call this machine by, besides localhost; None for any.
    """
    app = Starlette(
        routes=table(),
        exception_handlers={
            HubError: errors.answer,
            XetFormatError: _answer_bad_format,
            OSError: _answer_disk,
            ClientDisconnect: _answer_nobody,
            404: _answer_nothing,
            405: _answer_nothing,
        },
    )
    app.router.redirect_slashes = False  # to an address made of the Host header, whatever --public-url says
    app.state.hub = hub
    app.state.demo = mounts[0][0] if mounts else ""  # pages link to the first
    app.state.additions = tuple(additions)  # /openapi.json tells of them
    app.state.shards = asyncio.Semaphore(_SHARDS_AT_ONCE)
    return _Front(app, mounts, additions, names)


class _Front:
    """Splits mounts and additions off, and lets the hub route by paths as they were sent.

    A slash that is quoted belongs to a name (`refs%2Fpr%2F1`), so nothing is unquoted before the path is split.
    """

    def __init__(
        self,
        app: ASGIApp,
        mounts: Sequence[tuple[str, ASGIApp]],
        additions: Sequence[Addition],
        names: Collection[str] | None,
    ) -> None:
        self._app, self._mounts, self._names = app, mounts, names
        self._additions = [(each.pattern, each.app) for each in additions]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._names is not None:
            try:
                check_called(Headers(scope=scope).get("host", ""), self._names)
            except HubError as error:
                await answer_error(Request(scope), error)(scope, receive, send)
                return
        if scope["type"] == "http" or scope["type"] == "websocket":
            for path, mounted in self._mounts:
                if scope["path"] == path or scope["path"].startswith(f"{path}/"):
                    await mounted(scope, receive, send)
                    return
        if scope["type"] == "http":
            raw = scope.get("raw_path") or scope["path"].encode()
            path = raw.split(b"?")[0].decode("latin-1")
            for pattern, added in self._additions:
                if pattern.fullmatch(path):
                    await added(scope, receive, send)
                    return
            scope = {**scope, "path": path}
        await self._app(scope, receive, send)


async def _answer_bad_format(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 400)


async def _answer_disk(_: Request, error: Exception) -> Response:
    """Mostly a full disk. It is no fault of the client's, and trying again at once would not help."""
    reason = getattr(error, "strerror", None) or "the disk does not answer"
    return JSONResponse({"error": f"the hub cannot keep or read it: {reason}"}, 507)


async def _answer_nobody(_: Request, __: Exception) -> Response:
    """The client went away in the middle of a body; what had come of it is gone as well."""
    return Response(status_code=499)


def _answer_nothing(request: Request, _: Exception) -> Response:
    if errors.for_people(request):
        return errors.unknown(request)
    return JSONResponse({"error": f"nothing at {request.method} {request.scope['path'][:200]}"}, 404)
