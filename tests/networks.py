"""Networks as plain torchvision makes them, for tests that compare ours with them."""

from __future__ import annotations

import torch
import torchvision
from torch import Tensor, nn


def plain(name: str, num_classes: int = 3, **options: object) -> nn.Module:
    """torchvision's network in eval mode; its BatchNorm statistics are lively, so that mixing them up shows."""
    network: nn.Module = torchvision.models.get_model(name, weights=None, num_classes=num_classes, **options)
    for key, buffer in network.named_buffers():
        if key.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.5, 1.5)
        elif key.endswith("num_batches_tracked"):
            buffer.fill_(7)
    return network.eval()


def pictures(px: int = 64, count: int = 2) -> Tensor:
    """(N, 3, px, px) float32."""
    return torch.rand(count, 3, px, px, generator=torch.Generator().manual_seed(0))


def answers(network: nn.Module, px: int = 64, count: int = 2) -> Tensor:
    """The logits of a few pictures."""
    with torch.inference_mode():
        logits: Tensor = network(pictures(px, count))
    return logits


def assert_same_answers(ours: Tensor, theirs: Tensor, tolerance: float = 1e-4) -> None:
    """Compared with the largest logit, because random networks answer with anything up to 1e7."""
    assert ours.shape == theirs.shape
    assert bool(theirs.isfinite().all())
    difference, size = float((ours - theirs).abs().max()), float(theirs.abs().max())
    assert difference <= tolerance * size, f"the largest difference is {difference} of {size}"
