"""What is said by plain HTTP about a picture, good or bad: JSON in ASCII, one calm sentence, never a stack."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Mapping
from math import isfinite
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from tars_hub.bodies import RETRY_S, RefusedError
from tars_hub.errors import DownloadError, ModelError, PictureError, TarsError

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
FAILED = "The model failed on this picture; the server's log says why."

_log = logging.getLogger(__name__)


async def response_of(answering: Awaitable[Response], at: str) -> Response:
    """The answer, or what went wrong instead.

    Args:
        at: what was asked, for the log.
    """
    try:
        return await answering
    except ClientDisconnect:
        return Response(status_code=499)  # nobody reads it
    except RefusedError as refused:
        return refusal(refused.status, str(refused), refused.headers)
    except TarsError as error:
        return _failure(error)
    except Exception:
        _log.exception("no answer at %s", at)
        return refusal(500, FAILED)


def refusal(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
    """Why something is not answered."""
    return json_response({"error": sentence}, status, headers)


def json_response(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:  # noqa: ANN401  # any
    """What JSON can say, which nobody keeps."""
    # In ASCII: a class may be called by half a letter, which UTF-8 cannot say.
    text = json.dumps(data, allow_nan=False)
    return Response(text, status, {**HEADERS, **(headers or {})}, media_type="application/json")


def finite(value: float | None) -> float | None:
    """A network may answer with what is no number, which JSON cannot say."""
    return value if value is not None and isfinite(value) else None


def _failure(error: TarsError) -> Response:
    if isinstance(error, PictureError):
        return refusal(422, error.reason)
    if isinstance(error, DownloadError):
        return refusal(503, str(error), {"Retry-After": str(RETRY_S)})
    return refusal(404 if isinstance(error, ModelError) else 500, str(error))
