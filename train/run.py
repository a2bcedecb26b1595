"""The run: from flags to a saved model; epochs follow each other and the best one is kept."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from tars_hub.card import Measured, write_card
from tars_hub.errors import UsageError
from tars_hub.model import TarsClassifier

from . import recipe
from .config import NO_WEIGHTS, TrainConfig
from .console import Console
from .data import PictureFolder, class_counts, default_workers, order, scan
from .loop import Run, Score, evaluate, train_epoch
from .reading import training_reader, validation_reader
from .report import EpochRow, write_history
from .start import Start, check_output, fetch, make_model


@dataclass(frozen=True)
class Result:
    """What a run ended with: the epoch that was kept, and every epoch's figures."""

    best: EpochRow
    history: tuple[EpochRow, ...]
    pictures: int
    skipped: int


def run(config: TrainConfig, console: Console) -> Result:
    """Train, and leave the best epoch in `config.output`.

    Raises:
        TarsError: something a person can mend; where an epoch was already kept, it stays.
    """
    check_output(config)
    device = _device(config.device)
    start = fetch(config)
    folder = scan(config.data, seed=config.seed)
    this = _set_up(config, console, folder, make_model(start, config, folder.classes), device)
    recipe.freeze(this.model.backbone, start.heads, config.freeze)
    _announce(this)
    return _epochs(this, *_optimizer(this, start), repository=start.repository)


def _set_up(
    config: TrainConfig, console: Console, folder: PictureFolder, model: TarsClassifier, device: torch.device
) -> Run:
    prepare = model.config.preprocess
    return Run(
        config=config,
        console=console,
        folder=folder,
        model=model.to(device=device, memory_format=torch.channels_last),  # type: ignore[call-overload]
        device=device,
        train_read=training_reader(folder.train, prepare, config.augment, seed=config.seed),
        val_read=validation_reader(folder.val, prepare),
        workers=default_workers() if config.workers is None else config.workers,
    )


def _optimizer(this: Run, start: Start) -> tuple[Optimizer, LRScheduler]:
    config = this.config
    pretrained = config.weights != NO_WEIGHTS
    lr = config.lr or recipe.peak_lr(pretrained=pretrained, batch_size=config.batch_size)
    optimizer = AdamW(recipe.parameter_groups(this.model.backbone, start.heads, lr, pretrained=pretrained))
    total = config.epochs * len(order(len(this.folder.train), config.batch_size, seed=config.seed, epoch=0))
    return optimizer, LambdaLR(optimizer, lambda step: recipe.lr_factor(step, total))


def _epochs(this: Run, optimizer: Optimizer, schedule: LRScheduler, *, repository: str | None) -> Result:
    history: list[EpochRow] = []
    best: EpochRow | None = None
    for epoch in range(1, this.config.epochs + 1):
        trained = train_epoch(this, epoch, optimizer, schedule)
        measured = evaluate(this, epoch)
        row = EpochRow(
            epoch=epoch,
            train_loss=trained.loss,
            train_accuracy=trained.accuracy,
            val_loss=measured.loss,
            val_accuracy=measured.accuracy,
        )
        history.append(row)
        if best is None or row.rank() > best.rank():
            best = row
            _save(this, measured, repository)
        done = epoch == this.config.epochs
        write_history(this.config.output, history, best, pictures=measured.pictures, finished=done)
        this.console.line(row.line(this.config.epochs, kept=best is row))
    assert best is not None  # noqa: S101  # epochs is at least 1
    return Result(best, tuple(history), measured.pictures, len(this.console.broken))


def _save(this: Run, score: Score, repository: str | None) -> None:
    dataset = this.config.data.resolve().name
    measured = Measured(accuracy=score.accuracy, pictures=score.pictures, dataset=dataset, split="val")
    card = write_card(this.model.config, measured, base_model=repository)
    this.model.save_pretrained(this.config.output, card=card)


def _announce(this: Run) -> None:
    config, model, folder = this.config, this.model.config, this.folder
    for note in folder.notes:
        this.console.line(f"note: {note}")
    counts = class_counts(folder.train, folder.classes)
    listed = ", ".join(f"{name} ({count})" for name, count in list(counts.items())[:20])
    this.console.line(f"{len(folder.classes)} classes: {listed}{' …' if len(counts) > 20 else ''}")
    this.console.line(f"{len(folder.train):,} pictures to train on, {len(folder.val):,} to validate with")
    trained = sum(p.numel() for p in this.model.parameters() if p.requires_grad)
    total = sum(p.numel() for p in this.model.parameters())
    size = model.preprocess.crop_size
    this.console.line(f"{model.backbone} from {config.weights} weights at {size} px on {this.device}")
    this.console.line(
        f"training {trained / 1e6:.1f} M of {total / 1e6:.1f} M parameters ({trained / total:.0%}), "
        f"{config.epochs} epochs of batches of {config.batch_size}, augmentation {config.augment}"
    )


def _device(name: str | None) -> torch.device:
    chosen = name or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(chosen)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(f"--device {chosen} cannot be used here; cpu always can") from error
    return device
