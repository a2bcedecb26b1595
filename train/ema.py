"""Averaged weights: the mean of the last steps' answers better than the last step (Polyak & Juditsky 1992)."""

from __future__ import annotations

import copy

import torch
from torch import nn

from .recipe import Recipe, ema_decay


class AveragedWeights:
    """A copy of the network whose floats follow the trained ones slowly; whole numbers are copied."""

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        self.network = copy.deepcopy(network).eval()
        self._recipe = recipe
        own, trained = self.network.state_dict(), network.state_dict()
        self._floats = [(own[key], trained[key]) for key in own if own[key].is_floating_point()]
        self._others = [(own[key], trained[key]) for key in own if not own[key].is_floating_point()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after an optimizer's step, counted from 0."""
        own, trained = [a for a, _ in self._floats], [b for _, b in self._floats]
        torch._foreach_lerp_(own, trained, 1 - ema_decay(self._recipe, step))
        for a, b in self._others:
            a.copy_(b)
