"""Batches come in order, without the broken, however many threads read them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tars_hub.config import Preprocess
from tars_hub.errors import PictureError
from train import batches as module
from train.batches import batches, default_workers
from train.data import PictureSet
from train.plan import in_turn

PLAIN = Preprocess(crop_size=2, resize_size=2, mean=(0, 0, 0), std=(1 / 255,) * 3)
TEN = PictureSet(tuple(Path(str(index)) for index in range(10)), tuple(range(10)))


def read(draw: int, _: int) -> NDArray[np.uint8]:
    if draw % 10 == 4:
        raise PictureError("4", "broken")
    return np.full((2, 2, 3), draw, np.uint8)


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_in_order_without_the_broken(workers: int) -> None:
    got = list(batches(TEN, in_turn(10, 3), read, PLAIN, epoch=0, workers=workers))
    assert [len(batch) for batch in got] == [3, 2, 3, 1]
    assert [batch.planned for batch in got] == [3, 3, 3, 1]
    assert torch.cat([batch.labels for batch in got]).tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert got[1].inputs[:, 0, 0, 0].tolist() == pytest.approx([3, 5])
    assert got[1].draws == (3, 5)
    assert got[1].places == (0, 2)  # where they stood, broken neighbours counted
    assert [error.name for error in got[1].broken] == ["4"]


def test_a_batch_of_broken_pictures_is_empty_and_keeps_its_shape() -> None:
    (batch,) = batches(TEN, [[4, 14]], read, PLAIN, epoch=0, workers=1)
    assert len(batch) == 0
    assert batch.inputs.shape == (0, 3, 2, 2)
    assert len(batch.broken) == 2


def test_a_later_draw_of_a_picture_has_its_label() -> None:
    (batch,) = batches(TEN, [[3, 13, 23]], read, PLAIN, epoch=0, workers=1)
    assert batch.labels.tolist() == [3, 3, 3]


def test_only_a_few_batches_are_read_ahead_and_the_threads_end_with_the_reader() -> None:
    asked: list[int] = []

    def plan() -> Iterator[list[int]]:
        for start in range(0, 1000, 2):
            asked.append(start)
            yield [start % 10, start % 10]

    before = threading.active_count()
    found = batches(TEN, plan(), read, PLAIN, epoch=0, workers=2)
    next(found)
    assert len(asked) <= 2 + module._AHEAD
    found.close()
    assert threading.active_count() == before


def test_what_is_no_broken_picture_is_not_hidden() -> None:
    def fail(*_: int) -> NDArray[np.uint8]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(batches(TEN, [[1]], fail, PLAIN, epoch=0, workers=1))


def test_default_workers_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, processes, expected in ((64, 1, 8), (4, 1, 4), (4, 2, 2), (1, 4, 1), (None, 1, 1)):
        monkeypatch.setattr("os.cpu_count", lambda cores=cores: cores)
        assert default_workers(processes) == expected
