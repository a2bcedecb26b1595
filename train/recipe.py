"""A recipe is numbers and pure functions of the step: testable and plottable without a network.

finetune   the head first on frozen features, then all layers, lower ones slower (LP-FT, Kumar et al. 2022,
           arXiv:2202.10054; layer-wise decay, Clark et al. 2020, arXiv:2003.10555)
scratch    AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101), warm-up and cosine, for random weights
tutorial   SGD 0.001 with momentum 0.9, a tenth of the rate every seven epochs, nothing else
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from .settings import check, setting

Optimizer = Literal["adamw", "sgd"]
Schedule = Literal["cosine", "step", "constant"]
BatchNorm = Literal["train", "keep"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained; each field is a setting that `--set name=value` changes."""

    name: str = setting("custom", "the recipe's name", shown=False)
    epochs: int = setting(
        10, "times that every picture is seen; 0 with head_first: the head alone", least=0, most=100_000
    )
    batch_size: int = setting(32, "pictures a step, over all processes", least=1, most=1_000_000)
    accumulate: int = setting(1, "parts that a batch is computed in, for want of memory", least=1, most=1024)
    optimizer: Optimizer = setting("adamw", "what moves the weights")
    lr: float = setting(2e-3, "peak learning rate, of a batch of lr_batch pictures", least=1e-12, most=100)
    lr_batch: int = setting(64, "the rate grows with the root of batch_size / lr_batch; 0: it is as given", least=0)
    momentum: float = setting(0.9, "of sgd, and the first beta of adamw", least=0, most=0.9999)
    weight_decay: float = setting(0.05, "of matrices; vectors have none", least=0, most=10)
    schedule: Schedule = setting("cosine", "how the rate falls")
    warmup: float = setting(0.1, "share of the steps in which the rate rises", least=0, most=1)
    step_epochs: int = setting(7, "of schedule=step: epochs between two drops", least=1)
    step_gamma: float = setting(0.1, "of schedule=step: what each drop leaves of the rate", least=0, most=1)
    layer_decay: float = setting(1.0, "rate of each twelfth of the layers, as a share of the next", least=0.01, most=1)
    head_first: bool = setting(False, "fit a new head on frozen features before all else")
    batch_norm: BatchNorm = setting("train", "train: statistics of the batches; keep: those that the weights came with")
    label_smoothing: float = setting(0.0, "share of the target given to all classes alike", least=0, most=0.9)
    mixup: float = setting(0.0, "alpha of mixup; 0 is off, 0.1 mild, 0.2 usual", least=0, most=10)
    cutmix: float = setting(0.0, "alpha of cutmix; 0 is off, 1 usual; with mixup, each takes half", least=0, most=10)
    ema: float = setting(
        0.0, "decay of the averaged weights that are kept; 0 is off, 0.999 usual", least=0, most=0.99999
    )
    clip_norm: float = setting(5.0, "longest gradient; 0 is off", least=0)
    patience: int = setting(0, "stop after so many epochs that bring nothing better; 0 is off", least=0)

    def __post_init__(self) -> None:
        check(self)

    @property
    def peak_lr(self) -> float:
        """The rate at the end of the warm-up; Adam's grows with the root of the batch (arXiv:2205.10287)."""
        return self.lr * (math.sqrt(self.batch_size / self.lr_batch) if self.lr_batch else 1.0)


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "finetune": Recipe(
            name="finetune", epochs=10, lr=1e-4, warmup=0.2, head_first=True, layer_decay=0.8, label_smoothing=0.05
        ),
        "scratch": Recipe(name="scratch", epochs=30, lr=2e-3, label_smoothing=0.05),
        "tutorial": Recipe(
            name="tutorial",
            epochs=5,
            batch_size=8,
            optimizer="sgd",
            lr=1e-3,
            lr_batch=0,
            weight_decay=0.0,
            schedule="step",
            warmup=0.0,
            clip_norm=0.0,
        ),
    }
)


def lr_share(recipe: Recipe, step: float, steps_per_epoch: int) -> float:
    """Share of the peak learning rate, 0..1, at a step counted from 0.

    Warm-up is linear; cosine then falls to 0 at the end; step drops by `step_gamma` every `step_epochs`.
    """
    total = max(1, recipe.epochs * steps_per_epoch)
    warmup = round(total * recipe.warmup)
    if step < warmup:
        return (math.floor(step) + 1) / warmup
    if recipe.schedule == "step":
        return float(recipe.step_gamma ** (step // max(1, steps_per_epoch) // recipe.step_epochs))
    if recipe.schedule == "constant":
        return 1.0
    progress = (step - warmup) / max(1, total - warmup)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def layer_share(recipe: Recipe, depth: int, depths: int) -> float:
    """Share of the learning rate that the layers at a depth get; 1 at the last depth, the head's."""
    return float(recipe.layer_decay ** (depths - 1 - depth))


def ema_decay(recipe: Recipe, update: int) -> float:
    """Decay of the averaged weights at an update counted from 0: low at first, when all weights are still poor."""
    return min(recipe.ema, (1 + update) / (10 + update))
