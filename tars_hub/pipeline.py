"""Many pictures through an engine: reading them, and asking about them, overlap; answers come in order.

Memory holds a few batches, however many pictures there are.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from statistics import median
from time import perf_counter
from typing import TypeVar

from tars_hub.errors import PictureError
from tars_hub.samples import Pixels

P = TypeVar("P")
R = TypeVar("R")

_TRIALS = 3  # batches by which a size is judged
_GAIN = 0.97  # a larger batch must take less than this share of the time for a picture
_SMALLEST, _LARGEST = 1, 256
_MOST_PIXELS = 64 * 384 * 384  # of a batch: what a network keeps of large pictures would not fit into memory
_READERS = 8  # more threads than this only wait for the disk
_NO_ROOM = ("out of memory", "failed to allocate", "bad allocation", "bad_alloc", "can't allocate")


class BatchSize:
    """How many pictures go together: doubled while that is faster for each, halved where memory does not suffice.

    May be used by many threads.
    """

    def __init__(self, fixed: int | None = None) -> None:
        """
        Args:
            fixed: the size that somebody chose; it still shrinks where memory does not suffice.
        """
        self.now = fixed or _SMALLEST
        self._is_found = fixed is not None
        self._took: list[float] = []
        self._best = float("inf")
        self._lock = threading.Lock()

    def took(self, pictures: Sequence[Pixels], seconds: float) -> None:
        """Learn from a batch that was answered."""
        with self._lock:
            if self._is_found or len(pictures) != self.now:
                return
            self._took.append(seconds / len(pictures))
            if len(self._took) == _TRIALS:
                self._judge(pictures[0].size // 3)

    def was_too_large(self, size: int) -> None:
        """Learn from a batch that did not fit into memory."""
        with self._lock:
            self.now = max(1, min(self.now, size // 2))
            self._is_found = True

    def _judge(self, pixels: int) -> None:
        each = median(self._took)
        self._took = []
        if each > self._best * _GAIN:  # no faster than half of it was
            self.now, self._is_found = max(1, self.now // 2), True
        elif 2 * self.now > min(_LARGEST, _MOST_PIXELS // pixels):
            self._is_found = True
        else:
            self.now, self._best = 2 * self.now, each


def in_order(
    pictures: Iterable[P],
    read: Callable[[P], Pixels],
    ask: Callable[[Sequence[Pixels]], Sequence[R]],
    *,
    size: BatchSize,
    callers: int,
) -> Iterator[R | PictureError]:
    """For each picture what `ask` says about it, or why it cannot be read.

    Args:
        read: gives (S, S, 3) uint8, or raises a PictureError.
        ask: one answer for each of a batch.
        callers: how many batches may be asked about at once.
    """
    source = iter(pictures)
    line: deque[Future[list[R | PictureError]]] = deque()
    readers = ThreadPoolExecutor(min(_READERS, os.cpu_count() or 1), thread_name_prefix="reads")
    askers = ThreadPoolExecutor(callers, thread_name_prefix="asks")

    def submit() -> bool:
        group = [readers.submit(_read_or_error, read, picture) for picture in islice(source, size.now)]
        if group:
            line.append(askers.submit(_answers, group, ask, size))
        return bool(group)

    try:
        while True:
            while len(line) <= callers and submit():
                pass
            if not line:
                return
            yield from line.popleft().result()
    finally:
        askers.shutdown(wait=False, cancel_futures=True)
        readers.shutdown(cancel_futures=True)
        askers.shutdown()


def _read_or_error(read: Callable[[P], Pixels], picture: P) -> Pixels | PictureError:
    try:
        return read(picture)
    except PictureError as error:
        return error


def _answers(
    group: Sequence[Future[Pixels | PictureError]], ask: Callable[[Sequence[Pixels]], Sequence[R]], size: BatchSize
) -> list[R | PictureError]:
    items = [future.result() for future in group]
    good = [item for item in items if not isinstance(item, PictureError)]
    answers = iter(_asked(good, ask, size))
    return [item if isinstance(item, PictureError) else next(answers) for item in items]


def _asked(good: Sequence[Pixels], ask: Callable[[Sequence[Pixels]], Sequence[R]], size: BatchSize) -> Sequence[R]:
    if not good:
        return []
    started = perf_counter()
    try:
        answers = ask(good)
    except Exception as error:
        if len(good) == 1 or not _is_for_room(error):
            raise
    else:
        size.took(good, perf_counter() - started)
        return answers
    size.was_too_large(len(good))  # after the error has let go of what it holds
    half = len(good) // 2
    return [*_asked(good[:half], ask, size), *_asked(good[half:], ask, size)]


def _is_for_room(error: Exception) -> bool:
    """Whether memory did not suffice; torch and ONNX Runtime say so by words alone."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(words in said for words in _NO_ROOM)
