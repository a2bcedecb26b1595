"""What 8-bit numbers cost, in right answers, and what they bring, in time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, NoReturn

import numpy as np

from tars_hub.compare import Comparison, compare
from tars_hub.config import ModelConfig
from tars_hub.engines.choice import Chosen
from tars_hub.engines.engine import Engine
from tars_hub.engines.parity import Parity, compare_logits
from tars_hub.errors import ModelError, PictureError
from tars_hub.evaluation import Evaluated, evaluate
from tars_hub.export.pictures import Division
from tars_hub.predict import Predictor

_ROUNDS = 30
_LONGEST_S = 20.0


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The same pictures asked about with floats and with 8-bit numbers; shares are 0..1.

    Attributes:
        pictures, calibrated_by: how many measured it, and how many others its ranges were found by.
        unread: pictures that could not be read.
        before, after: accuracy (top-1).
        difference, low, high: the second less the first, and its interval of 95 %.
        p_value: the chance of such a difference if there were none (McNemar).
        parity: how far probabilities and first answers lie apart.
        before_ms, after_ms: median time of the network alone for one picture, asked in turn.
    """

    pictures: int
    calibrated_by: int
    unread: int
    before: float
    after: float
    difference: float
    low: float
    high: float
    p_value: float
    parity: Parity
    before_ms: float
    after_ms: float

    @property
    def loss_points(self) -> float:
        """Points of accuracy lost, out of 100; below 0 where 8 bits happen to answer better."""
        return -100 * self.difference

    @property
    def speed(self) -> float:
        """Times as fast as with floats."""
        return self.before_ms / self.after_ms

    def __str__(self) -> str:
        return (
            f"8-bit numbers: accuracy {self.before:.1%} before, {self.after:.1%} after, on {self.pictures:,} pictures "
            f"({100 * self.difference:+.1f} points, {100 * self.low:+.1f} to {100 * self.high:+.1f}; "
            f"{self.parity.agreement:.1%} have the same first answer); "
            f"{self.after_ms:.1f} ms for a picture instead of {self.before_ms:.1f}, {self.speed:.1f} times as fast"
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"speed": self.speed}


def measure(
    config: ModelConfig,
    before: Engine,
    after: Engine,
    division: Division,
    *,
    calibrated_by: int,
    on_progress: Callable[[int], None],
) -> Cost:
    """Ask both about the measured part.

    Raises:
        DataError: none of its pictures can be read.
        ModelError: an answer is no finite number.
    """
    asked = [_ask(config, engine, division, on_progress) for engine in (before, after)]
    (first, errors), (second, _) = asked
    found: Comparison = compare(first, second)
    apart = compare_logits(first.logits, second.logits, config.calibration.temperature)
    before_ms, after_ms = _speeds(config, before, after)
    return Cost(
        pictures=found.pictures,
        calibrated_by=calibrated_by,
        unread=len(errors),
        before=found.accuracies[0],
        after=found.accuracies[1],
        difference=found.difference,
        low=found.difference_interval[0],
        high=found.difference_interval[1],
        p_value=found.p_value,
        parity=apart,
        before_ms=before_ms,
        after_ms=after_ms,
    )


def _ask(
    config: ModelConfig, engine: Engine, division: Division, on_progress: Callable[[int], None]
) -> tuple[Evaluated, tuple[PictureError, ...]]:
    predictor = Predictor(Chosen(engine, config, None, _no_model))
    return evaluate(predictor, division.measured, division.labels, on_progress=on_progress)


def _no_model() -> NoReturn:
    raise ModelError("an export has no model")


def _speeds(config: ModelConfig, before: Engine, after: Engine) -> tuple[float, float]:
    """Median milliseconds of each for one picture; in turn, so that what else the machine does meets both."""
    side = config.preprocess.crop_size
    picture = [np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)]
    times: tuple[list[float], list[float]] = ([], [])
    until = time.monotonic() + _LONGEST_S
    for engine in (before, after):
        engine.logits(picture)  # the first one is slower
    for _ in range(_ROUNDS):
        for engine, found in zip((before, after), times, strict=True):
            start = time.perf_counter()
            engine.logits(picture)
            found.append(1000 * (time.perf_counter() - start))
        if time.monotonic() > until:
            break
    return median(times[0]), median(times[1])
