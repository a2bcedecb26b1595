"""Names to answers, in order and with memory for a few batches."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tars_hub.answers.answered import FileAnswer
from tars_hub.predict import Predictor

Stamp = tuple[int, int, int]  # of a file: bytes, and when content and rights last changed, in ns


@dataclass(frozen=True)
class Asked:
    """An answer, and which state of the file it is about; None where the file was not there."""

    answer: FileAnswer
    stamp: Stamp | None


def ask(predictor: Predictor, names: Iterable[str], *, top_k: int, batch_size: int | None) -> Iterator[Asked]:
    """One answer a name; names are taken as they are needed."""
    under_way: deque[tuple[str, Stamp | None]] = deque()

    def noted() -> Iterator[str]:
        for name in names:
            under_way.append((name, stamp_of(name)))  # before it is read, lest a change in between be missed
            yield name

    for found in predictor.stream(noted(), top_k=top_k, batch_size=batch_size):
        name, stamp = under_way.popleft()
        yield Asked(FileAnswer(name, found), stamp)


def stamp_of(name: str) -> Stamp | None:
    try:
        found = os.stat(name)  # noqa: PTH116  # a million times
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns
