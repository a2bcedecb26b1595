"""Batches as tensors, read ahead in threads.

OpenCV decodes outside Python's lock, and one process means one cache, no pickling, and the same behaviour on
every system.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tars_hub.config import Preprocess
from tars_hub.errors import PictureError
from tars_hub.preprocess import to_tensor

from .data import PictureSet

Pixels = NDArray[np.uint8]
Read = Callable[[int, int], Pixels]  # (draw, epoch) to (S, S, 3) uint8

_AHEAD = 3  # batches


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What could be read of a planned batch.

    Attributes:
        inputs: (N, 3, S, S) float32.
        labels: (N,) int64.
        draws: (N,) the draw of each.
        places: (N,) where each stood in the plan, which tells its partner for mixing.
        broken: the rest.
    """

    inputs: Tensor
    labels: Tensor
    draws: tuple[int, ...]
    places: tuple[int, ...]
    broken: tuple[PictureError, ...]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def planned(self) -> int:
        """How many pictures were asked for."""
        return len(self.draws) + len(self.broken)


def batches(
    pictures: PictureSet, plan: Iterable[Sequence[int]], read: Read, prepare: Preprocess, *, epoch: int, workers: int
) -> Iterator[Batch]:
    """Read the planned batches in order, a few ahead of the one in use."""

    def load(draw: int) -> Tensor | PictureError:
        try:
            return to_tensor(read(draw, epoch), prepare)
        except PictureError as error:
            return error

    side = prepare.crop_size
    waiting: deque[tuple[Sequence[int], list[Future[Tensor | PictureError]]]] = deque()
    with ThreadPoolExecutor(max(1, workers)) as pool:
        try:
            for draws in plan:
                waiting.append((draws, [pool.submit(load, draw) for draw in draws]))
                if len(waiting) > _AHEAD:
                    yield _collect(pictures, side, *waiting.popleft())
            while waiting:
                yield _collect(pictures, side, *waiting.popleft())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def default_workers(processes: int = 1) -> int:
    """Threads that read pictures: one a core, shared by the processes here; past eight they wait for the disk."""
    return max(1, min(8, (os.cpu_count() or 1) // processes))


def _collect(
    pictures: PictureSet, side: int, draws: Sequence[int], futures: list[Future[Tensor | PictureError]]
) -> Batch:
    results = [future.result() for future in futures]
    good = [(place, item) for place, item in enumerate(results) if isinstance(item, Tensor)]
    kept = tuple(draws[place] for place, _ in good)
    return Batch(
        inputs=torch.stack([item for _, item in good]) if good else torch.empty(0, 3, side, side),
        labels=torch.tensor([pictures.labels[draw % len(pictures)] for draw in kept], dtype=torch.int64),
        draws=kept,
        places=tuple(place for place, _ in good),
        broken=tuple(item for item in results if isinstance(item, PictureError)),
    )
