"""Figures of one evaluation, from logits, as they choose the best epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import f1_score, recall_score

from tars_hub.calibration import Floats, Labels, negative_log_likelihood
from tars_hub.metrics import places

from .config import Metric


@dataclass(frozen=True, kw_only=True)
class Score:
    """Mean loss, and shares 0..1, over a number of pictures; f1 is the mean over the classes that occur."""

    loss: float
    top1: float
    top5: float
    f1: float
    balanced_accuracy: float
    pictures: int


def score(logits: Floats, labels: Labels) -> Score:
    """(N, C) logits and (N,) labels to their figures."""
    best, place = logits.argmax(axis=1), places(logits, labels)
    occurring = np.unique(labels)
    return Score(
        loss=negative_log_likelihood(logits, labels),
        top1=float((place == 0).mean()),
        top5=float((place < 5).mean()),
        f1=float(f1_score(labels, best, labels=occurring, average="macro", zero_division=0)),
        balanced_accuracy=float(recall_score(labels, best, labels=occurring, average="macro", zero_division=0)),
        pictures=len(labels),
    )


def rank(row: Mapping[str, float | None], metric: Metric) -> tuple[float, float]:
    """What makes one epoch's row better than another's, higher first: the metric, then the lower loss."""
    value, loss = row[f"val_{metric}"] or 0.0, row["val_loss"] or 0.0
    return (-value if metric == "loss" else value), -loss
