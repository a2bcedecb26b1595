"""A question over HTTP, to the page or beside a hub: who asks, and the picture on its way to the network."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from threading import BoundedSemaphore
from time import perf_counter

from tars_hub.errors import PictureError
from tars_hub.exhibits import SESSION_COOKIE, Credentials, Exhibit
from tars_hub.samples import Pixels

_COOKIE = re.compile(rf"(?:^|;)\s*{SESSION_COOKIE}=([^;\s]*)")

# Each core reads one, and no more than eight: a picture of 200 megapixels takes 600 MB while it is read.
_READING = BoundedSemaphore(min(8, os.cpu_count() or 1))


def credentials_in(headers: Mapping[str, str]) -> Credentials:
    """What a request's headers, whose names count in any case, say of who asks."""
    sessions = _COOKIE.findall(headers.get("cookie", ""))
    # Of several the last, as the hub reads them.
    return Credentials(token=token_in(headers), session=sessions[-1] if sessions else "")


def token_in(headers: Mapping[str, str]) -> str:
    """The token that a request carries; empty without one."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def prepared(exhibit: Exhibit, picture: Path | bytes, name: str) -> tuple[Pixels, float]:
    """(S, S, 3) uint8 as the network sees it, and how long that took, in milliseconds. Few are read at once.

    Raises:
        PictureError: under the visitor's name for the picture; its path here is nobody's business.
    """
    with _READING:
        started = perf_counter()
        try:
            return exhibit.predictor.prepare(picture), 1000 * (perf_counter() - started)
        except PictureError as error:
            raise PictureError(name, error.reason) from error
