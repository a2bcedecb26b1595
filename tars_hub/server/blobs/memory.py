"""Blobs in memory: for tests and for trying things; gone with the process."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Lock

from tars_hub.server.blobs.interface import Key, Kind


@dataclass(frozen=True)
class _Blob:
    data: bytes
    sealed: float = field(default_factory=time.monotonic)


class MemoryBlobs:
    """A BlobStore that forgets."""

    def __init__(self) -> None:
        self._blobs: dict[Key, _Blob] = {}
        self._lock = Lock()  # a dict must not grow while somebody goes through it; single look-ups need no lock

    @contextlib.contextmanager
    def writing(self) -> Iterator[MemoryWriting]:
        """Begin a blob."""
        yield MemoryWriting(self)

    def open(self, key: Key) -> MemoryReading:
        """Open a blob to read it. Raises KeyError."""
        return MemoryReading(self._blobs[key].data)

    def size(self, key: Key) -> int | None:
        """Its size in bytes."""
        blob = self._blobs.get(key)
        return None if blob is None else len(blob.data)

    def delete(self, key: Key) -> None:
        """Remove a blob; who has it open keeps its bytes."""
        self._blobs.pop(key, None)

    def withdraw(self, key: Key) -> Callable[[], None]:
        """Remove a blob; nothing is left to be done."""
        self.delete(key)
        return lambda: None

    def keys(self, kind: Kind) -> Iterator[Key]:
        """All there are of a kind, by name."""
        with self._lock:
            names = sorted(key.name for key in self._blobs if key.kind == kind)
        return (Key(kind, name) for name in names)

    def age_s(self, key: Key) -> float:
        """Seconds since it was sealed. Raises KeyError."""
        return time.monotonic() - self._blobs[key].sealed

    def _put(self, key: Key, data: bytes) -> bool:
        with self._lock:
            known = self._blobs.get(key)
            same = known is not None and len(known.data) == len(data)
            self._blobs[key] = _Blob(known.data if known and same else data)  # with a new age
        return not same


class MemoryWriting:
    """A blob on its way in."""

    def __init__(self, blobs: MemoryBlobs) -> None:
        self._blobs = blobs
        self._data: bytearray | None = bytearray()

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        self._open().extend(data)

    def seal(self, key: Key) -> bool:
        """Make it readable; False where it was there already."""
        data, self._data = bytes(self._open()), None
        return self._blobs._put(key, data)

    def _open(self) -> bytearray:
        if self._data is None:
            raise ValueError("this blob is sealed already")
        return self._data


class MemoryReading:
    """An open blob."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def read_at(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`."""
        return self._data[offset : offset + length]

    def close(self) -> None:
        """Nothing is held open."""
