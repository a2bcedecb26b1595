"""One pass over the pictures: a training epoch, or a validation."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from tars_hub.errors import DataError, TarsError
from tars_hub.model import TarsClassifier

from . import recipe
from .config import TrainConfig
from .console import Console
from .data import Batch, PictureFolder, PictureSet, batches, in_turn, order
from .reading import Reader

_AUX_WEIGHT = {"inception_v3": 0.4, "googlenet": 0.3}  # of auxiliary losses, as their papers weigh them
_SHOW_EVERY = 10  # steps between looks at the loss, each of which waits for the device


@dataclass(frozen=True)
class Score:
    """Mean loss and share of right answers over a number of pictures."""

    loss: float
    accuracy: float
    pictures: int


@dataclass(frozen=True)
class Run:
    """What all epochs share."""

    config: TrainConfig
    console: Console
    folder: PictureFolder
    model: TarsClassifier
    device: torch.device
    train_read: Reader
    val_read: Reader
    workers: int


class _Tally:
    """Sums of loss and right answers, kept on the device so that a step need not wait for it."""

    def __init__(self, device: torch.device) -> None:
        self._sums = torch.zeros(2, dtype=torch.float64, device=device)
        self._pictures = 0

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        right = (logits.argmax(1) == labels).sum()
        self._sums += torch.stack([loss.detach().double() * len(labels), right.double()])
        self._pictures += len(labels)

    def score(self) -> Score:
        loss, right = self._sums.tolist()
        count = max(1, self._pictures)
        return Score(loss / count, right / count, self._pictures)


def train_epoch(this: Run, epoch: int, optimizer: Optimizer, schedule: LRScheduler) -> Score:
    """Every training picture once, in this epoch's order; the score is of the pictures as they were varied.

    Raises:
        DataError: no picture could be read.
        TarsError: the loss is no longer a number.
    """
    recipe.set_training(this.model)
    tally = _Tally(this.device)
    plan = order(len(this.folder.train), this.config.batch_size, seed=this.config.seed, epoch=epoch)
    rng = torch.Generator().manual_seed(this.config.seed * 1_000_003 + epoch)
    with this.console.bar(f"epoch {epoch}/{this.config.epochs}", sum(map(len, plan))) as bar:
        for step, batch in enumerate(_read(this, this.folder.train, plan, this.train_read, epoch)):
            if len(batch):
                _step(this, batch, optimizer, tally, rng)
            schedule.step()
            bar.update(len(batch) + len(batch.broken))
            if step % _SHOW_EVERY == 0:
                score = tally.score()
                bar.set_postfix(loss=f"{score.loss:.4f}", acc=f"{score.accuracy:.4f}", refresh=False)
    return _checked(tally.score(), this.folder.train)


def _step(this: Run, batch: Batch, optimizer: Optimizer, tally: _Tally, rng: torch.Generator) -> None:
    inputs, labels = _to_device(this, batch)
    targets = functional.one_hot(labels, this.model.num_classes).float()
    if this.config.mixup:
        inputs, targets = mixup(inputs, targets, this.config.mixup, rng)
    if len(batch) == 1:
        this.model.eval()  # a picture that is left alone by broken ones has no batch statistics
    with torch.autocast(this.device.type, torch.bfloat16, enabled=this.device.type == "cuda"):
        loss, logits = _loss(this.model, inputs, targets)
    if len(batch) == 1:
        recipe.set_training(this.model)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(this.model.parameters(), recipe.CLIP_NORM)
    optimizer.step()
    tally.add(loss, logits, labels)


def mixup(inputs: Tensor, targets: Tensor, alpha: float, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Blend each picture and its target with another's, by one share (Zhang et al. 2018, arXiv:1710.09412).

    Shapes: (N, 3, H, W) and (N, C), both kept.
    """
    gammas = torch._standard_gamma(torch.full((2,), alpha), generator=rng)
    total = float(gammas.sum())
    share = float(gammas[0]) / total if total > 0 else 1.0
    partner = torch.randperm(len(inputs), generator=rng).to(inputs.device)
    return share * inputs + (1 - share) * inputs[partner], share * targets + (1 - share) * targets[partner]


def _loss(model: TarsClassifier, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    answer = model(inputs)
    logits: Tensor = answer if isinstance(answer, Tensor) else answer.logits
    loss = functional.cross_entropy(logits, targets, label_smoothing=recipe.LABEL_SMOOTHING)
    if not isinstance(answer, Tensor):
        auxiliary = [part for name, part in answer._asdict().items() if name != "logits" and part is not None]
        weight = _AUX_WEIGHT[model.config.backbone]
        loss = loss + weight * sum(functional.cross_entropy(part, targets) for part in auxiliary)
    return loss, logits


@torch.inference_mode()
def evaluate(this: Run, epoch: int) -> Score:
    """Loss and accuracy on the validation pictures, prepared exactly as serving does."""
    this.model.eval()
    tally = _Tally(this.device)
    plan = in_turn(len(this.folder.val), this.config.batch_size)
    with this.console.bar("validation", len(this.folder.val)) as bar:
        for batch in _read(this, this.folder.val, plan, this.val_read, epoch):
            if len(batch):
                inputs, labels = _to_device(this, batch)
                logits = this.model(inputs).float()
                tally.add(functional.cross_entropy(logits, labels), logits, labels)
            bar.update(len(batch) + len(batch.broken))
    return _checked(tally.score(), this.folder.val)


def _read(this: Run, pictures: PictureSet, plan: list[list[int]], read: Reader, epoch: int) -> Iterable[Batch]:
    prepare = this.model.config.preprocess
    for batch in batches(pictures, plan, read, prepare, epoch=epoch, workers=this.workers):
        this.console.report_broken(batch.broken)
        yield batch


def _checked(score: Score, pictures: PictureSet) -> Score:
    if not score.pictures:
        raise DataError(f"none of {len(pictures)} pictures could be read, {pictures.paths[0]} among them")
    if not math.isfinite(score.loss):
        raise TarsError(f"training diverged: the loss is {score.loss}; try a lower --lr")
    return score


def _to_device(this: Run, batch: Batch) -> tuple[Tensor, Tensor]:
    inputs = batch.inputs.to(this.device, memory_format=torch.channels_last, non_blocking=True)
    return inputs, batch.labels.to(this.device, non_blocking=True)
