"""Callers of one moment go through the network together, and each gets what it would get alone."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tars_hub.batching import Batcher
from tars_hub.errors import UsageError
from tars_hub.predict import Prediction, Predictor
from tars_hub.samples import Pixels
from tests.checkout import ROOT
from tests.small_model import small

WITHIN_S = 60
BAD = 13  # a level of grey that the network below fails on


def grey(level: int, side: int = 8) -> Pixels:
    return np.full((side, side, 3), level, np.uint8)


class Network:
    """Stands in for a Predictor: its classes are the picture's grey and the next; it waits at a gate.

    Attributes:
        batches: the greys of each that it was asked about.
    """

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.asked = threading.Semaphore(0)
        self.batches: list[list[int]] = []

    def answer(self, pictures: Sequence[Pixels], top_k: int) -> list[Prediction]:
        greys = [int(pixels[0, 0, 0]) for pixels in pictures]
        self.batches.append(greys)
        self.asked.release()
        assert self.gate.wait(WITHIN_S)
        if BAD in greys:
            raise ArithmeticError(f"no answer about {BAD}")
        return [self._about(level, top_k) for level in greys]

    def _about(self, level: int, top_k: int) -> Prediction:
        top = tuple((str(level + more), 0.5**more) for more in range(top_k))
        return Prediction(label=str(level), probability=1.0, top=top)


@contextmanager
def asking(network: Network, batcher: Batcher, levels: Sequence[int], **options: Any) -> Iterator[list[Future[Any]]]:
    """The first of the callers is in the network, and the others wait behind it in their order."""
    with ThreadPoolExecutor(len(levels)) as pool:
        futures: list[Future[Any]] = []
        try:
            for number, level in enumerate(levels):
                futures.append(pool.submit(batcher.answer, grey(level, **options), 1 + number % 3))
                if not number:
                    assert network.asked.acquire(timeout=WITHIN_S)
                while batcher._line is None or batcher._line.waiting.qsize() < number:
                    threading.Event().wait(0.001)
            yield futures
        finally:
            network.gate.set()


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def batcher(network: Network) -> Batcher:
    return Batcher(network)  # type: ignore[arg-type]  # it stands in


def test_who_comes_meanwhile_goes_together_in_the_order_of_coming(network: Network, batcher: Batcher) -> None:
    levels = list(range(100, 140))
    with asking(network, batcher, levels) as futures:
        network.gate.set()
        answers = [future.result(WITHIN_S) for future in futures]
    assert network.batches == [levels[:1], levels[1:17], levels[17:33], levels[33:]]
    assert [answer.label for answer in answers] == [str(level) for level in levels]
    assert [len(answer.top) for answer in answers] == [1 + number % 3 for number in range(40)]


def test_nobody_waits_for_a_batch_to_fill(network: Network, batcher: Batcher) -> None:
    network.gate.set()
    for level in (1, 2):
        assert batcher.answer(grey(level), 1).label == str(level)
    assert network.batches == [[1], [2]]


def test_of_large_pictures_fewer_go_together(network: Network, batcher: Batcher) -> None:
    with asking(network, batcher, list(range(5)), side=1024):
        pass
    assert [len(batch) for batch in network.batches] == [1, 2, 2]


def test_one_that_fails_takes_nobody_along(network: Network, batcher: Batcher) -> None:
    with asking(network, batcher, [1, 2, BAD, 3]) as futures:
        network.gate.set()
        with pytest.raises(ArithmeticError, match="no answer about 13"):
            futures[2].result(WITHIN_S)
        assert [futures[number].result(WITHIN_S).label for number in (0, 1, 3)] == ["1", "2", "3"]
    assert network.batches == [[1], [2, BAD, 3], [2], [BAD], [3]]
    assert batcher.answer(grey(4), 1).label == "4"


def test_a_number_of_classes_that_cannot_be_is_its_callers_own(network: Network, batcher: Batcher) -> None:
    with pytest.raises(UsageError, match="top_k is 0"):
        batcher.answer(grey(1), 0)
    assert network.batches == []


def test_the_answers_are_those_of_each_alone() -> None:
    predictor = Predictor(small(), device="cpu")
    chance = np.random.default_rng(0)
    pictures = [chance.integers(0, 256, (64, 64, 3), np.uint8) for _ in range(12)]
    batcher = Batcher(predictor)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda pixels: batcher.answer(pixels, 3), pictures))
    for pixels, answer in zip(pictures, answers, strict=True):
        alone = predictor.answer([pixels], 3)[0]
        assert [label for label, _ in answer.top] == [label for label, _ in alone.top]
        assert [share for _, share in answer.top] == pytest.approx([share for _, share in alone.top], abs=1e-4)


def batch_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "batches"]


@pytest.mark.parametrize("level", [1, BAD])
def test_with_it_go_its_thread_and_the_model(level: int) -> None:
    """Without the garbage collector's help, which may come hours later."""
    network: Network | None = Network()
    assert network is not None
    network.gate.set()
    before = batch_threads()
    batcher: Batcher | None = Batcher(network)  # type: ignore[arg-type]  # it stands in
    assert batcher is not None
    picture: Pixels | None = grey(level)
    assert picture is not None
    gone = [weakref.ref(network), weakref.ref(batcher), weakref.ref(picture)]
    gc.disable()
    try:
        try:
            batcher.answer(picture, 1)
        except ArithmeticError:
            assert level == BAD
        (thread,) = [each for each in batch_threads() if each not in before]
        network = batcher = picture = None
        thread.join(WITHIN_S)
        assert not thread.is_alive()
        assert [each() for each in gone] == [None, None, None]
    finally:
        gc.enable()


# A network that takes no time; what is printed is all that a test looks at.
_SCRIPT = """
import atexit, os, sys, threading, warnings
import numpy as np
from tars_hub.batching import Batcher
from tars_hub.errors import TarsError
from tars_hub.predict import Prediction

class Network:
    def answer(self, pictures, top_k):
        return [Prediction(label="yes", probability=1.0, top=(("yes", 1.0),))] * len(pictures)

def ask():
    try:
        print(batcher.answer(np.zeros((8, 8, 3), np.uint8), 1).label, flush=True)
    except TarsError as error:
        print(error, flush=True)

batcher = Batcher(Network())
"""


def said(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _SCRIPT + script],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )
    assert done.stderr == ""
    return done.stdout


def test_at_the_end_of_the_process_nobody_waits_for_ever() -> None:
    last = "class Last:\n    def __del__(self): ask()\nlast = Last()\n"
    out = said(f"{last}ask()\natexit.register(ask)\n")
    assert out.splitlines()[0] == "yes"
    # At exit, and when what is left is torn down, if Python comes to that: an answer or an error.
    assert 2 <= len(out.splitlines()) <= 3
    assert set(out.splitlines()[1:]) <= {"yes", "The process is ending; nothing is answered any more."}


def test_a_process_may_end_while_its_network_answers(tmp_path: Path) -> None:
    small().save_pretrained(tmp_path / "model")
    script = f"""
import threading, time
import numpy as np
from tars_hub import Predictor
from tars_hub.batching import Batcher

batcher, picture = Batcher(Predictor.from_pretrained({str(tmp_path / "model")!r})), np.zeros((224, 224, 3), np.uint8)
answered = threading.Semaphore(0)

def ask():
    while True:
        batcher.answer(picture, 1)
        answered.release()

for _ in range(4):
    threading.Thread(target=ask, daemon=True).start()
for _ in range(9):
    answered.acquire()
"""
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, check=False, capture_output=True, text=True, timeout=WITHIN_S
        )
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="this system cannot fork")
def test_a_fork_answers_by_itself() -> None:
    assert said("ask()\nif os.fork() == 0:\n    ask()\n    os._exit(0)\nos.wait()\nask()\n") == "yes\n" * 3


def test_callers_share_those_who_wait(network: Network) -> None:
    batcher, before = Batcher(network, callers=3), batch_threads()  # type: ignore[arg-type]  # it stands in
    with ThreadPoolExecutor(12) as pool:
        futures = []
        for level in range(100, 103):
            futures.append(pool.submit(batcher.answer, grey(level), 1))
            assert network.asked.acquire(timeout=WITHIN_S)  # three are in the network at the same time
        futures += [pool.submit(batcher.answer, grey(level), 1) for level in range(103, 112)]
        while batcher._line is None or batcher._line.waiting.qsize() < 9:
            threading.Event().wait(0.001)
        network.gate.set()
        assert [future.result(WITHIN_S).label for future in futures] == [str(level) for level in range(100, 112)]
    assert [len(batch) for batch in network.batches[:3]] == [1, 1, 1]
    assert 1 < max(len(batch) for batch in network.batches[3:]) <= 3
    threads = [each for each in batch_threads() if each not in before]
    assert len(threads) == 3
    del batcher
    for thread in threads:
        thread.join(WITHIN_S)
        assert not thread.is_alive()
