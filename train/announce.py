"""What a run says of itself before it begins."""

from __future__ import annotations

from tars_hub.model import TarsClassifier

from .data import PictureFolder, class_counts
from .loop import Run
from .progress import State

_CLASSES_SHOWN = 20


def announce_run(this: Run, model: TarsClassifier, state: State, *, going_on: bool) -> None:
    """Say which pictures train which network, and how."""
    say = this.console.line
    for note in this.folder.notes:
        say(f"note: {note}")
    for line in (*describe_data(this.folder), *describe_training(this, model)):
        say(line)
    if going_on:
        say(f"going on with epoch {state.progress.epoch} after {state.progress.step} steps")


def describe_data(folder: PictureFolder) -> list[str]:
    """Lines about classes and sets."""
    counts = class_counts(folder.train, folder.classes)
    listed = ", ".join(f"{name} ({count:,})" for name, count in list(counts.items())[:_CLASSES_SHOWN])
    more = f" and {len(counts) - _CLASSES_SHOWN} more" if len(counts) > _CLASSES_SHOWN else ""
    held = "".join(f", {len(pictures):,} {name}" for name, pictures in folder.sets.items() if name != "train")
    return [f"{len(counts)} classes: {listed}{more}", f"pictures: {len(folder.train):,} train{held}"]


def describe_training(this: Run, model: TarsClassifier) -> list[str]:
    """Lines about the network and the recipe."""
    config, how = this.config, this.config.how
    trained = sum(each.numel() for each in model.parameters() if each.requires_grad)
    total = sum(each.numel() for each in model.parameters())
    several = f" in {this.processes.count} processes" if this.processes.count > 1 else ""
    where = f"{this.processes.device}{several}"
    return [
        f"{model.config.backbone} from {config.weights} weights at {this.prepare.crop_size} px on {where}",
        f"training {trained / 1e6:.1f} M of {total / 1e6:.1f} M parameters ({trained / total:.0%})",
        f"recipe {how.name}: {how.epochs} epochs of batches of {how.batch_size}, {how.optimizer} at {how.peak_lr:.2g}",
        f"augmentation {config.augment}{', classes balanced' if config.balance else ''}",
    ]
