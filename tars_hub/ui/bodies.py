"""What visitors send, read into memory: counted as it comes, over all visitors, and not waited for for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import anyio
from starlette.requests import Request

MAX_BYTES = 64 << 20  # of one picture's file
_IN_FLIGHT_BYTES = 512 << 20
_PATIENCE_S = 60.0
_SLOW_BYTES_S = 512 << 10  # a large file has the time that it takes at this rate besides
_RETRY_S = 2


class RefusedError(Exception):
    """What is not taken, as a status and a calm sentence.

    Attributes:
        headers: of the answer, such as when it may go well.
    """

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers or {}


def too_much(sentence: str, *, retry_s: int) -> RefusedError:
    """Later it may go well; the rest of the body is not worth waiting for."""
    return RefusedError(503, sentence, {"Retry-After": str(retry_s), "Connection": "close"})


class Bodies:
    """Bytes of all requests that are being read or answered. Belongs to one event loop."""

    def __init__(self) -> None:
        self._in_flight = 0

    @asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """The body of a request, which says how long it is; it counts until the block ends.

        Raises:
            RefusedError: too large, too slow, or too much is on its way from everybody together.
            ClientDisconnect: its sender hung up.
        """
        length = int(request.headers["content-length"])
        pieces: list[bytes] = []
        try:
            with anyio.move_on_after(_PATIENCE_S + length / _SLOW_BYTES_S) as patience:
                async for piece in request.stream():
                    self._take(piece)
                    pieces.append(piece)
            if patience.cancelled_caught:
                raise RefusedError(408, "The picture came too slowly; try a smaller one.", {"Connection": "close"})
            body = b"".join(pieces)
            pieces[:] = [body]  # not held twice
            yield body
        finally:
            self._in_flight -= sum(map(len, pieces))

    def _take(self, piece: bytes) -> None:
        if self._in_flight + len(piece) > _IN_FLIGHT_BYTES:
            raise too_much("Too many pictures are on their way just now; try again soon.", retry_s=_RETRY_S)
        self._in_flight += len(piece)
