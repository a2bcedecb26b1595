"""How the learning rate moves and what it moves: pure functions of the step and the network.

AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) with a linear warm-up and a cosine to zero; the
head, which starts from nothing, learns faster than layers that already know pictures.
"""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from .config import Freeze

WEIGHT_DECAY = 0.05
LABEL_SMOOTHING = 0.05
CLIP_NORM = 5.0
_SCRATCH_LR = 2e-3  # at a batch of 64
_FINETUNE_LR = 2e-4
_HEAD_FACTOR = 5.0
_WARMUP_SHARE = 0.1


def peak_lr(*, pretrained: bool, batch_size: int) -> float:
    """Learning rate at the end of the warm-up; Adam's grows with the root of the batch (arXiv:2205.10287)."""
    return (_FINETUNE_LR if pretrained else _SCRATCH_LR) * math.sqrt(batch_size / 64)


def lr_factor(step: int, total_steps: int) -> float:
    """Share of the peak learning rate at a step: 0 up to 1, then a half cosine down to 0."""
    warmup = max(1, round(total_steps * _WARMUP_SHARE))
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(1, total_steps - warmup)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def parameter_groups(
    network: nn.Module, heads: tuple[str, ...], lr: float, *, pretrained: bool
) -> list[dict[str, Any]]:
    """Trainable parameters for the optimizer: heads faster where the rest is pretrained, no decay on vectors."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            in_head = any(name.startswith(f"{head}.") for head in heads)
            groups.setdefault((in_head and pretrained, parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": lr * (_HEAD_FACTOR if fast else 1.0),
            "weight_decay": WEIGHT_DECAY if decays else 0.0,
        }
        for (fast, decays), parameters in groups.items()
    ]


def freeze(network: nn.Module, heads: tuple[str, ...], what: Freeze) -> None:
    """Mark what keeps its weights: nothing, the first half of the layers, or all but the heads."""
    layers = [
        (path, layer)
        for path, layer in network.named_modules()
        if path not in heads and any(True for _ in layer.parameters(recurse=False))
    ]
    count = {"none": 0, "initial": len(layers) // 2, "backbone": len(layers)}[what]
    for _, layer in layers[:count]:
        for parameter in layer.parameters(recurse=False):
            parameter.requires_grad_(requires_grad=False)


def set_training(network: nn.Module) -> None:
    """Training mode, except where frozen: BatchNorm's running statistics there must not drift."""
    network.train()
    for layer in network.modules():
        own = list(layer.parameters(recurse=False))
        if own and not any(parameter.requires_grad for parameter in own):
            layer.eval()
