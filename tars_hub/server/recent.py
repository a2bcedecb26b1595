"""What a running hub remembers between requests; nothing is lost when it forgets."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """The latest so many values by key, for many threads."""

    def __init__(self, most: int) -> None:
        self._most, self._kept, self._lock = most, OrderedDict[K, V](), Lock()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value that is remembered, or what `make` returns, which is remembered from now on."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        value = make()
        self.is_new(key, value)
        return value

    def latest(self, key: K) -> V | None:
        """The value that is remembered; None where there is none."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def forget(self, key: K) -> None:
        """Remember a value no longer."""
        with self._lock:
            self._kept.pop(key, None)

    def __contains__(self, key: K) -> bool:
        with self._lock:
            return key in self._kept

    def is_new(self, key: K, value: V) -> bool:
        """Remember a value, unless there is one for its key already."""
        with self._lock:
            if key in self._kept:
                return False
            self._kept[key] = value
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
            return True
