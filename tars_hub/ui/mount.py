"""The page as an app of a server, alone or below a path of another: what Gradio's `launch` does besides listening."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, MutableMapping
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from pathlib import Path
from shutil import disk_usage
from typing import TYPE_CHECKING, Any

from tars_hub.bodies import MAX_BYTES, RETRY_S, RefusedError, of_another_length, of_another_site
from tars_hub.listening import called, is_called
from tars_hub.ui.intake import Intake

if TYPE_CHECKING:
    import gradio as gr
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from tars_hub.admission import Admission
    from tars_hub.exhibits import Models
    from tars_hub.ui.plain import Plain

_MISLED = (
    "This page listens on its own machine alone, and is not called {!r}; "
    "started with --host 0.0.0.0 it answers to others, by any name.\n"
)
_NOT_YET = b"The page is being prepared; it will be here in a moment.\n"
# What the page asks for. The rest of Gradio's routes, which fetch addresses for a visitor, edit its own source or
# serve what this page has none of, are closed.
_PAGE = ("/", "/config", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt")
_FOLDERS = ("/assets/", "/static/", "/svelte/")
_API = (
    *("info", "openapi.json", "theme.css", "upload", "upload_progress", "queue/join", "queue/data", "cancel", "reset"),
    *("app_id", "user", "login_check", "heartbeat/", "call/"),
)
_QUESTIONS = ("/gradio_api/queue/join", "/gradio_api/call/")
_FULL = b'{"detail": "Too many questions are waiting just now; ask again in a moment."}'
_FILE, _UPLOAD = "/gradio_api/file=", "/gradio_api/upload"
_FILE_BYTES = 80 << 20  # of a form with one picture
_QUESTION_BYTES = 4 << 20  # drawings come within it; so many of them wait at once as the queue has places
_SPARE_BYTES = 512 << 20  # of the disk: visitors' pictures, kept for an hour, must not fill it
# Visitors' files come from the hub's own address, where its cookies are: none may act as a page of it.
_FILE_HEADERS = [(b"content-security-policy", b"sandbox; default-src 'none'"), (b"x-content-type-options", b"nosniff")]
# They tell a page where its server is, by what its request says of that: another's must not be kept for it.
_NAMING = ("/", "/config")
_OWN_HEADERS = [(b"cache-control", b"no-store")]


class PageMount:
    """An ASGI app for a path of a server; it says "in a moment" until it has a page to show.

    Requests come with their whole path, that of the mount included.
    """

    def __init__(self, path: str, *, names: Collection[str] | None = None) -> None:
        """
        Args:
            path: where the server mounts it, such as "/demo"; empty where it is all there is.
            names: that requests may call this machine by, as `is_called` takes them; None for any.
        """
        self.path = path
        self._names = names
        self._plain: Plain | None = None
        self._app: ASGIApp | None = None
        self._intake: Intake | None = None
        self._uploads = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # Gradio's beginning and end are `showing`'s, and it has no web sockets
        inner, headers = scope["path"].removeprefix(self.path), _headers(scope)
        host = headers.get(b"host", b"").decode("latin-1")
        if self._names is not None and not is_called(host, self._names):
            await _answer(send, 421, _MISLED.format(called(host)[:100]).encode())
        elif self._app is None:
            again = str(RETRY_S).encode()  # browsers ask again by themselves for the second header alone
            await _answer(send, 503, _NOT_YET, (b"retry-after", again), (b"refresh", again))
        elif not inner:
            await _answer(send, 307, b"", (b"location", f"{self.path}/".encode()))
        elif self._plain is not None and self._plain.has(inner):
            refusal = self._refusal(inner, headers) if scope["method"] == "POST" else None
            await (self._plain.refuse(*refusal, send) if refusal else self._plain(inner, scope, receive, send))
        elif not _is_open(inner):
            await _answer(send, 404, b"There is nothing here.\n")
        elif scope["method"] == "POST" and (refusal := self._refusal(inner, headers)):
            await _answer(send, refusal[0], f"{refusal[1]}\n".encode())
        elif scope["method"] == "POST" and self._intake is not None:
            await self._take(self._intake, inner, _own(scope), receive, _sent(inner, send))
        else:
            await self._app(_own(scope), receive, _sent(inner, send))

    async def _take(self, intake: Intake, inner: str, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await (intake.upload if inner.startswith(_UPLOAD) else intake.question)(scope, receive, send)
        except RefusedError as refused:
            headers = [(name.lower().encode(), value.encode()) for name, value in refused.headers.items()]
            await _answer(send, refused.status, f"{refused}\n".encode(), *headers)

    def _refusal(self, inner: str, headers: Mapping[bytes, bytes]) -> tuple[int, str] | None:
        """Why what a visitor sends is not taken, as a status and a sentence: Gradio would take any number of bytes."""
        if refusal := of_another_site(headers):
            return refusal
        is_file = inner.startswith(_UPLOAD)
        is_plain = self._plain is not None and self._plain.has(inner)
        most = MAX_BYTES if is_plain else _FILE_BYTES if is_file else _QUESTION_BYTES
        if refusal := of_another_length(headers, most):
            return refusal
        if is_file and disk_usage(self._uploads).free < _SPARE_BYTES:
            return 507, "There is no room for pictures just now."
        return None

    @contextmanager
    def showing(
        self,
        build: Callable[[], gr.Blocks],
        loop: asyncio.AbstractEventLoop,
        *,
        models: Models | None = None,
        mcp: bool = False,
        admission: Admission | None = None,
    ) -> Iterator[None]:
        """Show a page while the `with` block runs, which stands within a `page_environment`.

        Args:
            build, models, mcp: as `page_server` takes them.
            loop: the server's, which runs in another thread.
            admission: as `Plain` takes it.
        """
        page = build()
        app, gradio_app = _mounted(page, self.path)
        begun: Future[None] = Future()
        end = asyncio.Event()
        plain = _plain(models, mcp, admission)
        life = asyncio.run_coroutine_threadsafe(_live(app, plain, begun, end), loop)
        begun.result()
        self._uploads = gradio_app.uploaded_file_dir
        self._plain = plain
        self._intake = Intake(app, Path(self._uploads))
        self._app = app
        try:
            yield
        finally:
            self._app = self._intake = None
            page.close(verbose=False)
            loop.call_soon_threadsafe(gradio_app.stop_event.set)  # for heartbeats, which else never end
            loop.call_soon_threadsafe(end.set)
            life.result()


def _plain(models: Models | None, mcp: bool, admission: Admission | None) -> Plain | None:
    if models is None:
        return None
    from tars_hub.ui.desk import Desk  # imports gradio, whose settings stand by now
    from tars_hub.ui.plain import Plain

    return Plain(Desk(models), mcp=mcp, admission=admission)


def _own(scope: Scope) -> Scope:
    """The request as Gradio gets it: without the site it comes from.

    Gradio would let the pages of many another site read what is answered here with the visitor's own cookie.
    And a server that a caller names would be where the page sends its questions.
    """
    headers = [(name, value) for name, value in scope["headers"] if name not in (b"origin", b"x-gradio-server")]
    return {**scope, "root_path": "", "headers": headers}


def _is_open(inner: str) -> bool:
    if inner.startswith(_FILE):
        return not inner.removeprefix(_FILE).lstrip("/").lower().startswith(("http:", "https:"))
    prefix, _, asked = inner.partition("/gradio_api/")
    if prefix or not asked:
        return inner in _PAGE or inner.startswith(_FOLDERS)
    return any(asked.rstrip("/") == name or (name.endswith("/") and asked.startswith(name)) for name in _API)


def _headers(scope: Scope) -> Mapping[bytes, bytes]:
    return {name.lower(): value for name, value in scope["headers"]}


def _mounted(page: gr.Blocks, path: str) -> tuple[Any, Any]:
    """An app that has Gradio's below the path and nothing else, and Gradio's."""
    import gradio as gr
    from fastapi import FastAPI
    from starlette.routing import Mount

    from tars_hub.ui.look import page_settings

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    gr.mount_gradio_app(app, page, path=path, **page_settings())
    # Gradio looks whether the files that a caller names were uploaded, but only where the page was launched:
    # without this a caller may name any file that this process can read.
    page.has_launched = True
    return app, next(route.app for route in app.routes if isinstance(route, Mount))


async def _live(
    app: Any,  # noqa: ANN401  # FastAPI's
    plain: Plain | None,
    begun: Future[None],
    end: asyncio.Event,
) -> None:
    """Between the two, Gradio's queue runs, old uploads are swept, and language models are answered."""
    try:
        async with app.router.lifespan_context(app), plain.living() if plain else nullcontext():
            begun.set_result(None)
            await end.wait()
    except Exception as error:
        if begun.done():
            raise
        begun.set_exception(error)


def _sent(inner: str, send: Send) -> Send:
    """How Gradio's answer goes out."""
    if inner.startswith(_FILE):
        return _with(send, _FILE_HEADERS)
    if inner in _NAMING:
        return _with(send, _OWN_HEADERS)
    return _calm(send) if inner.startswith(_QUESTIONS) else send


def _calm(send: Send) -> Send:
    """Of a queue that is full, Gradio tells its size twice."""
    is_full = False

    async def send_calmly(message: Message) -> None:
        nonlocal is_full
        if message["type"] == "http.response.start" and message["status"] == 503:
            is_full = True
            retry = (b"retry-after", str(RETRY_S).encode())
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(_FULL)).encode()), retry]
            message = {**message, "headers": headers}
        elif is_full:
            message = {**message, "body": b"" if message.get("more_body") else _FULL}
        await send(message)

    return send_calmly


def _with(send: Send, more: list[tuple[bytes, bytes]]) -> Send:
    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *more]}
        await send(message)

    return send_with


async def _answer(send: Send, status: int, text: bytes, *headers: tuple[bytes, bytes]) -> None:
    start: MutableMapping[str, Any] = {
        "type": "http.response.start",
        "status": status,
        "headers": [(b"content-type", b"text/plain; charset=utf-8"), *headers],
    }
    await send(start)
    await send({"type": "http.response.body", "body": text})
