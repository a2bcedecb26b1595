"""Answers over plain HTTP beside a hub: a picture's bytes in, JSON out, for whoever may download the model.

Knows no page and no hub. No picture touches the disk, and those of one moment go through the network together.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tars_hub.admission import Admission
from tars_hub.bodies import RefusedError, of_another_length, of_another_site
from tars_hub.errors import ModelNotFoundError
from tars_hub.exhibits import Credentials, Exhibit, Models, Wanted
from tars_hub.http_described import MOST_CLASSES
from tars_hub.predict import DEFAULT_TOP_K, Prediction
from tars_hub.questions import prepared, token_in
from tars_hub.responses import finite, json_response, response_of

_PATH = re.compile(r"/api/models/([^/]+)/([^/]+)/predict")
_NO_FILES = ("multipart/", "application/json")


class Predicting:
    """The ASGI application for `http_described.PATH`. Belongs to one event loop.

    Only a token says who asks. The hub's cookie does not, as it changes nothing there either: a browser sends it
    with what any page makes it send, and the hub's own page has an address of its own to ask at.
    """

    def __init__(self, models: Models, *, admission: Admission | None = None) -> None:
        """
        Args:
            admission: shared with whoever else answers about pictures here.
        """
        self._models = models
        self._admission = admission or Admission()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        response = await response_of(self._response(Request(scope, receive)), "predict")
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        _check(request)
        top_k, as_list = _top_k(request), _is_list(request)
        asked = _wanted(request), Credentials(token=token_in(request.headers))
        async with self._admission.body(request) as body:
            at_hand = self._models.at_hand(*asked)
            find, act = partial(self._find, *asked), partial(_answer, body, top_k)
            exhibit, answer = await self._admission.done(request, find, act, at_hand)
        said = _said(answer)
        return json_response(said["top"] if as_list else {**said, "model": exhibit.name, "commit": exhibit.commit})

    def _find(self, wanted: Wanted, credentials: Credentials) -> Exhibit:
        try:
            return self._models.exhibit(wanted, credentials)
        except ModelNotFoundError:
            if credentials.token and not self._models.knows(credentials):
                raise RefusedError(401, "The hub does not know this token.", {"WWW-Authenticate": "Bearer"}) from None
            raise


def _answer(body: bytes, top_k: int, found: Callable[[], Exhibit]) -> tuple[Exhibit, Prediction]:
    exhibit = found()
    pixels, _ = prepared(exhibit, body, "picture")
    return exhibit, exhibit.batcher.answer(pixels, top_k)


def _said(answer: Prediction) -> dict[str, Any]:
    return {
        "label": answer.label,
        "probability": finite(answer.probability),
        "declined": answer.declined,
        "top": [{"label": label, "score": finite(score)} for label, score in answer.top],
    }


def _check(request: Request) -> None:
    """Raises RefusedError for what is not even read."""
    if request.method != "POST":
        raise RefusedError(405, "Only POST is answered here, with a picture's bytes.", {"Allow": "POST"})
    headers = dict(request.headers.raw)
    refusal = of_another_site(headers) or of_another_length(headers)
    if refusal:
        raise RefusedError(*refusal)
    if request.headers.get("content-type", "").lower().startswith(_NO_FILES):
        raise RefusedError(415, "Send the picture's bytes alone, as curl does with --data-binary; no form and no JSON.")


def _wanted(request: Request) -> Wanted:
    # As it was sent: a slash that is quoted belongs to a name, and makes it none.
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    found = _PATH.fullmatch(raw.split(b"?")[0].decode("latin-1"))
    if not found:
        raise RefusedError(404, "There is nothing here.")
    return Wanted(model="/".join(map(unquote, found.groups())), revision=request.query_params.get("revision", ""))


def _top_k(request: Request) -> int:
    text = request.query_params.get("top_k", str(DEFAULT_TOP_K))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= MOST_CLASSES):
        raise RefusedError(400, f"top_k={text[:40]!a} is no number of classes; 1 to {MOST_CLASSES} can be had.")
    return int(text)


def _is_list(request: Request) -> bool:
    text = request.query_params.get("format", "object")
    if text not in ("object", "list"):
        raise RefusedError(400, f"format={text[:40]!a} is none; object and list are there.")
    return text == "list"
