"""Averaged weights: the mean of the last steps' answers better than the last step (Polyak & Juditsky 1992)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from .recipe import Recipe, ema_decay


class AveragedWeights:
    """A copy of the network whose floats follow the trained ones slowly; whole numbers are copied."""

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        self.network = copy.deepcopy(network).eval()
        self._recipe = recipe
        own, trained = _tensors(self.network), _tensors(network)
        self._floats = [(own[key], trained[key]) for key in own if own[key].is_floating_point()]
        self._others = [(own[key], trained[key]) for key in own if not own[key].is_floating_point()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after an optimizer's step, counted from 0."""
        own, trained = [a for a, _ in self._floats], [b for _, b in self._floats]
        torch._foreach_lerp_(own, trained, 1 - ema_decay(self._recipe, step))
        for a, b in self._others:
            a.copy_(b)


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    """Those of its state; they themselves, because DistributedDataParallel moves what lies behind them."""
    kept = network.state_dict().keys()
    found = (*network.named_parameters(), *network.named_buffers())
    return {name: tensor for name, tensor in found if name in kept}
