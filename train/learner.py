"""One optimizer's step: a global batch's gradient, computed by all processes and in parts where it is asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, AdamW, Optimizer

from tars_hub.model import TarsClassifier

from .batches import Batch
from .config import TrainConfig
from .ema import AveragedWeights
from .layers import parameter_groups, set_training
from .mixing import mix, one_hot
from .noise import install
from .processes import Processes
from .recipe import Recipe
from .state import fill_network, fill_optimizer, pack, pack_optimizer, unpack

_AUX_WEIGHT = {"inception_v3": 0.4, "googlenet": 0.3}  # of auxiliary losses, as their papers weigh them


class Learner:
    """The network that learns, with what makes it learn.

    Attributes:
        model: the classifier in training.
        updates: steps done in the whole run.
    """

    def __init__(
        self, model: TarsClassifier, heads: tuple[str, ...], config: TrainConfig, processes: Processes, *, updates: int
    ) -> None:
        self.model, self.updates = model, updates
        self._config, self._recipe, self._processes = config, config.how, processes
        self._noise = install(model.backbone)
        self._average = AveragedWeights(model.backbone, self._recipe) if self._recipe.ema else None
        optimizer = _optimizer(self._recipe, parameter_groups(model.backbone, heads, self._recipe))
        self._wrapped, self._optimizer = processes.accelerator.prepare(model, optimizer)

    @property
    def network(self) -> nn.Module:
        """The one that is measured and kept: the averaged one where weights are averaged."""
        return self._average.network if self._average else self.model.backbone

    def step(self, parts: Sequence[Batch], planned: int, epoch: int, lr_share: float) -> tuple[Tensor, Tensor, int]:
        """Learn from this process's parts of a batch.

        Args:
            planned: pictures in the whole batch, over all processes; each weighs one in so many.

        Returns:
            The sum of the losses and the number of right answers, as scalars on the device, and of how many pictures.
        """
        set_training(self.model, self._recipe.batch_norm)
        for group in self._optimizer.param_groups:
            group["lr"] = group["peak_lr"] * lr_share
        self._optimizer.zero_grad(set_to_none=True)
        sums = [self._backward(part, planned, epoch, last=part is parts[-1]) for part in parts]
        if self._recipe.clip_norm:
            self._processes.accelerator.clip_grad_norm_(self.model.parameters(), self._recipe.clip_norm)
        self._optimizer.step()
        if self._average:
            self._average.update(self.updates)
        self.updates += 1
        losses, right = zip(*sums, strict=True)
        return torch.stack(losses).sum(), torch.stack(right).sum(), sum(map(len, parts))

    def _backward(self, part: Batch, planned: int, epoch: int, *, last: bool) -> tuple[Tensor, Tensor]:
        accelerator = self._processes.accelerator
        inputs, targets, draws, weight = self._shown(part, epoch)
        if weight == 0:
            # Pictures that are none must not enter BatchNorm's statistics; all else, auxiliary heads too, must run.
            set_training(self.model, "keep")
        self._noise.seed(self._config.seed, epoch, draws, self._processes.device)
        with contextlib.nullcontext() if last else accelerator.no_sync(self._wrapped):
            losses, logits = self._losses(inputs, targets)
            loss = losses.sum() * weight
            # The processes' gradients are averaged, so each one's share of the mean is counted that often.
            accelerator.backward(loss * (self._processes.count / planned))
        if weight == 0:
            set_training(self.model, self._recipe.batch_norm)
        labels = part.labels.to(self._processes.device, non_blocking=True)
        right = (logits[: len(labels)].argmax(1) == labels).sum()
        return loss.detach().float(), right

    def _shown(self, part: Batch, epoch: int) -> tuple[Tensor, Tensor, list[int], float]:
        """Inputs and targets on the device, with each one's draw and weight.

        A picture alone is shown twice, at half the weight: BatchNorm cannot train on one. Where there is none, two of
        zeros without weight keep this process in step with the others.
        """
        inputs, targets = mix(
            part, one_hot(part.labels, self.model.num_classes), self._recipe, seed=self._config.seed, epoch=epoch
        )
        draws, weight = list(part.draws), 1.0
        if len(part) == 0:
            inputs, targets = torch.zeros(2, *inputs.shape[1:]), torch.zeros(2, self.model.num_classes)
            draws, weight = [0, 0], 0.0
        elif len(part) == 1:
            inputs, targets = inputs.repeat(2, 1, 1, 1), targets.repeat(2, 1)
            draws, weight = draws * 2, 0.5
        device = self._processes.device
        inputs = inputs.to(device, memory_format=torch.channels_last, non_blocking=True)
        return inputs, targets.to(device, non_blocking=True), draws, weight

    def _losses(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """(N,) losses, those of auxiliary heads among them, and (N, C) logits."""
        answer = self._wrapped(inputs)
        logits: Tensor = answer if isinstance(answer, Tensor) else answer.logits
        smoothing = self._recipe.label_smoothing
        losses = functional.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="none")
        if not isinstance(answer, Tensor):
            auxiliary = [part for name, part in answer._asdict().items() if name != "logits" and part is not None]
            weight = _AUX_WEIGHT[self.model.config.backbone]
            losses = losses + weight * sum(
                functional.cross_entropy(part, targets, reduction="none") for part in auxiliary
            )
        return losses, logits

    def tensors(self) -> dict[str, Tensor]:
        """Everything that another process needs to go on: weights, averages, the optimizer's moments."""
        found = pack("model", self.model.backbone.state_dict())
        if self._average:
            found |= pack("average", self._average.network.state_dict())
        return found | pack_optimizer(self._optimizer)

    def scaler(self) -> dict[str, Any]:
        """The state of fp16's loss scaling; empty without."""
        scaler = self._processes.accelerator.scaler
        return dict(scaler.state_dict()) if scaler else {}

    def fill(self, tensors: dict[str, Tensor], scaler: dict[str, Any]) -> None:
        """Put back what `tensors` and `scaler` gave.

        Raises:
            WeightsError, ValueError: these are another run's.
        """
        parts = {"model", "average", "optimizer"} if self._average else {"model", "optimizer"}
        strangers = {name for name in tensors if name.partition(".")[0] not in parts}
        if strangers:
            raise ValueError(f"{min(strangers)} is unknown")
        fill_network(self.model.backbone, unpack("model", tensors))
        if self._average:
            fill_network(self._average.network, unpack("average", tensors))
        moments = _moments(self._recipe)
        # fp16 passes over the first steps until its scale is found.
        if moments and self.updates and not scaler and not unpack("optimizer", tensors):
            raise ValueError("the optimizer's moments are missing")
        fill_optimizer(self._optimizer, tensors, moments)
        if scaler and self._processes.accelerator.scaler:
            self._processes.accelerator.scaler.load_state_dict(scaler)


def _moments(recipe: Recipe) -> tuple[str, ...]:
    """What the optimizer keeps of each parameter."""
    if recipe.optimizer == "sgd":
        return ("momentum_buffer",) if recipe.momentum else ()
    return "step", "exp_avg", "exp_avg_sq"


def _optimizer(recipe: Recipe, groups: list[dict[str, Any]]) -> Optimizer:
    rate = recipe.peak_lr
    if recipe.optimizer == "sgd":
        return SGD(groups, lr=rate, momentum=recipe.momentum)
    fused = all(each.device.type in {"cpu", "cuda"} for group in groups for each in group["params"])
    return AdamW(groups, lr=rate, betas=(recipe.momentum, 0.999), fused=fused)
