"""Many pictures through an engine: sizes of batches, memory that does not suffice, order."""

from collections.abc import Sequence

import numpy as np
import pytest

from tars_hub.errors import PictureError
from tars_hub.pipeline import BatchSize, in_order
from tars_hub.samples import Pixels

SMALL = np.zeros((8, 8, 3), np.uint8)


def run(size: BatchSize, seconds: dict[int, float], batches: int = 40) -> list[int]:
    """The sizes that are tried where a batch of so many takes so long."""
    tried = []
    for _ in range(batches):
        tried.append(size.now)
        size.took([SMALL] * size.now, seconds.get(size.now, size.now * 1.0))
    return tried


def test_batches_grow_while_that_is_faster_for_each_picture() -> None:
    tried = run(BatchSize(), {1: 2.0, 2: 3.0, 4: 4.0, 8: 6.0, 16: 10.0, 32: 20.0})
    assert sorted(set(tried)) == [1, 2, 4, 8, 16, 32]
    assert tried[-1] == 16


def test_one_slow_batch_does_not_stop_it() -> None:
    size = BatchSize()
    for took in (4.0, 400.0, 4.0):
        size.took([SMALL], took)
    for took in (4.0, 4.0, 4.0):
        size.took([SMALL] * 2, took)
    assert size.now == 4


def test_large_pictures_go_in_small_batches() -> None:
    large = np.zeros((1024, 1024, 3), np.uint8)
    size = BatchSize()
    for _ in range(20):
        size.took([large] * size.now, 1.0 * size.now**0.5)
    assert size.now == 8


def test_a_size_that_somebody_chose_stays() -> None:
    assert set(run(BatchSize(5), {5: 1.0})) == {5}


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("CUDA out of memory. Tried…"), RuntimeError("std::bad_alloc")]
)
def test_what_does_not_fit_goes_in_parts(error: Exception) -> None:
    asked = []

    def ask(pictures: Sequence[Pixels]) -> list[int]:
        asked.append(len(pictures))
        if len(pictures) > 3:
            raise error
        return [int(picture[0, 0, 0]) for picture in pictures]

    numbered = [np.full((8, 8, 3), number, np.uint8) for number in range(40)]
    size = BatchSize(16)
    assert list(in_order(numbered, lambda picture: picture, ask, size=size, callers=1)) == list(range(40))
    assert size.now <= 3
    assert asked.count(16) <= 3  # those that were on their way when the first failed


def test_another_failure_is_the_callers() -> None:
    def ask(_: Sequence[Pixels]) -> list[int]:
        raise RuntimeError("the network is broken")

    with pytest.raises(RuntimeError, match="the network is broken"):
        list(in_order([SMALL] * 40, lambda picture: picture, ask, size=BatchSize(), callers=2))


@pytest.mark.parametrize("callers", [1, 3])
def test_what_cannot_be_read_stands_in_its_place(callers: int) -> None:
    def read(number: int) -> Pixels:
        if number % 5 == 0:
            raise PictureError(str(number), "for a test")
        return np.full((2, 2, 3), number, np.uint8)

    found = list(
        in_order(range(99), read, lambda batch: [int(p[0, 0, 0]) for p in batch], size=BatchSize(), callers=callers)
    )
    assert [item.name if isinstance(item, PictureError) else item for item in found] == [
        str(number) if number % 5 == 0 else number for number in range(99)
    ]
