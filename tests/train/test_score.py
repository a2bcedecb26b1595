"""Figures of an evaluation, and which epoch is better."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from train.score import rank, score


def test_figures_by_hand() -> None:
    logits = np.array([[2, 0, 1], [0, 3, 1], [5, 1, 0], [1, 2, 0]], np.float32)
    labels = np.array([0, 1, 1, 1])
    found = score(logits, labels)
    assert found.pictures == 4
    assert found.top1 == 0.75
    assert found.top5 == 1.0
    assert found.balanced_accuracy == pytest.approx((1 + 2 / 3) / 2)
    assert found.f1 == pytest.approx((2 / 3 + 0.8) / 2)  # class 2 does not occur
    expected = torch.nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels))
    assert found.loss == pytest.approx(float(expected), rel=1e-6)


def test_top5_is_among_the_first_five() -> None:
    logits = np.tile(np.arange(8, dtype=np.float32)[::-1], (8, 1))
    assert score(logits, np.arange(8)).top5 == 5 / 8


def test_huge_logits_have_a_loss() -> None:
    assert score(np.array([[1e7, -1e7]], np.float32), np.array([1])).loss == pytest.approx(2e7)


ROWS = {
    "first": {"epoch": 1.0, "val_top1": 0.9, "val_f1": 0.5, "val_loss": 0.4},
    "second": {"epoch": 2.0, "val_top1": 0.9, "val_f1": 0.4, "val_loss": 0.3},
    "third": {"epoch": 3.0, "val_top1": 0.8, "val_f1": 0.6, "val_loss": 0.1},
}


@pytest.mark.parametrize(("metric", "best"), [("top1", "second"), ("f1", "third"), ("loss", "third")])
def test_the_metric_decides_and_of_equals_the_lower_loss(metric: str, best: str) -> None:
    assert max(ROWS, key=lambda name: rank(ROWS[name], metric)) == best


def test_an_equal_row_is_not_better() -> None:
    assert not rank(ROWS["first"], "top1") > rank(dict(ROWS["first"], epoch=2.0), "top1")
