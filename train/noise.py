"""Dropout and stochastic depth whose chances belong to the picture, not to its place in a batch.

torch draws them for a batch as a whole, so that two processes, or a batch computed in parts, would train otherwise
than one. Here each number is a hash of (seed, epoch, draw, layer, element).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.ops import StochasticDepth

# The finaliser of splitmix64 (Steele et al. 2014, doi:10.1145/2660193.2660195); int64 wraps as its uint64 does.
_STEP, _FIRST, _SECOND = -7046029254386353131, -4658895280553007687, -7723592293110705685
_BITS = 24  # of a float32's precision


class PictureNoise:
    """Holds the seeds of the pictures in the batch at hand, for the layers that ask."""

    def __init__(self) -> None:
        self._seeds: Tensor | None = None

    def seed(self, seed: int, epoch: int, draws: Sequence[int], device: torch.device) -> None:
        """Set the seeds for the next forward pass, one for each picture of the batch."""
        rows = np.asarray(draws, dtype=np.int64).reshape(-1, 1)
        run = np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64).astype(np.int64)
        self._seeds = _mix(torch.from_numpy(rows * _STEP + run)).to(device)

    def uniform(self, shape: Sequence[int], layer: int) -> Tensor:
        """(N, …) float32 in 0..1, below 1, for the pictures of the batch."""
        assert self._seeds is not None  # noqa: S101  # a step without seeds is a mistake here
        size = int(np.prod(shape[1:]))
        element = torch.arange(size, device=self._seeds.device, dtype=torch.int64) + (layer << 40)
        bits = _mix(self._seeds + element * _STEP) >> (64 - _BITS) & ((1 << _BITS) - 1)
        return (bits.float() * 2.0**-_BITS).view(tuple(shape))


def install(network: nn.Module) -> PictureNoise:
    """Replace the network's random layers by ones that ask the returned noise; its tensors' names stay."""
    noise = PictureNoise()
    found = [
        (name, layer) for name, layer in network.named_modules() if isinstance(layer, (nn.Dropout, StochasticDepth))
    ]
    for index, (name, layer) in enumerate(found):
        if layer.p > 0:
            drop = _Drop(noise, index, layer.p, whole=isinstance(layer, StochasticDepth))
            _put(network, name, drop.train(layer.training))
    return noise


class _Drop(nn.Module):
    """Zeros with chance p, elements or whole pictures; the rest grows to keep the mean."""

    def __init__(self, noise: PictureNoise, layer: int, p: float, *, whole: bool) -> None:
        super().__init__()
        self._noise, self._layer, self._p, self._whole = noise, layer, p, whole

    def forward(self, values: Tensor) -> Tensor:
        """(N, …), kept."""
        if not self.training:
            return values
        shape = (len(values), *(1 for _ in values.shape[1:])) if self._whole else tuple(values.shape)
        kept = self._noise.uniform(shape, self._layer) >= self._p
        return values * (kept.to(values.dtype) / (1 - self._p))


def _put(network: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(network.get_submodule(parent), leaf, layer)


def _mix(values: Tensor) -> Tensor:
    values = (values ^ _shifted(values, 30)) * _FIRST
    values = (values ^ _shifted(values, 27)) * _SECOND
    return values ^ _shifted(values, 31)


def _shifted(values: Tensor, bits: int) -> Tensor:
    """Right by so many bits, zeros coming in: int64's own shift would bring the sign in."""
    return values >> bits & ((1 << (64 - bits)) - 1)
