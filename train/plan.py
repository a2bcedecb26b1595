"""Which pictures make up which batch, and who reads them: pure functions of seed and epoch.

A *draw* is one showing of a picture in an epoch: its position in the set, plus the set's length for each time it was
shown before. All that happens to a picture at random is seeded by (seed, epoch, draw), so neither the number of
threads nor of processes changes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


def order(labels: Sequence[int], batch_size: int, *, seed: int, epoch: int, balance: bool = False) -> list[list[int]]:
    """Shuffled draws in batches, as many as there are pictures; of a last one alone the batch before takes care.

    Args:
        balance: every class equally often, rare ones by repeating their pictures.
    """
    rng = np.random.default_rng((seed, epoch))
    draws = _balanced(np.asarray(labels), rng) if balance else rng.permutation(len(labels))
    batches = _chunks(draws.tolist(), batch_size)
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2].extend(batches.pop())
    return batches


def in_turn(count: int, batch_size: int) -> list[list[int]]:
    """Draws 0 to count - 1 in batches."""
    return _chunks(list(range(count)), batch_size)


def parts(batch: Sequence[int], count: int) -> list[list[int]]:
    """A batch in `count` consecutive parts, of which some may be empty; pairs (0, 1), (2, 3) … stay together."""
    pairs = [list(batch[start : start + 2]) for start in range(0, len(batch), 2)]
    edges = [round(index * len(pairs) / count) for index in range(count + 1)]
    found = [[draw for pair in pairs[a:b] for draw in pair] for a, b in pairwise(edges)]
    return sorted(found, key=lambda part: not part)  # empty ones last, so that the first process never has one


def _balanced(labels: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Classes take turns; each deals out its pictures, shuffled, and begins anew when it has none left."""
    classes = rng.permutation(np.unique(labels))
    turns = -(-len(labels) // len(classes))
    table = np.stack([_dealt(np.flatnonzero(labels == each), turns, len(labels), rng) for each in classes], axis=1)
    return rng.permutation(table.reshape(-1)[: len(labels)])


def _dealt(positions: NDArray[np.int64], turns: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    rounds = -(-turns // len(positions))
    return np.concatenate([rng.permutation(positions) + again * count for again in range(rounds)])[:turns]


def _chunks(draws: list[int], size: int) -> list[list[int]]:
    return [draws[start : start + size] for start in range(0, len(draws), size)]
