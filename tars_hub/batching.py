"""Answers for many callers at once: whoever asks while the network is busy goes with its next batch."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from functools import partial
from queue import Empty, SimpleQueue
from typing import TypeAlias
from weakref import WeakSet, finalize

from tars_hub.errors import TarsError, UsageError
from tars_hub.predict import Prediction, Predictor
from tars_hub.samples import Pixels

MOST = 16
_MOST_PIXELS = MOST * 384 * 384  # of a batch: what the network keeps of large ones would not fit into memory
_LAST_S = 10.0  # for the batch that is in the network when the process ends
_LOOK_S = 1.0  # how often who waits looks whether anybody is left to answer


@dataclass(frozen=True)
class _Asked:
    """A question that waits.

    Attributes:
        pixels: (S, S, 3) uint8, as `Predictor.prepare` gives it.
    """

    pixels: Pixels
    top_k: int
    answer: Future[Prediction] = field(default_factory=Future)


_Waiting: TypeAlias = "SimpleQueue[_Asked | None]"  # None is the end


class Batcher:
    """Puts the pictures of callers that wait at the same time through a network together.

    Nobody waits for a batch to fill: a lone caller is answered at once, and who comes meanwhile is answered
    next, in the order of their coming. May be used by many threads. Its own begin with the first question,
    hold the predictor and not the batcher, and end once nobody holds that any more.
    """

    def __init__(self, predictor: Predictor, most: int = MOST, callers: int = 1) -> None:
        """
        Args:
            most: pictures of a batch; of large ones fewer go together.
            callers: batches that are in the network at once; those who wait are divided among them.
        """
        self._predictor = predictor
        self._most, self._callers = max(1, most), max(1, callers)
        self._lock = threading.Lock()
        self._line: _Line | None = None

    def answer(self, pixels: Pixels, top_k: int) -> Prediction:
        """What `Predictor.answer` says about one picture. Blocks.

        Args:
            pixels: (S, S, 3) uint8, prepared.

        Raises:
            UsageError: top_k is below 1.
            TarsError: the process is ending.
            Exception: as the model raised it about this picture alone.
        """
        if top_k < 1:
            raise UsageError(f"top_k is {top_k}; it must be at least 1")
        asked = _Asked(pixels, top_k)
        line = self._served()
        line.waiting.put(asked)
        try:
            _wait(asked.answer, line)
            return asked.answer.result()
        finally:
            del asked  # an error holds this frame, and by it would hold itself, the picture and the model

    def _served(self) -> _Line:
        """The line that a thread of this process serves; a fork has none of its parent's threads."""
        with self._lock:
            if self._line is None or self._line.pid != os.getpid():
                self._line = _begun(self._predictor, self._most, self._callers)
                finalize(self, self._line.waiting.put, None)
            return self._line


@dataclass(frozen=True, eq=False)
class _Line:
    waiting: _Waiting
    threads: tuple[threading.Thread, ...]
    pid: int

    @property
    def is_served(self) -> bool:
        return any(thread.is_alive() for thread in self.threads)

    def end(self) -> None:
        """Answer whoever waits, and no more; return when that is done, or takes too long."""
        self.waiting.put(None)
        for thread in self.threads:
            thread.join(_LAST_S)


_LINES: WeakSet[_Line] = WeakSet()


@atexit.register
def _end_all() -> None:
    """A thread that is within the network when the interpreter ends would take the process down with an abort."""
    for line in [line for line in _LINES if line.pid == os.getpid()]:
        line.end()


def _begun(predictor: Predictor, most: int, callers: int) -> _Line:
    waiting: _Waiting = SimpleQueue()
    work = partial(_work, predictor, most, callers, waiting)
    threads = tuple(threading.Thread(target=work, name="batches", daemon=True) for _ in range(callers))
    try:
        for thread in threads:
            thread.start()
    except RuntimeError as error:  # no new threads once the interpreter ends
        raise _ending() from error
    line = _Line(waiting, threads, os.getpid())
    _LINES.add(line)
    return line


def _wait(answer: Future[Prediction], line: _Line) -> None:
    while not wait([answer], _LOOK_S).done:
        if sys.is_finalizing() or not line.is_served:
            raise _ending()


def _ending() -> TarsError:
    return TarsError("The process is ending; nothing is answered any more.")


def _work(predictor: Predictor, most: int, callers: int, waiting: _Waiting) -> None:
    while _round(predictor, most, callers, waiting):
        pass
    waiting.put(None)  # the end is the others' too


def _round(predictor: Predictor, most: int, callers: int, waiting: _Waiting) -> bool:
    """Answer those who wait, as many as go together; False at the end."""
    group, more = _group(most, callers, waiting)
    if len(group) < 2 or not _answered(predictor, group):
        while group:  # emptied, for an error holds this frame too
            _answer_alone(predictor, group.pop(0))
    return more


def _group(most: int, callers: int, waiting: _Waiting) -> tuple[list[_Asked], bool]:
    """Whoever is first, once there is somebody, and this caller's share of those behind; and whether more may come."""
    group: list[_Asked] = []
    asked = waiting.get()
    share = -(-(1 + waiting.qsize()) // callers)
    while asked is not None:
        group.append(asked)
        if len(group) >= min(most, share, _MOST_PIXELS // max(1, asked.pixels.size // 3)):
            return group, True
        try:
            asked = waiting.get_nowait()
        except Empty:
            return group, True
    return group, False


def _answered(predictor: Predictor, group: list[_Asked]) -> bool:
    """Whether the batch went well; if not, nobody has an answer yet."""
    try:
        answers = predictor.answer([asked.pixels for asked in group], max(asked.top_k for asked in group))
    except BaseException:  # whose picture it was shows when each is tried alone
        return False
    for asked, answer in zip(group, answers, strict=True):
        asked.answer.set_result(replace(answer, top=answer.top[: asked.top_k]))
    return True


def _answer_alone(predictor: Predictor, asked: _Asked) -> None:
    try:
        answer = predictor.answer([asked.pixels], asked.top_k)[0]
    except BaseException as error:  # whatever it is, it is its caller's, who else would wait for ever
        asked.answer.set_exception(error)
        del asked  # which the error would hold, as above
    else:
        asked.answer.set_result(answer)
