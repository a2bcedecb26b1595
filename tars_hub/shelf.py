"""A shelf for a few large things: those used last stay, and each is made once, however many ask for it at once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock, Semaphore
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


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

    def __init__(self, places: int, *, made_at_once: int = 2) -> None:
        """
        Args:
            places: how many things are kept.
            made_at_once: how many are made at the same time; who makes another waits.
        """
        self._places = places
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._makings: dict[K, _Making] = {}
        self._lock = Lock()
        self._makers = Semaphore(made_at_once)

    def get(self, key: K, make: Callable[[], V]) -> V:
        """What is kept under the key, or is made now.

        Who waits for another's making and sees it fail tries with their own `make`, which may do what
        the other's could not. What `make` raises arrives as it is.
        """
        with self._alone(key):
            found = self._find(key)
            if found:
                return found[0]
            with self._makers:
                made = make()
            self._put(key, made)
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

    def _find(self, key: K) -> tuple[V] | None:
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return (self._kept[key],)

    def _put(self, key: K, value: V) -> None:
        with self._lock:
            self._kept[key] = value
            while len(self._kept) > self._places:
                self._kept.popitem(last=False)
