"""What visitors send: not from other sites' pages, counted as it comes over all visitors, not waited for for ever."""

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
RETRY_S = 2  # after which who was sent away may ask again


class RefusedError(Exception):
    """What is not taken, as a status and a calm sentence.

    Attributes:
        headers: of the answer, such as when it may go well.
    """

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers or {}


def too_much(sentence: str, *, retry_s: int = RETRY_S) -> RefusedError:
    """Later it may go well; the rest of the body is not worth waiting for."""
    return RefusedError(503, sentence, {"Retry-After": str(retry_s), "Connection": "close"})


def of_another_site(headers: Mapping[bytes, bytes]) -> tuple[int, str] | None:
    """The refusal of what a page of another site asks for, as the browser says; None for everything else.

    One at another port of this host would have the visitor's cookie sent along, and Gradio gives the answer to whoever
    knows the session's name, which is in the question.
    """
    site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
    if site is not None:
        is_ours = site in (b"same-origin", b"none")
    else:  # on plain http, but for localhost, it says only where a question comes from
        here = [headers.get(name, b"").lower() for name in (b"host", b"x-forwarded-host")]
        is_ours = origin is None or origin.lower().partition(b"://")[2] in filter(None, here)
    return None if is_ours else (403, "A page of another site asks for this.")


def of_another_length(headers: Mapping[bytes, bytes], most: int = MAX_BYTES) -> tuple[int, str] | None:
    """The refusal of a body that does not say how long it is, or is longer than `most` bytes; None for others."""
    length = headers.get(b"content-length", b"")
    if not length.isdigit():
        return 411, "Say how long it is: Content-Length."
    if len(length) > 18 or int(length) > most:
        return 413, f"It is too large; up to {MAX_BYTES >> 20} MiB are taken."
    return None


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
            raise too_much("Too many pictures are on their way just now; try again soon.")
        self._in_flight += size


async def _received(receive: Receive, ends: float) -> Message:
    with anyio.move_on_after(ends - anyio.current_time()):
        return await receive()
    raise RefusedError(408, "The picture came too slowly; try a smaller one.", {"Connection": "close"})
