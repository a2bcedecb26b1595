"""Bytes on their way in: what every kind of upload does alike."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import TypeVar

from tars_hub.server.blobs.interface import Writing
from tars_hub.server.hub import Hub

Self = TypeVar("Self", bound="Incoming")


class Incoming:
    """A blob that is being written; a context manager.

    What a subclass has not sealed when the block ends leaves nothing behind.

    Attributes:
        writing: where the bytes go, within the block.
    """

    writing: Writing

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._stack = ExitStack()

    def __enter__(self: Self) -> Self:
        self.writing = self._stack.enter_context(self.hub.blobs.writing())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, at)
