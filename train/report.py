"""What a run leaves beside the model: figures of each epoch, as CSV and JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from tars_hub.config import METRICS
from tars_hub.files import replacing


@dataclass(frozen=True, kw_only=True)
class EpochRow:
    """One epoch's figures: mean losses per picture, shares of right answers 0..1."""

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float

    def rank(self) -> tuple[float, float]:
        """Higher is better: accuracy first, then the lower loss."""
        return self.val_accuracy, -self.val_loss

    def line(self, epochs: int, *, kept: bool) -> str:
        """For the terminal."""
        return (
            f"epoch {self.epoch}/{epochs}  train loss {self.train_loss:.4f} acc {self.train_accuracy:.4f}  "
            f"val loss {self.val_loss:.4f} acc {self.val_accuracy:.4f}{'  (kept)' if kept else ''}"
        )


def write_history(output: Path, history: Sequence[EpochRow], best: EpochRow, *, pictures: int, finished: bool) -> None:
    """Write `training/history.csv` and `training/metrics.json` into the model folder.

    Args:
        pictures: how many validated.
        finished: no epoch is left.
    """
    found = {
        "top1": best.val_accuracy,
        "loss": best.val_loss,
        "epoch": best.epoch,
        "pictures": pictures,
        "split": "val",
        "finished": finished,
    }
    path = output / METRICS
    path.parent.mkdir(exist_ok=True)
    with replacing(path.with_name("history.csv"), newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, [field.name for field in fields(EpochRow)])
        table.writeheader()
        table.writerows(asdict(row) for row in history)
    with replacing(path, encoding="utf-8") as stream:
        json.dump(found, stream, indent=2)
