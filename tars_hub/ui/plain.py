"""The page's own routes, in plain HTTP: a picture's bytes in, its answer out. Nothing of them touches the disk."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from functools import partial
from math import isfinite
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from tars_hub.errors import DownloadError, ModelError, PictureError, TarsError
from tars_hub.exhibits import Exhibit
from tars_hub.quiet import cv2
from tars_hub.samples import Pixels
from tars_hub.ui.answer import is_unsure
from tars_hub.ui.bodies import Bodies, RefusedError, too_much
from tars_hub.ui.desk import FAILED, MAX_SHOWN, Desk, answer_about, answer_of, prepared
from tars_hub.ui.inputs import Upload
from tars_hub.ui.picker import offered

if TYPE_CHECKING:
    from tars_hub.ui.mcp import ModelContext

_AT_ONCE = 32  # two batches: one in the network, one behind it
_PLACES = 128  # for pictures that are being answered or wait for it
_OPENINGS = 64  # models that are being asked for: the hub says who may, and some are loaded first
_LOADING_S = 30.0
_RETRY_S, _RETRY_LOADING_S = 2, 5
_THUMBNAIL_PX = 96
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_NO_SCRIPTS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}

_log = logging.getLogger(__name__)

_T = TypeVar("_T")
# From a way to the model, which raises where it is not to be had, and a picture to the answer.
_Work: TypeAlias = Callable[[Desk, Callable[[], Exhibit], Upload, Request], Response]


def _classify(_: Desk, find: Callable[[], Exhibit], upload: Upload, __: Request) -> Response:
    """As Gradio's endpoint of this name."""
    answer, _facts = answer_of(find(), upload, MAX_SHOWN)
    return _json([{"label": label, "score": _finite(score)} for label, score in answer.top])


def _card(desk: Desk, find: Callable[[], Exhibit], upload: Upload, request: Request) -> Response:
    text = desk.card_of(find, upload, _count(request.query_params.get("shown", "")))
    headers = {**_HEADERS, **_NO_SCRIPTS}
    return Response(text.encode(errors="replace"), headers=headers, media_type="text/html; charset=utf-8")


def _row(_: Desk, find: Callable[[], Exhibit], upload: Upload, __: Request) -> Response:
    exhibit = find()
    pixels, prepare_ms = prepared(exhibit, upload)
    answer, facts = answer_about(exhibit, pixels, prepare_ms, 2)
    second = answer.top[1] if len(answer.top) > 1 else (None, None)
    return _json(
        {
            "label": answer.label,
            "score": _finite(answer.probability),
            "second": second[0],
            "second_score": _finite(second[1]),
            "declined": answer.declined,
            "unsure": is_unsure(answer, exhibit.predictor.calibration.threshold),
            "thumbnail": _thumbnail(pixels),
            "prepare_ms": facts.prepare_ms,
            "model_ms": facts.model_ms,
            "model": exhibit.name,
            "commit": exhibit.commit,
        }
    )


_WORKS: Mapping[str, _Work] = {"/classify": _classify, "/card": _card, "/row": _row}
# What is only asked for: from a request to what JSON can say. Runs in a thread, and raises TarsErrors.
_LOOKS: Mapping[str, Callable[[Desk, Request], Any]] = {"/models": offered}
# Where language models ask; below /gradio_api clients of Gradio's pages, a Space's visitors among them, look for it.
_MCP = ("/mcp", "/mcp/", "/gradio_api/mcp", "/gradio_api/mcp/")


class Plain:
    """Answers the requests of these routes, once the mount has let them in. Belongs to one event loop."""

    def __init__(self, desk: Desk, *, mcp: bool = False) -> None:
        """
        Args:
            mcp: language models are answered, too.
        """
        self._desk = desk
        self._mcp = self._model_context() if mcp else None
        self._bodies = Bodies()
        self._working = asyncio.Semaphore(_AT_ONCE)
        self._threads, self._openers = CapacityLimiter(_AT_ONCE), CapacityLimiter(_OPENINGS)
        self._openings = BoundedSemaphore(_OPENINGS)
        self._taken = 0

    def has(self, inner: str) -> bool:
        """Whether a path, relative to the mount's, is one of these routes."""
        return inner in _WORKS or inner in _LOOKS or (self._mcp is not None and inner in _MCP)

    def living(self) -> AbstractAsyncContextManager[None]:
        """Requests are answered while the block runs, once, on their event loop."""
        return self._mcp.living() if self._mcp else nullcontext()

    async def __call__(self, inner: str, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._response(inner, request)
        except ClientDisconnect:
            response = Response(status_code=499)  # nobody reads it
        except RefusedError as refused:
            response = _refusal(refused.status, str(refused), refused.headers)
        except TarsError as error:
            response = _failure(error)
        except Exception:
            _log.exception("no answer at %s", inner)
            response = _refusal(500, FAILED)
        await response(scope, receive, send)

    async def refuse(self, status: int, sentence: str, send: Send) -> None:
        """Say no to a request that the mount does not let in."""
        await _refusal(status, sentence)({"type": "http"}, _nothing, send)

    async def _response(self, inner: str, request: Request) -> Response:
        if inner in _LOOKS:
            _check_method(request, "GET")
            return _json(await self._in_thread(partial(_LOOKS[inner], self._desk, request)))
        _check_method(request, "POST")
        if request.headers.get("content-type", "").startswith("multipart/"):
            raise RefusedError(415, "This is a form; send the picture's bytes alone, as curl does with --data-binary.")
        async with self._bodies.read(request) as body:
            with self._place():
                if self._mcp is not None and inner in _MCP:
                    return await self._mcp(request, body)
                work, upload = _WORKS[inner], Upload(body, "picture")
                return await self._done(request, lambda find: work(self._desk, find, upload, request))

    async def _done(self, request: Request, act: Callable[[Callable[[], Exhibit]], _T]) -> _T:
        find = await self._opened(request)
        async with self._working:
            if await request.is_disconnected():
                raise ClientDisconnect
            return await self._in_thread(partial(act, find))

    async def _opened(self, request: Request) -> Callable[[], Exhibit]:
        """What gives the model that is meant, or raises why there is none; whoever would wait for long is sent away."""
        with anyio.move_on_after(_LOADING_S):
            return await to_thread.run_sync(self._open, request, abandon_on_cancel=True, limiter=self._openers)
        raise too_much("The model is still being opened; try again soon.", retry_s=_RETRY_LOADING_S)

    def _open(self, request: Request) -> Callable[[], Exhibit]:
        # Counted here: a thread that nobody waits for any more still takes a place.
        if not self._openings.acquire(blocking=False):
            raise _busy()
        try:
            exhibit = self._desk.exhibit(request, request.query_params.get("key"))
        except TarsError as error:
            return partial(_raise, error)
        finally:
            self._openings.release()
        return lambda: exhibit

    def _model_context(self) -> ModelContext:
        from tars_hub.ui.mcp import ModelContext  # imports a package that only this needs, for a second

        return ModelContext(self._done)

    async def _in_thread(self, act: Callable[[], _T]) -> _T:
        return await to_thread.run_sync(act, abandon_on_cancel=True, limiter=self._threads)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._taken >= _PLACES:
            raise _busy()
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


def _refusal(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
    return _json({"error": sentence}, status, headers)


def _failure(error: TarsError) -> Response:
    if isinstance(error, PictureError):
        return _refusal(422, error.reason)
    if isinstance(error, DownloadError):
        return _refusal(503, str(error), {"Retry-After": str(_RETRY_S)})
    return _refusal(404 if isinstance(error, ModelError) else 500, str(error))


def _busy() -> RefusedError:
    return too_much("Many pictures are being answered just now; try again soon.", retry_s=_RETRY_S)


def _check_method(request: Request, method: str) -> None:
    if request.method != method:
        raise RefusedError(405, f"Only {method} is answered here.", {"Allow": method})


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


def _raise(error: TarsError) -> Exhibit:
    raise error


def _json(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:  # noqa: ANN401  # any
    # In ASCII: a class may be called by half a letter, which UTF-8 cannot say.
    text = json.dumps(data, allow_nan=False)
    return Response(text, status, {**_HEADERS, **(headers or {})}, media_type="application/json")


def _finite(value: float | None) -> float | None:
    """A network may answer with what is no number, which JSON cannot say."""
    return value if value is not None and isfinite(value) else None


def _count(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _thumbnail(pixels: Pixels) -> str:
    """(S, S, 3) uint8 RGB as a data URL."""
    side = min(_THUMBNAIL_PX, len(pixels))
    small = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
    jpeg = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1].tobytes()
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
