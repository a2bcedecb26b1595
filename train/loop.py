"""One pass over the pictures: a training epoch, or a validation."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tars_hub.config import Preprocess
from tars_hub.errors import DataError, TarsError

from .batches import Batch, batches
from .config import TrainConfig
from .console import Console
from .data import PictureFolder, PictureSet
from .learner import Learner
from .plan import in_turn, order, parts
from .processes import Processes, Watch
from .progress import Progress
from .reading import Reader, validation_reader
from .recipe import lr_share

_SHOW_EVERY = 10  # steps between looks at the loss, each of which waits for the device


class StoppedError(Exception):
    """Somebody asked the run to stop; everything done so far can be saved."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What all epochs share.

    Attributes:
        accumulate: parts that each process computes its share of a batch in.
    """

    config: TrainConfig
    console: Console
    folder: PictureFolder
    prepare: Preprocess
    processes: Processes
    watch: Watch
    train_read: Reader
    val_read: Reader
    workers: int
    accumulate: int

    def plan(self, epoch: int) -> list[list[int]]:
        """The draws of each batch of a training epoch."""
        how = self.config.how
        return order(
            self.folder.train.labels,
            how.batch_size,
            seed=self.config.seed,
            epoch=epoch,
            balance=self.config.balance,
        )


@dataclass(frozen=True, kw_only=True)
class Answers:
    """(N, C) logits about the readable pictures of a set, with their labels and positions in it."""

    logits: NDArray[np.float32]
    labels: NDArray[np.int64]
    positions: tuple[int, ...]


def train_epoch(this: Run, learner: Learner, progress: Progress, save: Callable[[], None]) -> None:
    """Learn from every training picture once, from where `progress` stands; the time limit may make it an early end.

    Args:
        save: keeps `progress` and the learner's state; called now and then.

    Raises:
        StoppedError: somebody asked for it; `progress` is exact.
        DataError: no picture could be read.
        TarsError: the loss is no longer a number.
    """
    plan = this.plan(progress.epoch)
    tally = _Tally(this.processes, progress)
    saved_s = progress.elapsed_s
    with this.console.bar(f"epoch {progress.epoch}/{this.config.how.epochs}", sum(map(len, plan))) as bar:
        todo = plan[progress.step :]
        bar.update(sum(map(len, plan[: progress.step])))
        for batch, own in zip(todo, own_parts(this, todo, progress.epoch), strict=True):
            tally.add(*learner.step(own, len(batch), progress.epoch, rate_share(this.config, progress, len(plan))))
            progress.step += 1
            bar.update(len(batch))
            if progress.step % _SHOW_EVERY == 1:
                tally.drain()
                bar.set_postfix(progress.figures(), refresh=False)
            stop, progress.elapsed_s = this.watch.look(progress.step, last=progress.step == len(plan))
            if stop:
                tally.settle()
                raise StoppedError
            if out_of_time(this.config, progress):
                progress.ended = True
                break
            if progress.elapsed_s - saved_s >= 60 * this.config.save_minutes and progress.step < len(plan):
                tally.settle()
                save()
                saved_s = progress.elapsed_s
    share_broken(this)
    if not tally.settle():
        raise nothing_readable(this.folder.train)


def own_parts(this: Run, plan: Sequence[Sequence[int]], epoch: int) -> Iterator[list[Batch]]:
    """What this process computes of each planned batch, in parts."""
    count, rank = this.processes.count, this.processes.rank
    own = [parts(part, count)[rank] for batch in plan for part in parts(batch, this.accumulate)]
    read = _read(this, this.folder.train, own, this.train_read, epoch)
    for _ in plan:
        found = list(islice(read, this.accumulate))
        # Alone, a process may leave out empty parts; among others, it must keep step with them.
        yield found if count > 1 else [part for part in found if len(part)] or found[:1]


def _read(this: Run, pictures: PictureSet, plan: Iterable[Sequence[int]], read: Reader, epoch: int) -> Iterator[Batch]:
    for batch in batches(pictures, plan, read, this.prepare, epoch=epoch, workers=this.workers):
        this.console.report_broken(batch.broken)
        yield batch


def rate_share(config: TrainConfig, progress: Progress, steps_per_epoch: int) -> float:
    """Share of the peak learning rate: by the step, or by the clock where a time limit would come first."""
    step: float = (progress.epoch - 1) * steps_per_epoch + progress.step
    if config.time_limit:
        step = max(step, config.how.epochs * steps_per_epoch * progress.elapsed_s / (60 * config.time_limit))
    return lr_share(config.how, step, steps_per_epoch)


def out_of_time(config: TrainConfig, progress: Progress) -> bool:
    """Whether there is a time limit, and it is reached."""
    return config.time_limit is not None and progress.elapsed_s >= 60 * config.time_limit


def read_plain(this: Run, plan: Iterable[Sequence[int]]) -> Iterator[Batch]:
    """Training pictures as serving sees them: without variations."""
    return _read(this, this.folder.train, plan, validation_reader(this.folder.train, this.prepare), epoch=0)


def share_broken(this: Run) -> None:
    """Let the main process name what others could not read."""
    if this.processes.count > 1:
        this.console.report_broken(this.processes.gather(list(this.console.broken.values())))


def first_batch(this: Run, most: int) -> Batch:
    """The readable ones of the first pictures of the first epoch, as they are trained on."""
    return next(_read(this, this.folder.train, [this.plan(1)[0][:most]], this.train_read, epoch=1))


def nothing_readable(pictures: PictureSet) -> DataError:
    """The error for a set of which no picture can be read."""
    return DataError(f"none of {len(pictures)} pictures could be read, {pictures.paths[0]} among them")


@torch.inference_mode()
def evaluate(this: Run, network: nn.Module) -> Answers:
    """Ask about the validation pictures, prepared as serving does; any number of processes gives the same answers.

    The batches are the same however many processes share them: a picture's logits depend, in their last bits, on the
    others computed with it.

    Raises:
        StoppedError: somebody asked for it.
        DataError: no picture could be read.
    """
    processes, pictures = this.processes, this.folder.val
    processes.share_buffers(network)
    network.eval()
    plan = in_turn(len(pictures), this.config.how.batch_size)[processes.rank :: processes.count]
    found: list[tuple[tuple[int, ...], NDArray[np.float32]]] = []
    with this.console.bar("validation", len(pictures)) as bar:
        for batch in _read(this, pictures, plan, this.val_read, epoch=0):
            if len(batch):
                inputs = batch.inputs.to(processes.device, memory_format=torch.channels_last, non_blocking=True)
                found.append((batch.draws, network(inputs).float().cpu().numpy()))
            bar.update(min(batch.planned * processes.count, len(pictures) - bar.n))
            if processes.count == 1 and this.watch.asked:
                raise StoppedError
    share_broken(this)
    return _in_order(processes.gather(found), pictures)


@torch.inference_mode()
def timed_evaluation(this: Run, network: nn.Module, pictures: int) -> float:
    """Seconds that a validation would take, by the first so many pictures of it."""
    network.eval()
    began = time.perf_counter()
    seen = 0
    plan = in_turn(min(pictures, len(this.folder.val)), this.config.how.batch_size)
    for batch in _read(this, this.folder.val, plan, this.val_read, epoch=0):
        if len(batch):
            network(batch.inputs.to(this.processes.device, memory_format=torch.channels_last)).cpu()
        seen += batch.planned
    return (time.perf_counter() - began) / max(1, seen) * len(this.folder.val)


def _in_order(found: Sequence[tuple[tuple[int, ...], NDArray[np.float32]]], pictures: PictureSet) -> Answers:
    rows = sorted(found, key=lambda each: each[0])
    if not rows:
        raise nothing_readable(pictures)
    positions = tuple(position for draws, _ in rows for position in draws)
    logits = np.concatenate([values for _, values in rows])
    if not np.isfinite(logits).all():
        raise TarsError("training diverged: the network's answers are no numbers; try a lower --lr")
    return Answers(
        logits=logits,
        labels=np.asarray([pictures.labels[position] for position in positions], dtype=np.int64),
        positions=positions,
    )


class _Tally:
    """Adds up a progress's figures without waiting for the device at each step."""

    def __init__(self, processes: Processes, progress: Progress) -> None:
        self._processes, self._progress = processes, progress
        self._waiting: list[tuple[Tensor, Tensor, int]] = []

    def add(self, loss: Tensor, right: Tensor, pictures: int) -> None:
        self._waiting.append((loss, right, pictures))

    def drain(self) -> None:
        """Take in what waits, in the order of the steps and in Python's floats: sums do not depend on when."""
        if not self._waiting:
            return
        losses, rights, counts = zip(*self._waiting, strict=True)
        self._waiting.clear()
        for loss, right, count in zip(torch.stack(losses).tolist(), torch.stack(rights).tolist(), counts, strict=True):
            if self._processes.count == 1:  # among others, one alone must not leave
                _check_loss(loss)
            self._progress.loss_sum += loss
            self._progress.right += right
            self._progress.seen += count

    def settle(self) -> int:
        """Let the main process's figures be those of all, the others' nothing; how many pictures were seen."""
        self.drain()
        done = self._progress
        every = self._processes.gather([(done.loss_sum, done.right, done.seen)])
        loss_sum, right, seen = (sum(each) for each in zip(*every, strict=True))
        _check_loss(loss_sum)
        main = self._processes.is_main
        done.loss_sum, done.right, done.seen = (loss_sum, right, seen) if main else (0.0, 0.0, 0)
        return int(seen)


def _check_loss(loss: float) -> None:
    if not math.isfinite(loss):
        raise TarsError(f"training diverged: the loss is {loss}; try a lower --lr")
