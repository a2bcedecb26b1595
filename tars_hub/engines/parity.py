"""How far the answers of two engines lie apart, on real pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tars_hub import preprocess
from tars_hub.calibration import softmax
from tars_hub.config import Preprocess
from tars_hub.samples import Pixels

_PHOTOGRAPHS = ("china.jpg", "flower.jpg")  # scikit-learn's
_CLOSE = 1e-3  # of two probabilities that lie nearer, either may come first
_TINY = 1e-6  # logits of less than this say nothing
EXACT = 1e-3  # what float32 engines may differ by; it is mostly below 1e-6
HALF = 2e-2  # with 16 bits


@dataclass(frozen=True, kw_only=True)
class Parity:
    """
    Attributes:
        pictures: how many were asked about.
        largest: the largest difference of a probability, 0..1; NaN where one answers with no number and the other does.
        agreement: share of pictures, 0..1, with the same first answer.
        relative: the largest difference of a logit, as a share of that picture's largest. Where a network is certain of
            pictures that are strange to it, probabilities would hide it. 0 where logits were not compared.
    """

    pictures: int
    largest: float
    agreement: float
    relative: float = 0.0

    def within(self, bound: float) -> bool:
        """Whether neither a probability nor, relatively, a logit differs by more; not a number is not within."""
        return self.largest <= bound and self.relative <= bound

    def __str__(self) -> str:
        return (
            f"on {self.pictures} pictures the largest difference of a probability is {self.largest:.2g}, "
            f"and {self.agreement:.1%} have the same first answer"
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def compare(expected: NDArray[np.float32], found: NDArray[np.float32]) -> Parity:
    """Two engines' probabilities, (N, C) each, of the same pictures.

    Where two classes are as good as equally probable, either counts as the first.
    """
    with np.errstate(invalid="ignore"):
        both = np.isnan(expected) & np.isnan(found)
        apart = np.where(both, 0.0, np.abs(expected - found))
    rows = np.arange(len(expected))
    first = found.argmax(axis=1)
    same = (first == expected.argmax(axis=1)) | (expected.max(axis=1) - expected[rows, first] < _CLOSE)
    return Parity(pictures=len(expected), largest=float(apart.max(initial=0.0)), agreement=float(same.mean()))


def compare_logits(expected: NDArray[np.float32], found: NDArray[np.float32], temperature: float) -> Parity:
    """As `compare`, of (N, C) logits each."""
    parity = compare(softmax(expected, temperature), softmax(found, temperature))
    with np.errstate(invalid="ignore"):
        apart, size = np.abs(expected - found).max(axis=1), np.abs(expected).max(axis=1)
        share = np.where(np.isfinite(expected).all(axis=1), apart / np.maximum(size, _TINY), 0.0)
    return replace(parity, relative=float(share.max(initial=0.0)))


def check_pictures(prepare: Preprocess) -> list[Pixels]:
    """Ten (S, S, 3) uint8: two photographs that scikit-learn brings, whole and in quarters."""
    return [preprocess.fit(part, prepare) for photograph in _photographs() for part in _parts(photograph)]


@cache
def _photographs() -> tuple[Pixels, ...]:
    spec = find_spec("sklearn")  # found, not imported, which takes a second
    places = spec.submodule_search_locations if spec else None
    folder = Path(next(iter(places or [""])), "datasets", "images")
    return tuple(preprocess.decode(folder / name) for name in _PHOTOGRAPHS)


def _parts(photograph: Pixels) -> list[Pixels]:
    height, width = (side // 2 for side in photograph.shape[:2])
    quarters = [photograph[y : y + height, x : x + width] for y in (0, height) for x in (0, width)]
    return [photograph, *(np.ascontiguousarray(quarter) for quarter in quarters)]
