"""Turns for what takes a processor and memory: of many who ask at once, a few are served."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tars_hub.server.hub import Hub

_PATIENCE_S = 1.0  # a thread that waits answers nobody else


@contextmanager
def turn(hub: Hub) -> Iterator[bool]:
    """Whether there is room for one more; what is done in the block has it."""
    mine = hub.turns.acquire(timeout=_PATIENCE_S)
    try:
        yield mine
    finally:
        if mine:
            hub.turns.release()
