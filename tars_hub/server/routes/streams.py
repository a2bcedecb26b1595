"""Answers that come a piece at a time, and let go of what they read from when they end, however they end."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from threading import Lock

from starlette.background import BackgroundTask
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send


class Streamed(StreamingResponse):
    """An answer out of a generator, which is closed with it, also where the client hangs up in the middle.

    Without that, the files it has open would stay so until Python looks for cycles.
    """

    def __init__(
        self,
        pieces: Generator[bytes | str, None, None],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: BackgroundTask | None = None,
    ) -> None:
        self._pieces = _Pieces(pieces)
        super().__init__(self._pieces, status_code, headers, media_type, background)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, then close the generator."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._pieces.close()


class _Pieces(Iterator[bytes | str]):
    """A generator that may be closed while a thread runs it: the thread closes it then, as soon as it is out.

    Nobody waits for that; a task that the server's end cancels leaves its thread alone and may not wait either.
    """

    def __init__(self, pieces: Generator[bytes | str, None, None]) -> None:
        self._pieces = pieces
        self._lock = Lock()
        self._running = self._over = False

    def __next__(self) -> bytes | str:
        with self._lock:
            if self._over:
                raise StopIteration
            self._running = True
        try:
            return next(self._pieces)
        finally:
            with self._lock:
                self._running = False
                over = self._over
            if over:
                self._pieces.close()

    def close(self) -> None:
        """Close the generator now, or have it closed; a second time does nothing."""
        with self._lock:
            late = self._over or self._running
            self._over = True
        if not late:
            self._pieces.close()
