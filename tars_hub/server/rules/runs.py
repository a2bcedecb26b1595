"""Runs of chunks: those of one xorb that touch or overlap are one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Run(NamedTuple):
    """Chunks `start` up to and without `end` of a xorb."""

    xorb: str
    start: int
    end: int


def merged(runs: Iterable[Run]) -> list[Run]:
    """The same chunks, each once, in order of xorbs and of chunks."""
    found: list[Run] = []
    for run in sorted(set(runs)):
        last = found[-1] if found else None
        if last is not None and last.xorb == run.xorb and run.start <= last.end:
            found[-1] = Run(last.xorb, last.start, max(last.end, run.end))
        else:
            found.append(run)
    return found
