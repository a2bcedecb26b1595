"""Two models over the same pictures."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from tars_hub.compare import compare, write_changes
from tars_hub.errors import UsageError
from tars_hub.evaluation import Evaluated
from tars_hub.metrics import wilson


def answered(truth: str, answers: str, classes: str = "abc") -> Evaluated:
    """A model that answered so about pictures 0.png, 1.png …"""
    logits = np.eye(len(classes), dtype=np.float32)[[classes.index(letter) for letter in answers]]
    return Evaluated(
        classes=tuple(classes),
        files=tuple(f"{index}.png" for index in range(len(truth))),
        labels=np.array([classes.index(letter) for letter in truth], np.int64),
        logits=logits,
    )


def test_what_changed() -> None:
    found = compare(answered("aabbcc", "abbacb"), answered("aabbcc", "aabccb"))
    assert found.pictures == 6
    assert found.accuracies == (3 / 6, 4 / 6)
    assert found.intervals == (wilson(3, 6), wilson(4, 6))
    assert found.difference == pytest.approx(1 / 6)
    assert [(each.file, each.truth, each.before, each.after, each.kind) for each in found.changes] == [
        ("1.png", "a", "b", "a", "fixed"),
        ("3.png", "b", "a", "c", "still wrong"),
    ]
    assert (found.count("fixed"), found.count("broken"), found.count("still wrong")) == (1, 0, 1)
    assert found.per_class == {"a": (0.5, 1.0, 2), "b": (0.5, 0.5, 2), "c": (0.5, 0.5, 2)}


def test_classes_and_files_are_matched_by_name() -> None:
    first, second = answered("aabbcc", "abbacb"), answered("aabbcc", "aabccb")
    other = answered("aabbcc", "aabccb", classes="cab")
    order = [3, 1, 0, 5, 4, 2]
    shuffled = replace(
        other,
        files=tuple(other.files[row] for row in order),
        labels=other.labels[order],
        logits=other.logits[order],
    )
    assert compare(first, shuffled) == compare(first, second)


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (answered("ab", "ab", "abd"), "only the first knows c, and 1 more"),
        (answered("ab", "ab", "abcd"), "only the second knows d"),
        (answered("aba", "aba"), r"different pictures, such as 2\.png"),
        (answered("ac", "ab"), r"1\.png is labelled otherwise"),
        (replace(answered("ab", "ab"), files=("0.png", "0.png")), "different pictures"),
    ],
)
def test_what_cannot_be_compared_is_one_clear_line(second: Evaluated, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        compare(answered("ab", "ab"), second)


def test_no_pictures_in_common_is_one_clear_line() -> None:
    with pytest.raises(UsageError, match="both models could read"):
        compare(answered("", ""), answered("", ""))


def models(fixed: int, broken: int, same: int) -> tuple[Evaluated, Evaluated]:
    truth = "a" * (fixed + broken + same)
    return answered(truth, "b" * fixed + "a" * (broken + same)), answered(
        truth, "a" * fixed + "b" * broken + "a" * same
    )


@pytest.mark.parametrize(("fixed", "broken"), [(0, 0), (1, 0), (6, 0), (3, 7), (40, 10), (9, 9)])
def test_chance_is_mcnemars(fixed: int, broken: int) -> None:
    found = compare(*models(fixed, broken, 50))
    assert found.p_value == pytest.approx(binomtest(fixed, fixed + broken).pvalue if fixed + broken else 1.0)
    low, high = found.difference_interval
    assert -1 <= low <= found.difference <= high <= 1
    assert (low > 0 or high < 0) == (found.p_value < 0.05)


def test_the_verdict_is_a_sentence() -> None:
    assert compare(*models(7, 3, 90)).verdict == (
        "the second is right more often by 4.0% of the pictures, which could well be chance (p = 0.34)"
    )
    assert compare(*models(3, 20, 77)).verdict == (
        "the first is right more often by 17.0% of the pictures, unlikely to be chance (p < 0.001)"
    )
    assert "unlikely to be chance (p = 0.031)" in compare(*models(6, 0, 0)).verdict
    assert compare(*models(2, 2, 9)).verdict == "both are right equally often"


def test_the_interval_of_the_difference_holds_the_truth_about_as_often_as_it_says() -> None:
    dice = np.random.default_rng(0)
    inside = 0
    for _ in range(300):
        fixed, broken, same = dice.multinomial(120, [0.12, 0.05, 0.83])
        low, high = compare(*models(fixed, broken, same)).difference_interval
        inside += low <= 0.07 <= high
    assert 0.92 <= inside / 300 <= 0.99


def test_changes_are_written_as_a_table(tmp_path: Path) -> None:
    first, second = answered("aab", "aba"), answered("aab", "bab")
    names = ("a, b.png", "猫.png", "\udcff.png")
    changes = compare(replace(first, files=names), replace(second, files=names)).changes
    write_changes(tmp_path / "out.csv", changes)
    text = (tmp_path / "out.csv").read_text(encoding="utf-8-sig", errors="surrogateescape")
    assert list(csv.reader(text.splitlines())) == [
        ["filename", "truth", "before", "after", "change"],
        ["猫.png", "a", "b", "a", "fixed"],
        ["\udcff.png", "b", "a", "b", "fixed"],
        ["a, b.png", "a", "a", "b", "broken"],
    ]
