"""How good a model is, with what chance alone would allow: from logits to figures. No pictures, no files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tars_hub import calibration as calibrating
from tars_hub.calibration import Floats
from tars_hub.config import Calibration
from tars_hub.errors import DataError
from tars_hub.evaluation import Evaluated

CONFIDENCE = 0.95
_DEVIATIONS = 1.959964  # of a normal distribution, to either side, for that confidence
_MATRIX_CLASSES = 200  # a larger confusion matrix makes a file that nobody reads
_PAIRS = 10
_RESAMPLES = 500
_SEED = 0

Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """The figures; shares are 0..1, and an interval holds the true value with 95 % confidence.

    Attributes:
        pictures: how many were asked about.
        top1, top5: share whose right class is the first answer, and among the first 5 (or all, with fewer classes).
        loss: mean negative log-likelihood in nats, calibrated.
        precision, recall, f1: means over the classes that occur, each class counting the same.
        per_class: name to precision, recall, f1 and support (pictures of it).
        confusion: counts, rows are the truth, columns the answers; None above 200 classes.
        confused: (truth, answer, count), the commonest mistakes first.
        calibration_error: how far calibrated probabilities lie from the shares of right answers.
        calibration_error_raw: the same of the plain softmax.
        temperature, threshold, target_error: the calibration that was used.
        answered: share of the pictures that are not declined.
        error_when_answered: share of wrong ones among those; None where all are declined.
    """

    pictures: int
    top1: float
    top1_interval: Interval
    top5: float
    top5_interval: Interval
    loss: float
    precision: float
    recall: float
    f1: float
    f1_interval: Interval
    balanced_accuracy: float
    per_class: Mapping[str, Mapping[str, float]]
    confusion: list[list[int]] | None
    confused: tuple[tuple[str, str, int], ...]
    calibration_error: float
    calibration_error_raw: float
    temperature: float
    threshold: float | None
    target_error: float | None
    answered: float
    error_when_answered: float | None

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of metrics.json."""
        found = asdict(self) | {"confidence": CONFIDENCE}
        del found["confused"]
        return {key: list(value) if isinstance(value, tuple) else value for key, value in found.items()}


def measure(evaluated: Evaluated, calibration: Calibration, *, fitted_here: bool, error: float = 0.05) -> Metrics:
    """Compute every figure.

    Args:
        evaluated: what the model said.
        calibration: how its logits are read.
        fitted_here: the calibration was fitted on these very pictures. Then calibration error, coverage and the
            error when answered come from calibrations that were fitted without the picture in question.
        error: the stated error of those.

    Raises:
        DataError: there are no pictures.
    """
    if len(evaluated) == 0:
        raise DataError("there are no pictures to measure by")
    labels, logits = evaluated.labels, evaluated.logits
    place = places(logits, labels)
    right = int((place == 0).sum())
    within = int((place < 5).sum())
    return Metrics(
        pictures=len(labels),
        top1=right / len(labels),
        top1_interval=wilson(right, len(labels)),
        top5=within / len(labels),
        top5_interval=wilson(within, len(labels)),
        loss=calibrating.negative_log_likelihood(logits, labels, calibration.temperature),
        calibration_error_raw=calibrating.calibration_error(calibrating.softmax(logits), labels),
        temperature=float(calibration.temperature),
        threshold=calibration.threshold,
        target_error=calibration.error,
        **_of_classes(evaluated),
        **_of_sureness(evaluated, calibration, fitted_here, error),
    )


def measure_unknown(
    probabilities_of_unknown: Floats, threshold: float | None, known_probabilities: Floats
) -> dict[str, Any]:
    """How well the model tells pictures of no class it knows, by its top probability.

    Args:
        probabilities_of_unknown: (M, C), calibrated.
        threshold: below it an answer is declined.
        known_probabilities: (N, C), of pictures of its classes.

    Returns:
        `pictures`; `declined`, the share, and `declined_interval`, None without a threshold; `auroc`, the chance that
        a picture of a known class gets the higher top probability (Hendrycks & Gimpel 2017, arXiv:1610.02136).

    Raises:
        DataError: there are no pictures of one kind.
    """
    if len(probabilities_of_unknown) == 0 or len(known_probabilities) == 0:
        raise DataError("there are no pictures to compare: some of known classes and some of others are needed")
    from sklearn.metrics import roc_auc_score

    unknown, known = probabilities_of_unknown.max(axis=1), known_probabilities.max(axis=1)
    kind = np.repeat([0, 1], [len(unknown), len(known)])
    found: dict[str, Any] = {"pictures": len(unknown), "declined": None, "declined_interval": None}
    if threshold is not None:
        declined = int((~calibrating.answered(unknown, Calibration(threshold=threshold))).sum())
        found |= {"declined": declined / len(unknown), "declined_interval": list(wilson(declined, len(unknown)))}
    return found | {"auroc": float(roc_auc_score(kind, np.concatenate([unknown, known])))}


def wilson(right: int, total: int) -> Interval:
    """The 95 % interval of a share (Wilson 1927, JASA 22); all of 0..1 where there is nothing."""
    if total == 0:
        return 0.0, 1.0
    share, spread = right / total, _DEVIATIONS**2 / total
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return (0.0 if right == 0 else middle - half), (1.0 if right == total else middle + half)


def confusion_counts(evaluated: Evaluated) -> NDArray[np.int64]:
    """(C, C) counts; rows are the truth, columns the answers."""
    # scikit-learn's warns of a single class, which is a fair question here.
    classes = len(evaluated.classes)
    pairs = evaluated.labels * classes + evaluated.logits.argmax(axis=1)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def places(logits: Floats, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) at which place the right class comes, from 0; of equal logits the first class comes first."""
    own = np.take_along_axis(logits, labels[:, None], axis=1)
    before = np.arange(logits.shape[1]) < labels[:, None]
    return np.asarray(((logits > own) | ((logits == own) & before)).sum(axis=1), np.int64)


def _of_classes(evaluated: Evaluated) -> dict[str, Any]:
    from sklearn.metrics import precision_recall_fscore_support

    answers = evaluated.logits.argmax(axis=1)
    each = precision_recall_fscore_support(
        evaluated.labels, answers, labels=np.arange(len(evaluated.classes)), zero_division=0
    )
    occurs = each[3] > 0
    precision, recall, f1 = (float(values[occurs].mean()) for values in each[:3])
    cells = _Cells.of(evaluated)
    return {
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "f1_interval": cells.f1_interval(f1),
        "balanced_accuracy": recall,  # by its definition, and scikit-learn's warns of classes that do not occur
        "per_class": {
            name: {"precision": float(p), "recall": float(r), "f1": float(f), "support": int(support)}
            for name, p, r, f, support in zip(evaluated.classes, *each, strict=True)
        },
        "confusion": confusion_counts(evaluated).tolist() if len(evaluated.classes) <= _MATRIX_CLASSES else None,
        "confused": cells.commonest_mistakes(evaluated.classes),
    }


def _of_sureness(evaluated: Evaluated, calibration: Calibration, fitted_here: bool, error: float) -> dict[str, Any]:
    labels = evaluated.labels
    if fitted_here:
        probabilities, answered = calibrating.cross_fitted(evaluated.logits, labels, error=error)
        answered |= calibration.threshold is None  # the model as it is saved never declines
    else:
        probabilities = calibrating.softmax(evaluated.logits, calibration.temperature)
        answered = calibrating.answered(probabilities.max(axis=1), calibration)
    wrong = evaluated.logits.argmax(axis=1) != labels
    return {
        "calibration_error": calibrating.calibration_error(probabilities, labels),
        "answered": float(answered.mean()),
        "error_when_answered": float(wrong[answered].mean()) if answered.any() else None,
    }


@dataclass(frozen=True, kw_only=True)
class _Cells:
    """The confusion matrix without its zeros, which at 1,000 classes are most of it.

    Attributes:
        truth, answer, count: (K,), sorted by truth and answer.
        classes: how many there are.
    """

    truth: NDArray[np.int64]
    answer: NDArray[np.int64]
    count: NDArray[np.int64]
    classes: int

    @classmethod
    def of(cls, evaluated: Evaluated) -> _Cells:
        classes = len(evaluated.classes)
        pairs = evaluated.labels * classes + evaluated.logits.argmax(axis=1)
        cells, count = np.unique(pairs, return_counts=True)
        return cls(truth=cells // classes, answer=cells % classes, count=count, classes=classes)

    def f1_interval(self, found: float) -> Interval:
        """The 95 % interval of the mean F1, by drawing as many pictures again from the cells (percentile bootstrap)."""
        total, right = int(self.count.sum()), int(self.count[self.truth == self.answer].sum())
        if right == total:  # every draw would be perfect too and say nothing; the accuracy's interval does
            return wilson(right, total)
        dice = np.random.default_rng(_SEED)
        drawn = [self._f1(dice.multinomial(total, self.count / total)) for _ in range(_RESAMPLES)]
        low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        return min(float(low), found), max(float(high), found)

    def _f1(self, count: NDArray[np.int64]) -> float:
        support = np.bincount(self.truth, count, self.classes)
        given = np.bincount(self.answer, count, self.classes)
        right = np.bincount(self.truth, count * (self.truth == self.answer), self.classes)
        occurs = support > 0
        return float((2 * right[occurs] / (support + given)[occurs]).mean())

    def commonest_mistakes(self, names: tuple[str, ...]) -> tuple[tuple[str, str, int], ...]:
        wrong = np.flatnonzero(self.truth != self.answer)
        first = wrong[np.argsort(-self.count[wrong], kind="stable")][:_PAIRS]
        return tuple((names[self.truth[at]], names[self.answer[at]], int(self.count[at])) for at in first)
