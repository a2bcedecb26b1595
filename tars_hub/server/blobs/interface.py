"""The one way to bytes: what a store of blobs must do. `tests/server/blobs` holds every store to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["file", "xorb", "part"]


@dataclass(frozen=True)
class Key:
    """What a blob is called.

    Attributes:
        kind: "file" for whole contents, "xorb", or "part" of an upload that is not whole yet.
        name: 64 lowercase hex digits: SHA-256, Xet hash, or an upload's own.

    Raises:
        ValueError: anything else; so no name from a client can be a path.
    """

    kind: Kind
    name: str

    def __post_init__(self) -> None:
        if self.kind not in ("file", "xorb", "part"):
            raise ValueError(f"{self.kind!r} is no kind of blob")
        if len(self.name) != 64 or not set(self.name) <= set("0123456789abcdef"):
            raise ValueError(f"{self.name[:80]!r} is no name of a blob; it has 64 hex digits")


class Writing(Protocol):
    """A blob on its way in: nobody can read it before it is sealed."""

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        ...

    def seal(self, key: Key) -> bool:
        """Make what was written durable and readable under this key; False where it was there already."""
        ...


class Reading(Protocol):
    """An open blob. It stays readable until it is closed, also when it is deleted meanwhile."""

    size: int

    def read_at(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer only at the end. Many threads may ask at once."""
        ...

    def close(self) -> None: ...


class BlobStore(Protocol):
    """Keeps bytes by key, each written once and never changed."""

    def writing(self) -> AbstractContextManager[Writing]:
        """Begin a blob. What is not sealed when the block ends leaves nothing behind."""
        ...

    def open(self, key: Key) -> Reading:
        """Open a blob to read it.

        Raises:
            KeyError: there is none.
        """
        ...

    def size(self, key: Key) -> int | None:
        """Its size in bytes, None where there is none."""
        ...

    def delete(self, key: Key) -> None:
        """Remove a blob; one that is not there is as good as removed."""
        ...

    def withdraw(self, key: Key) -> Callable[[], None]:
        """Put a blob out of sight in no time, however large it is; what is returned then gives its room back."""
        ...

    def keys(self, kind: Kind) -> Iterator[Key]:
        """All there are, in the order of their names, one at a time."""
        ...

    def age_s(self, key: Key) -> float:
        """Seconds since it was sealed.

        Raises:
            KeyError: there is none.
        """
        ...
