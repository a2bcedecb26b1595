"""What a run writes while it trains: the best model so far, proven, and the state to go on from; all at once."""

from __future__ import annotations

import csv
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tars_hub import calibration
from tars_hub.card import Measured, write_card
from tars_hub.config import HISTORY, METRICS, WEIGHTS_NAME
from tars_hub.errors import TarsError, UsageError
from tars_hub.evaluation import Evaluated
from tars_hub.files import replacing
from tars_hub.metrics import Metrics, measure
from tars_hub.model import TarsClassifier
from tars_hub.predict import Predictor

from .learner import Learner
from .loop import Answers, Run
from .progress import Progress, Row, State
from .sheet import write_sheet
from .state import STATE_NAME, read_mark, write_state
from .tensorboard import write_events

RUN_NAME, SPLIT_NAME, BATCH_NAME = "training/run.json", "training/split.csv", "training/batch.jpg"
# Of a model that stood there before; this one's come at the end.
_OF_ANOTHER = (
    "training/curves.png",
    "training/confusion_matrix.png",
    "training/mistakes.jpg",
    "training/predictions.csv",
)
_PROVEN = 32  # validation pictures that a save is proven with
# On a GPU, other kernels for another batch differ by more than on a CPU; a wrong picture or weight by far more still.
_TOLERANCE = {"cpu": 1e-4}
_ELSEWHERE = 5e-3


class ParityError(TarsError):
    """A saved model answers otherwise than the one in training; it was not kept."""


@dataclass(kw_only=True)
class Keeper:
    """Writes into the output folder, from the main process alone.

    Attributes:
        mark: of the state that should lie in the output folder; None where none should.
        begun: what a run writes once lies in the output folder.
    """

    this: Run
    learner: Learner
    state: State
    mark: str | None
    begun: bool = False

    def show_batch(self) -> None:
        """Write the picture of the first batch at once, where no other model's stands."""
        output = self.this.config.output.resolve()  # it may be a link to a folder that is yet to be made
        if not (output / WEIGHTS_NAME).exists():
            self.this.processes.once(lambda: write_sheet(output / BATCH_NAME, self.this))

    def save_state(self) -> None:
        """Keep what the next step depends on; the best model so far stays as it is."""
        self.this.processes.once(self._save_state)

    def save_best(self, answers: Answers) -> None:
        """Replace the model in the output folder by the one in training, and the state with it.

        Raises:
            ParityError: the saved model answers otherwise; what was there stays.
            UsageError: the folder cannot be written; what was there stays.
        """
        self.this.processes.once(lambda: self._save_best(answers))

    def check_alone(self) -> None:
        """Raise a UsageError where another run writes into the same folder."""
        output = self.this.config.output
        if read_mark(output) != self.mark:
            raise UsageError(
                f"{output} was changed by another run; this one has stopped, and left what is there as it is"
            )

    def _save_state(self) -> None:
        self.check_alone()
        self.mark = self._write_state(self.this.config.output)

    def _save_best(self, answers: Answers) -> None:
        self.check_alone()
        this, mark = self.this, self.mark
        fitted = calibration.fit(answers.logits, answers.labels, error=this.config.target_error)
        config = replace(self.learner.model.config, calibration=fitted)
        model = TarsClassifier(config, self.learner.network)
        probabilities = calibration.softmax(answers.logits, fitted.temperature)
        found = measure(evaluated(this, answers), fitted, fitted_here=True, error=this.config.target_error)

        def finish(fresh: Path) -> None:
            nonlocal mark
            self.state.progress.parity = _prove(fresh, this, answers.positions, probabilities, fitted.temperature)
            self._write_training(fresh, found)
            mark = self._write_state(fresh)

        measured = Measured(
            accuracy=found.top1, pictures=found.pictures, dataset=dataset_name(this.config.data), split="val"
        )
        model.save_pretrained(
            this.config.output,
            card=write_card(config, measured, base_model=self.state.repository),
            finish=finish,
            remove=_OF_ANOTHER,
        )
        self.mark = mark

    def _write_training(self, fresh: Path, found: Metrics) -> None:
        this, progress = self.this, self.state.progress
        (fresh / METRICS).parent.mkdir(exist_ok=True)
        facts = {"split": "val", "epoch": best_row(progress)["epoch"], "finished": False, "parity": progress.parity}
        write_json(fresh / METRICS, found.to_dict() | facts)
        write_history(fresh / HISTORY, progress.history)
        write_events(fresh / "training", progress.history)
        write_json(fresh / RUN_NAME, self.state.facts)
        if not self.begun:
            this.folder.write_split(fresh / SPLIT_NAME)
            write_sheet(fresh / BATCH_NAME, this)
            self.begun = True

    def _write_state(self, folder: Path) -> str:
        """Its mark."""
        state = replace(self.state, scaler=self.learner.scaler(), mark=secrets.token_hex(8))
        write_state(folder / STATE_NAME, state, self.learner.tensors())
        return state.mark


def evaluated(this: Run, answers: Answers) -> Evaluated:
    """The validation's answers as the library measures them."""
    paths = this.folder.val.paths
    return Evaluated(
        classes=this.folder.classes,
        files=tuple(this.folder.name_of(paths[position]) for position in answers.positions),
        labels=answers.labels,
        logits=answers.logits,
    )


def best_row(progress: Progress) -> Row:
    """The figures of the epoch that was kept."""
    assert progress.best is not None  # noqa: S101  # nothing is kept before
    return progress.history[progress.best]


def dataset_name(data: Path) -> str:
    """The data folder's own name, without the way to it."""
    return os.fsencode(data.resolve().name).decode("utf-8", "replace")


def write_json(path: Path, found: object) -> None:
    """Write it whole or not at all."""
    with replacing(path, encoding="utf-8") as stream:
        json.dump(found, stream, indent=2)  # in ASCII, because a path need not be Unicode


def write_history(path: Path, history: Sequence[Row]) -> None:
    """A row for each epoch."""
    with replacing(path, newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, list(history[-1]))
        table.writeheader()
        table.writerows(history)


def _prove(
    folder: Path, this: Run, positions: Sequence[int], probabilities: np.ndarray, temperature: float
) -> dict[str, float]:
    """Ask the saved folder about real files, as anybody would, and compare with what training says of them."""
    rows = np.unique(np.linspace(0, len(positions) - 1, min(_PROVEN, len(positions))).astype(int))
    predictor = Predictor.from_pretrained(folder, device=this.processes.device, engine="torch", half=False)
    paths = [this.folder.val.paths[positions[row]] for row in rows]
    said = np.concatenate([predictor.probabilities([predictor.prepare(path)]) for path in paths])
    largest = float(np.abs(said - probabilities[rows]).max())
    # A temperature below 1 magnifies what differs between logits. NaN is no proof either.
    if not largest <= _TOLERANCE.get(this.processes.device.type, _ELSEWHERE) / min(1.0, temperature):
        raise ParityError(
            f"the model as saved answers otherwise than in training: probabilities differ by up to {largest:.3g} on "
            f"{len(paths)} validation pictures, {paths[0]} among them; it was not kept"
        )
    return {"pictures": len(paths), "largest_difference": largest}
