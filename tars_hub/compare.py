"""Two models over the same pictures: which is better, by how much, and whether chance would explain it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tars_hub.config import shown_name
from tars_hub.errors import UsageError
from tars_hub.evaluation import Evaluated
from tars_hub.files import replacing
from tars_hub.metrics import Interval, wilson

_DEVIATIONS = 1.959964  # to either side of a normal distribution, for 95 %
_UNLIKELY = 0.05

Kind = Literal["fixed", "broken", "still wrong"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """A picture about which the two models answer differently.

    Attributes:
        file: its name.
        truth, before, after: the right class, and what the first and the second model answer.
        kind: "fixed" and "broken" say what the second model did to the first one's answer.
    """

    file: str
    truth: str
    before: str
    after: str
    kind: Kind


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What was found; shares are 0..1, intervals of 95 %.

    Attributes:
        pictures: how many both were asked about.
        accuracies, intervals: of the first model and of the second.
        difference: the second's accuracy less the first's.
        difference_interval: after Bonett & Price 2012 (J. Educ. Behav. Stat. 37), for pairs.
        changes: fixed ones first, then broken ones, then those that are wrong either way.
        per_class: class to (recall of the first, of the second, pictures), of classes that occur.
        p_value: the chance of at least so uneven a count of fixed and broken pictures if the models were equally good
            (exact test of McNemar 1947, Psychometrika 12).
    """

    pictures: int
    accuracies: tuple[float, float]
    intervals: tuple[Interval, Interval]
    difference: float
    difference_interval: Interval
    changes: tuple[Change, ...]
    per_class: Mapping[str, tuple[float, float, int]]
    p_value: float

    def count(self, kind: Kind) -> int:
        """How many pictures changed in this way."""
        return sum(change.kind == kind for change in self.changes)

    @property
    def verdict(self) -> str:
        """A sentence about the difference."""
        if self.count("fixed") == self.count("broken"):
            return "both are right equally often"
        better = "the second" if self.difference > 0 else "the first"
        chance = "unlikely to be chance" if self.p_value < _UNLIKELY else "which could well be chance"
        shown = "p < 0.001" if self.p_value < 0.001 else f"p = {self.p_value:.2g}"
        return f"{better} is right more often by {abs(self.difference):.1%} of the pictures, {chance} ({shown})"


def compare(first: Evaluated, second: Evaluated) -> Comparison:
    """Compare two models' answers about the same pictures; classes and files are matched by name.

    Raises:
        UsageError: other classes, other pictures, or pictures labelled otherwise.
    """
    check_classes(first.classes, second.classes)
    second = _ordered_as(first, second)
    truth = first.labels
    before = first.logits.argmax(axis=1)
    position = {name: index for index, name in enumerate(first.classes)}
    renamed = np.array([position[name] for name in second.classes])
    after = renamed[second.logits.argmax(axis=1)]
    if not np.array_equal(renamed[second.labels], truth):
        row = int(np.flatnonzero(renamed[second.labels] != truth)[0])
        raise UsageError(f"{shown_name(first.files[row])} is labelled otherwise in the second evaluation")
    rights = before == truth, after == truth
    fixed, broken = int((~rights[0] & rights[1]).sum()), int((rights[0] & ~rights[1]).sum())
    counts = [int(right.sum()) for right in rights]
    return Comparison(
        pictures=len(truth),
        accuracies=(counts[0] / len(truth), counts[1] / len(truth)),
        intervals=(wilson(counts[0], len(truth)), wilson(counts[1], len(truth))),
        difference=(fixed - broken) / len(truth),
        difference_interval=_difference_interval(fixed, broken, len(truth)),
        changes=_changes(first, before, after),
        per_class=_per_class(first, *rights),
        p_value=_mcnemar(fixed, broken),
    )


def write_changes(path: Path, changes: tuple[Change, ...]) -> None:
    """All changed pictures as a table: filename, truth, before, after, change."""
    with replacing(path, newline="", encoding="utf-8-sig", errors="surrogateescape") as stream:
        table = csv.writer(stream)
        table.writerow(["filename", "truth", "before", "after", "change"])
        table.writerows([each.file, each.truth, each.before, each.after, each.kind] for each in changes)


def check_classes(first: tuple[str, ...], second: tuple[str, ...]) -> None:
    """Raise a UsageError where two models do not know the same classes, in whatever order."""
    odd = sorted(set(first) ^ set(second))
    if odd:
        owner = "first" if odd[0] in first else "second"
        raise UsageError(
            f"the models know different classes: only the {owner} knows {shown_name(odd[0])}"
            + (f", and {len(odd) - 1} more differ" if len(odd) > 1 else "")
        )


def _ordered_as(first: Evaluated, second: Evaluated) -> Evaluated:
    rows = {name: row for row, name in enumerate(second.files)}
    odd = sorted(set(first.files) ^ set(second.files))
    if odd or len(rows) != len(second) or len(first) != len(second):
        named = f", such as {shown_name(odd[0])}" if odd else ""
        raise UsageError(f"the models were asked about different pictures{named}")
    if not rows:
        raise UsageError("there are no pictures that both models could read")
    order = [rows[name] for name in first.files]
    return Evaluated(
        classes=second.classes, files=first.files, labels=second.labels[order], logits=second.logits[order]
    )


def _changes(first: Evaluated, before: NDArray[np.int64], after: NDArray[np.int64]) -> tuple[Change, ...]:
    kinds: dict[Kind, list[Change]] = {"fixed": [], "broken": [], "still wrong": []}
    for row in np.flatnonzero(before != after):
        truth = first.labels[row]
        kind: Kind = "fixed" if after[row] == truth else "broken" if before[row] == truth else "still wrong"
        names = [first.classes[index] for index in (truth, before[row], after[row])]
        change = Change(file=first.files[row], truth=names[0], before=names[1], after=names[2], kind=kind)
        kinds[kind].append(change)
    return tuple(change for found in kinds.values() for change in found)


def _per_class(
    first: Evaluated, right_before: NDArray[np.bool_], right_after: NDArray[np.bool_]
) -> dict[str, tuple[float, float, int]]:
    found = {}
    for index in np.unique(first.labels):
        here = first.labels == index
        recalls = float(right_before[here].mean()), float(right_after[here].mean())
        found[first.classes[index]] = (*recalls, int(here.sum()))
    return found


def _mcnemar(fixed: int, broken: int) -> float:
    if fixed == broken:
        return 1.0
    from scipy.stats import binomtest  # type: ignore[import-untyped]

    return float(binomtest(fixed, fixed + broken).pvalue)


def _difference_interval(fixed: int, broken: int, total: int) -> Interval:
    up, down = (fixed + 1) / (total + 2), (broken + 1) / (total + 2)
    half = _DEVIATIONS * ((up + down - (up - down) ** 2) / (total + 2)) ** 0.5
    return max(-1.0, up - down - half), min(1.0, up - down + half)
