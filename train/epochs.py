"""Epochs follow each other: train, measure, keep the best."""

from __future__ import annotations

from dataclasses import replace

from tars_hub.errors import TarsError

from .console import Console
from .keep import Keeper
from .learner import Learner
from .loop import Answers, Run, StoppedError, evaluate, out_of_time, rate_share, train_epoch
from .progress import Progress, Row
from .score import rank, score


class InterruptedRunError(TarsError):
    """The run stopped because it was asked to; the same command goes on with it."""


def train_all(this: Run, learner: Learner, keeper: Keeper, fitted: tuple[float, float] | None) -> None:
    """Train from where the keeper's progress stands to the end; the best epoch is in the output folder then.

    Args:
        fitted: loss and top-1 of a head that was fitted first, which becomes epoch 0.

    Raises:
        InterruptedRunError: somebody asked for it; everything is saved.
        TarsError: something a person can mend; what was saved stays.
    """
    progress = keeper.state.progress
    with this.watch.listening():
        try:
            if fitted is not None:
                _close(this, keeper, _evaluate_head(this, learner), 0, fitted)
            while progress.unfinished(this.config.how.epochs):
                _epoch(this, learner, keeper)
        except StoppedError as error:
            raise _interrupted(keeper) from error


def _evaluate_head(this: Run, learner: Learner) -> Answers:
    try:
        return evaluate(this, learner.network)
    except StoppedError as error:
        # A state without the head's row would go on as a run that never fitted one.
        raise InterruptedRunError("stopped before anything was worth saving; the same command begins again") from error


def _epoch(this: Run, learner: Learner, keeper: Keeper) -> None:
    progress = keeper.state.progress
    if not progress.ended:
        train_epoch(this, learner, progress, keeper.save_state)
    answers = evaluate(this, learner.network)
    seen = max(1, progress.seen)
    _close(this, keeper, answers, progress.epoch, (progress.loss_sum / seen, progress.right / seen))


def _close(this: Run, keeper: Keeper, answers: Answers, epoch: int, trained: tuple[float, float]) -> None:
    """Enter an epoch's figures, keep it if it is the best so far, and say so."""
    config, progress = this.config, keeper.state.progress
    measured = score(answers.logits, answers.labels)
    row: Row = {
        "epoch": epoch,
        "lr": _last_rate(this, progress) if epoch else None,
        "train_loss": trained[0],
        "train_top1": trained[1],
        **{f"val_{name}": value for name, value in vars(measured).items() if name != "pictures"},
    }
    best = None if progress.best is None else progress.history[progress.best]
    better = best is None or rank(row, config.metric) > rank(best, config.metric)
    progress.close_epoch(row, better=better)
    progress.ended = progress.ended or _is_enough(config.how.patience, progress)
    if better:
        keeper.save_best(answers)
    else:
        keeper.save_state()
    _say(this.console, row, config.how.epochs, kept=better)
    if progress.ended and progress.epoch <= config.how.epochs:
        why = "the time is up" if out_of_time(config, progress) else f"nothing better in {config.how.patience} epochs"
        this.console.line(f"ended after epoch {epoch}: {why}")


def _is_enough(patience: int, progress: Progress) -> bool:
    assert progress.best is not None  # noqa: S101  # an epoch has just been closed
    return 0 < patience <= len(progress.history) - 1 - progress.best


def _last_rate(this: Run, progress: Progress) -> float:
    """Of the last step that was done."""
    last = replace(progress, step=progress.step - 1)
    return this.config.how.peak_lr * rate_share(this.config, last, len(this.plan(progress.epoch)))


def _say(console: Console, row: Row, epochs: int, *, kept: bool) -> None:
    words = "head only " if row["epoch"] == 0 else f"epoch {row['epoch']}/{epochs}"
    console.line(
        f"{words}  train loss {row['train_loss']:.4f} top1 {row['train_top1']:.4f}  "
        f"val loss {row['val_loss']:.4f} top1 {row['val_top1']:.4f}{'  (kept)' if kept else ''}"
    )


def _interrupted(keeper: Keeper) -> InterruptedRunError:
    progress = keeper.state.progress
    keeper.save_state()
    return InterruptedRunError(
        f"stopped in epoch {progress.epoch} after {progress.step} steps, and saved; the same command goes on from here"
    )
