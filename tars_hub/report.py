"""What is left of an evaluation: metrics.json, predictions.csv, two pictures, and lines for a terminal."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from tars_hub import calibration as calibrating
from tars_hub.config import Calibration, shown_name
from tars_hub.errors import PictureError
from tars_hub.evaluation import Evaluated
from tars_hub.files import replacing
from tars_hub.metrics import Interval, Metrics, confusion_counts

PREDICTIONS, CONFUSION, MISTAKES = "predictions.csv", "confusion_matrix.png", "mistakes.jpg"
_METRICS = "metrics.json"
_TILES = 32
_MATRIX_CLASSES = 5000  # a larger matrix takes more memory than its picture is worth
_NOTHING: Mapping[str, object] = MappingProxyType({})

PictureOf = Callable[[int], NDArray[np.uint8]]


def write_report(
    folder: Path,
    evaluated: Evaluated,
    metrics: Metrics,
    calibration: Calibration,
    *,
    facts: Mapping[str, object] = _NOTHING,
    picture_of: PictureOf | None = None,
) -> None:
    """Write the files into `folder`, which is made where it is missing.

    metrics.json comes last, so that it is there only where the rest is.

    Args:
        facts: more keys for metrics.json, such as `split`.
        picture_of: row to (S, S, 3) uint8 RGB, as the network sees it; without it there is no mistakes.jpg.
    """
    from tars_hub import plots

    folder.mkdir(parents=True, exist_ok=True)
    sureness = calibrating.softmax(evaluated.logits, calibration.temperature).max(axis=1)
    _write_predictions(folder / PREDICTIONS, evaluated, sureness, calibration)
    if len(evaluated.classes) <= _MATRIX_CLASSES:
        plots.confusion_matrix(folder / CONFUSION, confusion_counts(evaluated), evaluated.classes)
    if picture_of is not None:
        title, rows = _telling_rows(evaluated, sureness)
        plots.mosaic(folder / MISTAKES, _tiles(evaluated, sureness, rows, picture_of), title=title)
    with replacing(folder / _METRICS, encoding="utf-8") as stream:
        json.dump(metrics.to_dict() | {key: _finite(fact) for key, fact in facts.items()}, stream, indent=2)


def summary(metrics: Metrics) -> list[str]:
    """Lines for a terminal: how often it is right, how sure it may be, what it confuses."""
    count = f"{metrics.pictures:,} picture{'s' if metrics.pictures != 1 else ''}"
    lines = [f"top-1     {_share(metrics.top1, metrics.top1_interval)} of {count}"]
    if len(metrics.per_class) > 5:
        lines.append(f"top-5     {_share(metrics.top5, metrics.top5_interval)}")
    lines.append(f"F1        {_share(metrics.f1, metrics.f1_interval)}, the mean over classes")
    lines.append(
        f"sureness  is off by {metrics.calibration_error:.1%} on average "
        f"(by {metrics.calibration_error_raw:.1%} before calibration)"
    )
    lines.append(f"answers   {_answers(metrics)}")
    lines += [
        f"confused  {shown_name(truth)} taken for {shown_name(answer)}: {times:,} time{'s' if times != 1 else ''}"
        for truth, answer, times in metrics.confused[:3]
    ]
    return lines


def _finite(fact: object) -> object:
    """JSON has no word for NaN."""
    return None if isinstance(fact, float) and not math.isfinite(fact) else fact


def _share(value: float, interval: Interval) -> str:
    return f"{value:.1%} ({interval[0]:.1%} to {interval[1]:.1%})"


def _answers(metrics: Metrics) -> str:
    if metrics.threshold is None:
        return "every picture: it has no threshold below which it declines"
    wrong = metrics.error_when_answered
    said = f"{metrics.answered:.1%}, declines what it is less than {metrics.threshold:.1%} sure of"
    return said if wrong is None else f"{said}; {wrong:.1%} of its answers are wrong"


def _write_predictions(
    path: Path, evaluated: Evaluated, sureness: NDArray[np.float32], calibration: Calibration
) -> None:
    """timm's `filename,index,label,prob`, then `truth,right,declined`, the last two 1 or 0; a row for every picture."""
    answers = evaluated.logits.argmax(axis=1)
    declined = ~calibrating.answered(sureness, calibration)
    names = evaluated.classes
    # With a mark at its start a spreadsheet reads the file as UTF-8.
    with replacing(path, newline="", encoding="utf-8-sig", errors="surrogateescape") as stream:
        table = csv.writer(stream)
        table.writerow(["filename", "index", "label", "prob", "truth", "right", "declined"])
        for file, answer, prob, truth, no in zip(
            evaluated.files, answers, sureness, evaluated.labels, declined, strict=True
        ):
            right = int(answer == truth)
            table.writerow([file, answer, names[answer], f"{prob:.6f}", names[truth], right, int(no)])


def _telling_rows(evaluated: Evaluated, sureness: NDArray[np.float32]) -> tuple[str, Sequence[int]]:
    """What to look at first, and what to call it."""
    wrong = evaluated.logits.argmax(axis=1) != evaluated.labels
    if not wrong.any():
        return "No mistakes; the answers it is least sure of", np.argsort(sureness, kind="stable")[:_TILES].tolist()
    rows = np.flatnonzero(wrong)
    surest = rows[np.argsort(-sureness[rows], kind="stable")][:_TILES]
    shown = f"the {_TILES} surest of {len(rows):,} mistakes" if len(rows) > _TILES else "mistakes, the surest first"
    return f"{shown.capitalize()}: truth → answer", surest.tolist()


def _tiles(
    evaluated: Evaluated, sureness: NDArray[np.float32], rows: Sequence[int], picture_of: PictureOf
) -> list[tuple[NDArray[np.uint8], str]]:
    tiles = []
    for row in rows:
        truth, answer = evaluated.labels[row], int(evaluated.logits[row].argmax())
        said = f"{evaluated.classes[answer]} {sureness[row]:.0%}"
        caption = said if answer == truth else f"{evaluated.classes[truth]} →\n{said}"
        try:
            tiles.append((picture_of(row), caption))
        except PictureError:
            continue  # it was there a moment ago; what it taught is in the tables
    return tiles
