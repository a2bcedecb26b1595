"""A shelf for a few large things: those used last stay, and each is made once, however many ask for it at once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition, Lock, Semaphore
from typing import Generic, TypeAlias, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Take: TypeAlias = Callable[[int], None]
"""Waits until there is room for so many bytes, and takes it. Who needs more than all of it gets all of it."""


@dataclass
class _Making:
    """
    Attributes:
        asking: how many are in `Shelf.get` with this key.
    """

    lock: Lock = field(default_factory=Lock)
    asking: int = 0


class Shelf(Generic[K, V]):
    """May be used by many threads. What falls off the shelf lives on with those who hold it."""

    def __init__(
        self, places: int, *, room: int = 1 << 62, size_of: Callable[[V], int] = lambda _: 0, made_at_once: int = 2
    ) -> None:
        """
        Args:
            places: how many things are kept.
            room: for all of them together and those that are being made, in bytes.
            size_of: how much of it a thing takes, in bytes.
            made_at_once: how many are made at the same time; who makes another waits.
        """
        self._places = places
        self._room = room
        self._size_of = size_of
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._taken = 0  # by what is being made, in bytes
        self._makings: dict[K, _Making] = {}
        self._lock = Lock()
        self._freed = Condition(self._lock)
        self._makers = Semaphore(made_at_once)

    def get(self, key: K, make: Callable[[Take], V]) -> V:
        """What is kept under the key, or is made now.

        Who waits for another's making and sees it fail tries with their own `make`, which may do what
        the other's could not. What `make` raises arrives as it is.

        Args:
            make: calls what it is given once, before it takes the memory that the thing needs.
        """
        with self._alone(key):
            found = self.peek(key)
            if found is not None:
                return found
            with self._makers:
                return self._made(key, make)

    def peek(self, key: K) -> V | None:
        """What is kept under the key, which counts as used now; None where there is nothing."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def _made(self, key: K, make: Callable[[Take], V]) -> V:
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            taken += self._take(size)

        try:
            made = make(take)
            self._put(key, made, taken)
            taken = 0
        finally:
            with self._freed:
                self._taken -= taken
                self._freed.notify_all()
        return made

    @contextmanager
    def _alone(self, key: K) -> Iterator[None]:
        with self._lock:
            making = self._makings.setdefault(key, _Making())
            making.asking += 1
        try:
            with making.lock:
                yield
        finally:
            with self._lock:
                making.asking -= 1
                if not making.asking:
                    del self._makings[key]

    def _take(self, size: int) -> int:
        """Only what others are making is waited for; what is kept falls."""
        size = min(size, self._room)
        with self._freed:
            self._freed.wait_for(lambda: self._taken + size <= self._room)
            self._taken += size
            self._let_fall()
        return size

    def _put(self, key: K, value: V, taken: int) -> None:
        size = self._size_of(value)
        with self._freed:
            self._taken -= taken
            self._kept[key] = (value, size)
            self._let_fall()

    def _let_fall(self) -> None:
        """Those used longest ago; one that is larger than it said may be among them."""
        used = self._taken + sum(size for _, size in self._kept.values())
        while self._kept and (len(self._kept) > self._places or used > self._room):
            used -= self._kept.popitem(last=False)[1][1]
