"""The end of a run: the saved model is loaded as anybody would load it, measured, and described."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tars_hub import plots
from tars_hub.calibration import softmax
from tars_hub.card import Measured, write_card
from tars_hub.config import CARD_NAME, FIGURES, HISTORY, METRICS
from tars_hub.errors import UsageError
from tars_hub.evaluation import Evaluated, evaluate
from tars_hub.files import replace_folder
from tars_hub.listing import find_pictures
from tars_hub.metrics import Metrics, measure, measure_unknown
from tars_hub.predict import Predictor
from tars_hub.report import summary, write_report

from .config import IMAGENET, NO_WEIGHTS, TrainConfig
from .console import Console
from .data import PictureSet
from .keep import RUN_NAME, Keeper, best_row, dataset_name, write_history, write_json
from .loop import Run
from .provenance import now
from .state import STATE_NAME

_CAPTIONS = {"curves": "loss and accuracy", "confusion_matrix": "truth against answer", "batch": "what training saw"}


@dataclass(frozen=True, kw_only=True)
class Report:
    """What is known of the finished model.

    Attributes:
        split: "test", or "val" where there is no such set.
        unknown: of pictures of no known class, where a folder of them was given.
    """

    metrics: Metrics
    split: str
    unknown: dict[str, Any] | None


def finish(this: Run, keeper: Keeper) -> Report:
    """Measure the model in the output folder, write the report and the card, and remove the state; all at once.

    Raises:
        TarsError: something a person can mend; the model and the state stay, and the same command goes on here.
    """
    config, progress = this.config, keeper.state.progress
    predictor = Predictor.from_pretrained(config.output, device=this.processes.device, engine="torch", half=False)
    split = "test" if this.folder.test is not None else "val"
    found = _ask(this, predictor, this.folder.sets[split], split)
    metrics = measure(found, predictor.calibration, fitted_here=split == "val", error=config.target_error)
    unknown = _unknown(this, predictor, config.unknown, found) if config.unknown else None
    facts = {
        "split": split,
        "chose_epoch": split == "val",
        "dataset": dataset_name(config.data),
        "metric": config.metric,
        "epoch": best_row(progress)["epoch"],
        "finished": True,
        "parity": progress.parity,
        "validation": best_row(progress),
        **({"unknown": unknown} if unknown else {}),
    }

    def write(fresh: Path) -> None:
        training = (fresh / METRICS).parent
        picture_of = _picture_of(predictor, this, found)
        write_report(training, found, metrics, predictor.calibration, facts=facts, picture_of=picture_of)
        write_history(fresh / HISTORY, progress.history)
        epoch = best_row(progress)["epoch"]
        plots.curves(training / "curves.png", progress.history, best_epoch=int(epoch or 0), metric=config.metric)
        write_json(fresh / RUN_NAME, keeper.state.facts | {"finished": now(), "seconds": round(progress.elapsed_s, 1)})
        card = _card(
            this,
            keeper,
            predictor,
            metrics.to_dict() | facts,
            Measured(accuracy=metrics.top1, pictures=metrics.pictures, dataset=str(facts["dataset"]), split=split),
        )
        (fresh / CARD_NAME).write_text(card, encoding="utf-8")

    keeper.check_alone()
    try:
        replace_folder(config.output, write, remove=[STATE_NAME])
    except OSError as error:
        raise UsageError(f"{config.output} cannot be written: {error.strerror or error}") from error
    return Report(metrics=metrics, split=split, unknown=unknown)


def check_unknown(config: TrainConfig) -> None:
    """Raise a UsageError, before any work, for a folder that could not be measured with at the end."""
    if config.unknown is None:
        return
    if not config.unknown.exists():
        raise UsageError(f"--unknown {config.unknown}: no such folder")
    find_pictures([config.unknown])


def _ask(this: Run, predictor: Predictor, pictures: PictureSet, name: str) -> Evaluated:
    return _asked(this, predictor, pictures, [this.folder.name_of(path) for path in pictures.paths], name)


def _asked(this: Run, predictor: Predictor, pictures: PictureSet, names: Sequence[str], title: str) -> Evaluated:
    with this.console.bar(f"the saved model, {title}", len(pictures)) as bar:
        found, broken = evaluate(
            predictor,
            pictures.paths,
            pictures.labels,
            names=names,
            batch_size=this.config.how.batch_size,
            on_progress=bar.update,
        )
    this.console.report_broken(broken)
    return found


def _unknown(this: Run, predictor: Predictor, folder: Path, known: Evaluated) -> dict[str, Any]:
    paths = tuple(find_pictures([folder]))
    pictures = PictureSet(paths, (0,) * len(paths))  # the labels are not looked at
    found = _asked(this, predictor, pictures, [str(path) for path in paths], "pictures of no class")
    calibration = predictor.calibration
    probabilities = [softmax(each.logits, calibration.temperature) for each in (found, known)]
    return measure_unknown(probabilities[0], calibration.threshold, probabilities[1])


def _picture_of(predictor: Predictor, this: Run, found: Evaluated) -> Callable[[int], NDArray[np.uint8]]:
    return lambda row: predictor.prepare(this.folder.root / found.files[row])


def _card(this: Run, keeper: Keeper, predictor: Predictor, metrics: dict[str, Any], measured: Measured) -> str:
    figures = [(name, _CAPTIONS.get(Path(name).stem, "its surest mistakes")) for name in FIGURES]
    return write_card(
        predictor.config,
        measured,
        base_model=keeper.state.repository,
        metrics=metrics,
        training=_training_table(this, keeper),
        figures=figures,
    )


def _training_table(this: Run, keeper: Keeper) -> dict[str, str]:
    """What a reader of the card wants to know; the command, with its local paths, is in run.json alone."""
    config, how, facts = this.config, this.config.how, keeper.state.facts
    progress = keeper.state.progress
    sets = ", ".join(f"{len(pictures):,} {name}" for name, pictures in this.folder.sets.items())
    return {
        "pictures": sets,
        "start": _start(keeper),
        "recipe": f"{how.name}: {how.optimizer}, peak rate {how.peak_lr:.2g}, {how.schedule}",
        "epochs": f"{len([row for row in progress.history if row['epoch']])} of {how.epochs}, the best "
        f"by {config.metric}: {best_row(progress)['epoch']:g}",
        "batch": f"{how.batch_size} pictures of {this.prepare.crop_size} px",
        "variations": _variations(this),
        "seed": str(config.seed),
        "time": f"{progress.elapsed_s / 60:.1f} minutes on {facts['machine']['device']}",
        "versions": ", ".join(f"{name} {number}" for name, number in facts["versions"].items()),
        "data fingerprint": facts["data"]["fingerprint"][:16],
    }


def _start(keeper: Keeper) -> str:
    known = {IMAGENET: "ImageNet weights", NO_WEIGHTS: "random weights"}
    return known.get(keeper.this.config.weights) or keeper.state.repository or "a model of one's own"


def _variations(this: Run) -> str:
    how = this.config.how
    mixed = [f"{name} {value:g}" for name, value in (("mixup", how.mixup), ("cutmix", how.cutmix)) if value]
    return ", ".join([this.config.augment, *mixed])


def announce(console: Console, report: Report) -> None:
    """Lines for the terminal."""
    for line in summary(report.metrics):
        console.line(line)
    if report.unknown is not None and report.unknown["declined"] is not None:
        console.line(
            f"unknown   {report.unknown['declined']:.1%} of {report.unknown['pictures']:,} pictures are declined"
        )
    if report.split == "val":
        console.line("note: these validation pictures also chose the epoch; a test folder would give an unseen figure")
