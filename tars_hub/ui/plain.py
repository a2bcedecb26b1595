"""The page's own routes, in plain HTTP: a picture's bytes in, its answer out. Nothing of them touches the disk."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from tars_hub.admission import Admission
from tars_hub.bodies import RefusedError, of_another_site
from tars_hub.exhibits import Exhibit
from tars_hub.quiet import cv2
from tars_hub.responses import HEADERS, finite, json_response, refusal, response_of
from tars_hub.samples import Pixels
from tars_hub.ui.answer import is_unsure
from tars_hub.ui.desk import MAX_SHOWN, Desk, answer_about, answer_of, prepared
from tars_hub.ui.inputs import Upload
from tars_hub.ui.picker import offered

if TYPE_CHECKING:
    from tars_hub.ui.mcp import ModelContext

_THUMBNAIL_PX = 96
_NO_SCRIPTS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}

_T = TypeVar("_T")
# From a way to the model, which raises where it is not to be had, and a picture to the answer.
_Work: TypeAlias = Callable[[Desk, Callable[[], Exhibit], Upload, Request], Response]


def _classify(_: Desk, find: Callable[[], Exhibit], upload: Upload, __: Request) -> Response:
    """As Gradio's endpoint of this name."""
    answer, _facts = answer_of(find(), upload, MAX_SHOWN)
    return json_response([{"label": label, "score": finite(score)} for label, score in answer.top])


def _card(desk: Desk, find: Callable[[], Exhibit], upload: Upload, request: Request) -> Response:
    text = desk.card_of(find, upload, _count(request.query_params.get("shown", "")))
    headers = {**HEADERS, **_NO_SCRIPTS}
    return Response(text.encode(errors="replace"), headers=headers, media_type="text/html; charset=utf-8")


def _row(_: Desk, find: Callable[[], Exhibit], upload: Upload, __: Request) -> Response:
    exhibit = find()
    pixels, prepare_ms = prepared(exhibit, upload)
    answer, facts = answer_about(exhibit, pixels, prepare_ms, 2)
    second = answer.top[1] if len(answer.top) > 1 else (None, None)
    return json_response(
        {
            "label": answer.label,
            "score": finite(answer.probability),
            "second": second[0],
            "second_score": finite(second[1]),
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

    def __init__(self, desk: Desk, *, mcp: bool = False, admission: Admission | None = None) -> None:
        """
        Args:
            mcp: language models are answered, too.
            admission: shared with whoever else answers about pictures here.
        """
        self._desk = desk
        self._mcp = self._model_context() if mcp else None
        self._admission = admission or Admission()

    def has(self, inner: str) -> bool:
        """Whether a path, relative to the mount's, is one of these routes."""
        return inner in _WORKS or inner in _LOOKS or (self._mcp is not None and inner in _MCP)

    def living(self) -> AbstractAsyncContextManager[None]:
        """Requests are answered while the block runs, once, on their event loop."""
        return self._mcp.living() if self._mcp else nullcontext()

    async def __call__(self, inner: str, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await response_of(self._response(inner, request), inner)
        await response(scope, receive, send)

    async def refuse(self, status: int, sentence: str, send: Send) -> None:
        """Say no to a request that the mount does not let in."""
        await refusal(status, sentence)({"type": "http"}, _nothing, send)

    async def _response(self, inner: str, request: Request) -> Response:
        if inner in _LOOKS:
            _check_method(request, "GET")
            if foreign := of_another_site(dict(request.headers.raw)):
                raise RefusedError(*foreign)
            return json_response(await self._admission.in_thread(partial(_LOOKS[inner], self._desk, request)))
        _check_method(request, "POST")
        if request.headers.get("content-type", "").startswith("multipart/"):
            raise RefusedError(415, "This is a form; send the picture's bytes alone, as curl does with --data-binary.")
        async with self._admission.body(request) as body:
            if self._mcp is not None and inner in _MCP:
                return await self._mcp(request, body)
            work, upload = _WORKS[inner], Upload(body, "picture")
            return await self._done(request, lambda find: work(self._desk, find, upload, request))

    async def _done(self, request: Request, act: Callable[[Callable[[], Exhibit]], _T]) -> _T:
        key = request.query_params.get("key")
        at_hand = self._desk.at_hand(request, key)
        return await self._admission.done(request, partial(self._desk.exhibit, request, key), act, at_hand)

    def _model_context(self) -> ModelContext:
        from tars_hub.ui.mcp import ModelContext  # imports a package that only this needs, for a second

        return ModelContext(self._done)


def _check_method(request: Request, method: str) -> None:
    if request.method != method:
        raise RefusedError(405, f"Only {method} is answered here.", {"Allow": method})


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


def _count(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _thumbnail(pixels: Pixels) -> str:
    """(S, S, 3) uint8 RGB as a data URL."""
    side = min(_THUMBNAIL_PX, len(pixels))
    small = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
    jpeg = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1].tobytes()
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
