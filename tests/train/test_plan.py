"""Who is shown when: batches as pure functions of seed and epoch."""

from __future__ import annotations

from collections import Counter

import pytest

from train.plan import in_turn, order, parts


def flat(batches: list[list[int]]) -> list[int]:
    return [draw for batch in batches for draw in batch]


@pytest.mark.parametrize(("count", "size"), [(9, 4), (8, 4), (17, 16), (3, 100), (5, 2)])
def test_every_picture_once_and_none_alone_at_the_end(count: int, size: int) -> None:
    batches = order([0] * count, size, seed=0, epoch=1)
    assert sorted(flat(batches)) == list(range(count))
    assert all(len(batch) > 1 for batch in batches)


def test_a_single_picture_is_a_batch() -> None:
    assert order([0], 8, seed=0, epoch=1) == [[0]]


def test_order_depends_on_seed_and_epoch_alone() -> None:
    labels = [0] * 50
    assert order(labels, 8, seed=1, epoch=2) == order(labels, 8, seed=1, epoch=2)
    assert order(labels, 8, seed=1, epoch=2) != order(labels, 8, seed=1, epoch=3)
    assert order(labels, 8, seed=1, epoch=2) != order(labels, 8, seed=2, epoch=2)
    assert flat(order(labels, 8, seed=1, epoch=2)) == flat(order(labels, 10, seed=1, epoch=2))


def test_balance_shows_every_class_equally_often() -> None:
    labels = [0] * 90 + [1] * 9 + [2]
    draws = flat(order(labels, 8, seed=0, epoch=1, balance=True))
    assert len(draws) == 100
    assert sorted(Counter(labels[draw % 100] for draw in draws).values()) == [33, 33, 34]
    assert len(set(draws)) == 100  # a picture shown again is another draw, varied otherwise
    rare = Counter(draw % 100 for draw in draws if labels[draw % 100] == 1)
    assert set(rare) == set(range(90, 99))
    assert max(rare.values()) - min(rare.values()) <= 1
    common = [draw % 100 for draw in draws if labels[draw % 100] == 0]
    assert len(set(common)) == len(common)


def test_balance_draws_anew_each_epoch() -> None:
    labels = [0] * 30 + [1] * 3
    first, second = (
        {draw for draw in flat(order(labels, 8, seed=0, epoch=epoch, balance=True)) if draw < 30} for epoch in (1, 2)
    )
    assert first != second


def test_in_turn() -> None:
    assert in_turn(5, 2) == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize("size", range(1, 20))
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_parts_are_consecutive_keep_pairs_together_and_are_empty_last(size: int, count: int) -> None:
    found = parts(range(size), count)
    assert len(found) == count
    assert flat(found) == list(range(size))
    assert all(part[0] % 2 == 0 for part in found if part)
    sizes = [bool(part) for part in found]
    assert sizes == sorted(sizes, reverse=True)
    filled = [len(part) for part in found if part]
    assert max(filled) - min(filled) <= 3


def test_halves_of_halves_are_what_two_processes_computing_halves_have() -> None:
    batch = list(range(32))
    assert [part for half in parts(batch, 2) for part in parts(half, 2)] == parts(batch, 4)
