"""Weights for the tests of comparisons: a small network's tensors, and its head changed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

Tensors = dict[str, NDArray[np.float32]]
HEAD = ("fc.bias", "fc.weight")


def network(seed: int = 1) -> Tensors:
    """Named and shaped as a ResNet is, 1.4 million parameters."""
    rng = np.random.default_rng(seed)

    def noise(*shape: int) -> NDArray[np.float32]:
        return rng.standard_normal(shape, dtype=np.float32)

    found: Tensors = {"conv1.weight": noise(64, 3, 7, 7)}
    for layer in range(1, 5):
        found |= {
            f"layer{layer}.conv.weight": noise(32 * layer, 64, 3, 3),
            f"layer{layer}.bn.weight": noise(32 * layer),
            f"layer{layer}.bn.bias": noise(32 * layer),
            f"layer{layer}.more.weight": noise(256, 1024),
        }
    return found | {"fc.weight": noise(10, 512), "fc.bias": noise(10)}


def with_new_head(tensors: Tensors) -> Tensors:
    return tensors | {name: tensors[name] + 1 for name in HEAD}


def file_of(tensors: Tensors, **metadata: str) -> bytes:
    return bytes(save(tensors, metadata={"format": "pt", **metadata}))
