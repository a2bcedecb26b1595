"""What visitors send: counted as it comes, over all visitors, and not waited for for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

import anyio
from starlette.requests import Request
from starlette.types import Message, Receive

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
            RefusedError: longer than it says, too slow, or too much is on its way from everybody together.
            ClientDisconnect: its sender hung up.
        """
        with self.counting(request.receive, int(request.headers["content-length"])) as receive:
            yield await Request(request.scope, receive).body()

    @contextmanager
    def counting(self, receive: Receive, length: int) -> Iterator[Receive]:
        """The body of a request as it comes, for who takes it piece by piece; raises as `read`.

        Args:
            length: how many bytes it says it has. It may be no more, whatever the server lets through.
        """
        ends = anyio.current_time() + _PATIENCE_S + length / _SLOW_BYTES_S
        taken, is_whole = 0, False

        async def receive_counted() -> Message:
            nonlocal taken, is_whole
            if is_whole:
                return await receive()
            message = await _received(receive, ends)
            size = len(message.get("body", b""))
            if taken + size > length:
                raise RefusedError(413, "It is longer than it says.", {"Connection": "close"})
            self._take(size)
            taken += size
            is_whole = not message.get("more_body", False)
            return message

        try:
            yield receive_counted
        finally:
            self._in_flight -= taken

    def _take(self, size: int) -> None:
        if self._in_flight + size > _IN_FLIGHT_BYTES:
            raise too_much("Too many pictures are on their way just now; try again soon.", retry_s=_RETRY_S)
        self._in_flight += size


async def _received(receive: Receive, ends: float) -> Message:
    with anyio.move_on_after(ends - anyio.current_time()):
        return await receive()
    raise RefusedError(408, "The picture came too slowly; try a smaller one.", {"Connection": "close"})
