"""From logits to probabilities that can be believed, and to a threshold below which a model declines; no torch.

Everything is learnt from pictures that did not teach the network: one temperature, one threshold, one stated error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tars_hub.config import Calibration
from tars_hub.errors import UsageError

_TEMPERATURES = (0.05, 20.0)  # networks that learnt anything need 0.3 to 5
_ENOUGH = 20_000  # pictures settle one number; more only take time
_ROWS = 4096  # logits worked on at once, so that memory stays small with 100,000 pictures of 1,000 classes
_STEPS = 1_000_000  # a threshold is a whole number of millionths
_UNUSUAL = 0.02  # share of the right answers that may be lost to tell what is unlike them
_SLACK = 0.2  # millionths by which machines may differ

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


def softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """(N, C) logits to (N, C) float32 probabilities."""
    found = np.empty(logits.shape, np.float32)
    for rows in _blocks(len(logits)):
        powers = np.exp(_centred(logits[rows], temperature))
        found[rows] = powers / powers.sum(axis=1, keepdims=True)
    return found


def negative_log_likelihood(logits: Floats, labels: Labels, temperature: float = 1.0) -> float:
    """The mean loss per picture in nats, of (N, C) logits and (N,) labels."""
    total = 0.0
    for rows in _blocks(len(logits)):
        scaled = _centred(logits[rows], temperature)
        right = scaled[np.arange(len(scaled)), labels[rows]]
        total += float((np.log(np.exp(scaled).sum(axis=1)) - right).sum())
    return total / len(logits)


def fit_temperature(logits: Floats, labels: Labels) -> float:
    """The temperature, 0.05 to 20, under which the right answers are likeliest (Guo et al. 2017, arXiv:1706.04599).

    A normal prior on log T, mean 0 and deviation 1, counts as much as one picture. It stops a set without a mistake
    from making every answer certain, leaves a set that says nothing (one class) at 1, and is lost among hundreds.

    Args:
        logits: (N, C) of pictures that did not teach the network.
        labels: (N,) the right classes.

    Raises:
        UsageError: shapes that do not fit, or logits that are not finite.
    """
    _check(logits, labels)
    if len(logits) == 0 or logits.shape[1] == 1:
        return 1.0
    from scipy.optimize import minimize_scalar  # type: ignore[import-untyped]

    some = np.linspace(0, len(logits) - 1, min(len(logits), _ENOUGH)).astype(np.int64)
    logits, labels = logits[some], labels[some]

    def loss(log_temperature: float) -> float:
        prior = log_temperature**2 / (2 * len(logits))
        return negative_log_likelihood(logits, labels, math.exp(log_temperature)) + prior

    bounds = tuple(map(math.log, _TEMPERATURES))
    return math.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4}).x)


def fit(logits: Floats, labels: Labels, *, error: float) -> Calibration:
    """Temperature, then the threshold for a stated error.

    The threshold is the larger of two. The first is the smallest under which (wrong + 1) / (answered + 1) ≤ error:
    selective risk (Geifman & El-Yaniv 2017, arXiv:1705.08500) with the correction for finite samples of conformal risk
    control (Angelopoulos et al. 2022, arXiv:2208.02814). Selective risk need not fall as the threshold rises, so this
    is an estimate, no guarantee. The second loses one right answer in fifty, so that also a model that is hardly ever
    wrong declines what looks unlike anything it knows.

    Args:
        logits, labels: (N, C) and (N,), of pictures that did not teach the network.
        error: the share of answers that may be wrong, above 0 and below 1.

    Returns:
        Without threshold and error where no threshold reaches the first: too few pictures, or too many wrong.

    Raises:
        UsageError: an error that is no such share, shapes that do not fit, or logits that are not finite.
    """
    if not 0 < error < 1:
        raise UsageError(f"the error to calibrate for is {error:g}; it must lie between 0 and 1, such as 0.05")
    temperature = fit_temperature(logits, labels)
    if len(logits) == 0:
        return Calibration(temperature=temperature)
    right = logits.argmax(axis=1) == labels
    sureness = _floored(softmax(logits, temperature).max(axis=1))
    safe = _safe_threshold(sureness, right, error)
    if safe is None:
        return Calibration(temperature=temperature)
    usual = float(np.quantile(sureness[right], _UNUSUAL, method="lower"))
    return Calibration(temperature=temperature, threshold=max(safe, usual), error=error)


def answered(sureness: Floats, calibration: Calibration) -> NDArray[np.bool_]:
    """Which of (N,) top probabilities are answers; the others are declined."""
    decided: NDArray[np.bool_] = sureness.astype(np.float64) >= (calibration.threshold or 0.0)
    return decided


def cross_fitted(logits: Floats, labels: Labels, *, error: float, folds: int = 5) -> tuple[Floats, NDArray[np.bool_]]:
    """What calibration does to pictures that it was not fitted on, where there is one set of pictures for both.

    Each fold is read with the calibration of the others. Folds hold equal parts of each class and do not depend on
    chance. Fewer pictures than folds are left out one at a time; a single one is read uncalibrated.

    Returns:
        (N, C) probabilities, and (N,) whether the picture would be answered.
    """
    probabilities, decided = softmax(logits), np.ones(len(logits), np.bool_)
    if len(logits) < 2:
        return probabilities, decided
    fold = np.empty(len(logits), np.int64)
    fold[np.argsort(labels, kind="stable")] = np.arange(len(logits)) % min(folds, len(logits))
    for number in np.unique(fold):
        here = fold == number
        calibration = fit(logits[~here], labels[~here], error=error)
        probabilities[here] = softmax(logits[here], calibration.temperature)
        decided[here] = answered(probabilities[here].max(axis=1), calibration)
    return probabilities, decided


def calibration_error(probabilities: Floats, labels: Labels, bins: int = 15) -> float:
    """How far top probabilities lie from the shares of right answers, 0..1, on average over bins.

    The expected calibration error of Guo et al. 2017 (arXiv:1706.04599) in bins of as many pictures each (Nguyen &
    O'Connor 2015, arXiv:1508.05154), since most answers of a good model would share a bin of equal width.

    Args:
        probabilities: (N, C).
        labels: (N,).
    """
    sureness = probabilities.max(axis=1).astype(np.float64)
    right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    # Where equally sure pictures fall into two bins, their order, which is the classes', must not count.
    _, group = np.unique(sureness, return_inverse=True)
    right = (np.bincount(group, right) / np.bincount(group))[group]
    order = np.argsort(sureness, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    return float(sum(abs((sureness[part] - right[part]).sum()) for part in parts) / len(order))


def _safe_threshold(sureness: NDArray[np.float64], right: NDArray[np.bool_], error: float) -> float | None:
    order = np.argsort(-sureness, kind="stable")
    values, wrong = sureness[order], np.cumsum(~right[order])
    whole = np.append(values[1:] < values[:-1], True)  # equally sure pictures are answered or declined together
    good = whole & ((wrong + 1) / (np.arange(len(values)) + 2) <= error)
    return float(values[np.flatnonzero(good)[-1]]) if good.any() else None


def _floored(sureness: Floats) -> NDArray[np.float64]:
    """A little lower, so that a picture that is exactly as sure as the threshold is answered on every machine."""
    floored: NDArray[np.float64] = np.maximum(np.floor(sureness.astype(np.float64) * _STEPS - _SLACK), 0) / _STEPS
    return floored


def _centred(logits: Floats, temperature: float) -> NDArray[np.float64]:
    scaled: NDArray[np.float64] = logits.astype(np.float64)
    scaled -= scaled.max(axis=1, keepdims=True)
    scaled /= temperature
    return scaled


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + _ROWS) for start in range(0, count, _ROWS))


def _check(logits: Floats, labels: Labels) -> None:
    if logits.ndim != 2 or logits.shape[1] < 1 or labels.shape != logits.shape[:1]:
        raise UsageError(f"logits of shape {logits.shape} do not go with labels of shape {labels.shape}")
    if not np.isfinite(logits).all():
        raise UsageError("the model's logits are not finite numbers; its training diverged")
