"""Mixup and cutmix between the two pictures of a pair: neighbours in the shuffled batch.

Pairs, and a share seeded by (seed, epoch, draw), make the result the same for any number of processes.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from .batches import Batch
from .recipe import Recipe

_SALT = 0x6D6978  # keeps these numbers apart from those of the picture's own variations


def mix(batch: Batch, targets: Tensor, recipe: Recipe, *, seed: int, epoch: int) -> tuple[Tensor, Tensor]:
    """Blend pictures and targets with their partners', as the recipe says.

    Mixup is of Zhang et al. 2018 (arXiv:1710.09412), cutmix of Yun et al. 2019 (arXiv:1905.04899).

    Shapes: (N, 3, S, S) inputs and (N, C) targets, both kept.
    """
    if not recipe.mixup and not recipe.cutmix:
        return batch.inputs, targets
    inputs, targets = batch.inputs.clone(), targets.clone()
    row_at = {place: row for row, place in enumerate(batch.places)}
    for place in range(0, max(row_at, default=-1), 2):
        if place in row_at and place + 1 in row_at:  # a partner that is broken leaves the other as it is
            a, b = row_at[place], row_at[place + 1]
            _mix_pair(inputs, targets, (a, b), recipe, np.random.default_rng((seed, epoch, batch.draws[a], _SALT)))
    return inputs, targets


def _mix_pair(inputs: Tensor, targets: Tensor, rows: tuple[int, int], recipe: Recipe, rng: np.random.Generator) -> None:
    there, back = list(rows), list(reversed(rows))
    cut = recipe.cutmix > 0 and (not recipe.mixup or rng.random() < 0.5)
    if cut:
        top, bottom, left, right = _box(inputs.shape[-1], 1 - rng.beta(recipe.cutmix, recipe.cutmix), rng)
        share = 1 - (bottom - top) * (right - left) / inputs.shape[-1] ** 2
        inputs[there, :, top:bottom, left:right] = inputs[back, :, top:bottom, left:right]
    else:
        share = float(rng.beta(recipe.mixup, recipe.mixup))
        inputs[there] = share * inputs[there] + (1 - share) * inputs[back]
    targets[there] = share * targets[there] + (1 - share) * targets[back]


def _box(side: int, area: float, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Top, bottom, left, right in pixels of a square of that share of the picture, cut off at its borders."""
    half = side * math.sqrt(area) / 2
    y, x = rng.uniform(0, side, size=2)
    edges = np.clip(np.rint([y - half, y + half, x - half, x + half]), 0, side).astype(int)
    return int(edges[0]), int(edges[1]), int(edges[2]), int(edges[3])


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """(N,) int64 to (N, C) float32."""
    return torch.nn.functional.one_hot(labels, num_classes).float()
