"""How many ask at once and how long they wait: bytes, places, openings of models, threads. Knows no page and no hub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from threading import BoundedSemaphore
from typing import NoReturn, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread
from starlette.requests import ClientDisconnect, Request

from tars_hub.bodies import Bodies, RefusedError, too_much
from tars_hub.errors import TarsError

_AT_ONCE = 32  # two batches: one in the network, one behind it
_PLACES = 128  # for pictures that are being answered or wait for it
_OPENINGS = 64  # models that are being asked for: the hub says who may, and some are loaded first
_LOADING_S = 30.0
_RETRY_LOADING_S = 5

_T = TypeVar("_T")
_M = TypeVar("_M")


class Admission:
    """Lets pictures in, as many as this machine can bear, and has them answered. Belongs to one event loop."""

    def __init__(self) -> None:
        self._bodies = Bodies()
        self._working = asyncio.Semaphore(_AT_ONCE)
        self._threads, self._openers = CapacityLimiter(_AT_ONCE), CapacityLimiter(_OPENINGS)
        self._openings = BoundedSemaphore(_OPENINGS)
        self._taken = 0

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """What a request brings, which has a place until the block ends.

        Raises:
            RefusedError: as `Bodies.read`, or there are no places left.
            ClientDisconnect: its sender hung up.
        """
        async with self._bodies.read(request) as body:
            with self._place():
                yield body

    async def done(
        self,
        request: Request,
        find: Callable[[], _M],
        act: Callable[[Callable[[], _M]], _T],
        at_hand: _M | None = None,
    ) -> _T:
        """What `act` makes of the model that `find` finds. Both run in threads.

        Args:
            act: is given what returns the model, or raises the TarsError that `find` raised.
            at_hand: the model, where it is known already; `find` is not asked then.

        Raises:
            RefusedError: too many ask, or it would take too long.
            ClientDisconnect: nobody waits for it any more.
        """
        found = await self._opened(find) if at_hand is None else lambda: at_hand
        async with self._working:
            if await request.is_disconnected():
                raise ClientDisconnect
            return await self.in_thread(partial(act, found))

    async def in_thread(self, act: Callable[[], _T]) -> _T:
        """What `act` returns, after a turn of one of the few threads."""
        return await to_thread.run_sync(act, abandon_on_cancel=True, limiter=self._threads)

    async def _opened(self, find: Callable[[], _M]) -> Callable[[], _M]:
        """What gives the model that is meant, or raises why there is none; whoever would wait for long is sent away."""
        with anyio.move_on_after(_LOADING_S):
            return await to_thread.run_sync(self._open, find, abandon_on_cancel=True, limiter=self._openers)
        raise too_much("The model is still being opened; try again soon.", retry_s=_RETRY_LOADING_S)

    def _open(self, find: Callable[[], _M]) -> Callable[[], _M]:
        # Counted here: a thread that nobody waits for any more still takes a place.
        if not self._openings.acquire(blocking=False):
            raise _busy()
        try:
            found = find()
        except TarsError as error:
            return partial(_raise, error)
        finally:
            self._openings.release()
        return lambda: found

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._taken >= _PLACES:
            raise _busy()
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


def _busy() -> RefusedError:
    return too_much("Many pictures are being answered just now; try again soon.")


def _raise(error: TarsError) -> NoReturn:
    raise error
