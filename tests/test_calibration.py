"""Temperatures and thresholds: what they should be on data whose truth is known, and on data that says nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tars_hub.calibration import (
    answered,
    calibration_error,
    cross_fitted,
    fit,
    fit_temperature,
    negative_log_likelihood,
    softmax,
)
from tars_hub.config import Calibration
from tars_hub.errors import UsageError

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


def drawn(
    count: int, *, classes: int = 5, gap: float = 2.5, scale: float = 1.0, seed: int = 0
) -> tuple[Floats, Labels]:
    """Logits whose softmax is the truth (labels are drawn from it), then made `scale` times as bold."""
    dice = np.random.default_rng(seed)
    logits = dice.normal(0, gap, (count, classes))
    chances = softmax(logits.astype(np.float32)).astype(np.float64).cumsum(axis=1)
    labels = (dice.random((count, 1)) > chances / chances[:, -1:]).sum(axis=1)
    return (logits * scale).astype(np.float32), labels.astype(np.int64)


def separated(count: int, gap: float, classes: int = 3) -> tuple[Floats, Labels]:
    """Every answer right, by the same gap."""
    labels = np.arange(count) % classes
    return np.eye(classes, dtype=np.float32)[labels] * np.float32(gap), labels


def torchs_softmax(logits: Floats, temperature: float) -> Floats:
    return (torch.from_numpy(logits) / temperature).softmax(dim=1).numpy()


def test_softmax_is_torchs() -> None:
    logits, _ = drawn(5000, scale=9)
    assert np.allclose(softmax(logits, 1.7), torchs_softmax(logits, 1.7), atol=1e-6)
    assert softmax(np.array([[1e30, -1e30]], np.float32)).tolist() == [[1.0, 0.0]]


def test_the_loss_is_the_cross_entropy() -> None:
    logits, labels = drawn(5000, scale=3)
    theirs = torch.nn.functional.cross_entropy(torch.from_numpy(logits) / 2, torch.from_numpy(labels))
    assert negative_log_likelihood(logits, labels, 2.0) == pytest.approx(float(theirs), rel=1e-5)


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
def test_the_temperature_undoes_what_made_the_logits_too_bold(scale: float) -> None:
    assert fit_temperature(*drawn(4000, scale=scale)) == pytest.approx(scale, rel=0.06)


def test_a_very_large_set_is_settled_by_a_part_of_it() -> None:
    assert fit_temperature(*drawn(50_000, classes=3, scale=2)) == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("count", [4, 20, 200, 2000])
@pytest.mark.parametrize("gap", [0.1, 1.0, 6.0])
def test_a_set_without_a_mistake_does_not_make_everything_certain(count: int, gap: float) -> None:
    logits, labels = separated(count, gap)
    temperature = fit_temperature(logits, labels)
    assert 0.05 <= temperature <= 1.0
    doubt = 1 - softmax(logits, temperature).max(axis=1)[0]
    assert doubt > min(0.02 / count, 0.0004)


def test_what_says_nothing_leaves_the_temperature_at_one() -> None:
    one_class = np.ones((9, 1), np.float32), np.zeros(9, np.int64)
    nothing = np.empty((0, 3), np.float32), np.empty(0, np.int64)
    equal = np.zeros((9, 3), np.float32), np.arange(9) % 3
    for logits, labels in (one_class, nothing, equal):
        assert fit_temperature(logits, labels) == pytest.approx(1.0, abs=1e-3)


def test_hopeless_and_few_pictures_still_give_a_calibration() -> None:
    logits, labels = separated(30, 40.0)
    wrong = (labels + 1) % 3
    found = fit(logits, wrong, error=0.1)
    assert found == Calibration(temperature=found.temperature)
    assert found.temperature == pytest.approx(20, rel=0.01)
    for count in range(6):
        found = fit(*separated(count, 3.0), error=0.05)
        assert (found.threshold, found.error) == (None, None)  # 19 right answers are the least that show 5 %
    assert fit(*separated(19, 3.0), error=0.05).threshold is not None
    assert fit(*separated(18, 3.0), error=0.05).threshold is None


@pytest.mark.parametrize("error", [0.0, 1.0, -0.1, float("nan")])
def test_an_error_that_is_no_share_is_refused(error: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        fit(*separated(30, 3.0), error=error)


def test_odd_input_is_one_clear_line() -> None:
    logits, labels = separated(30, 3.0)
    with pytest.raises(UsageError, match=r"\(30, 3\).*\(29,\)"):
        fit_temperature(logits, labels[:-1])
    logits[3, 1] = np.nan
    with pytest.raises(UsageError, match="diverged"):
        fit(logits, labels, error=0.1)


@pytest.mark.parametrize("error", [0.02, 0.1, 0.3])
def test_of_the_answers_no_larger_share_is_wrong_than_was_stated(error: float) -> None:
    logits, labels = drawn(3000, scale=2)
    found = fit(logits, labels, error=error)
    sureness = softmax(logits, found.temperature).max(axis=1)
    right = logits.argmax(axis=1) == labels
    given = answered(sureness, found)
    assert (~right[given]).sum() + 1 <= error * (given.sum() + 1)
    assert found.error == error


@pytest.mark.parametrize("error", [0.02, 0.1, 0.3])
def test_the_same_holds_about_for_other_pictures(error: float) -> None:
    fresh, truth = drawn(20_000, gap=5, seed=99)
    shares = []
    for seed in range(8):
        found = fit(*drawn(1000, gap=5, seed=seed), error=error)
        here = answered(softmax(fresh, found.temperature).max(axis=1), found)
        shares.append((fresh.argmax(axis=1) != truth)[here].mean())
    assert np.mean(shares) < error * 1.15


def test_the_threshold_is_the_smallest_that_does() -> None:
    logits, labels = drawn(3000, scale=2)
    found = fit(logits, labels, error=0.1)
    sureness = softmax(logits, found.temperature).max(axis=1).astype(np.float64)
    right = logits.argmax(axis=1) == labels
    assert found.threshold is not None
    for lower in np.sort(sureness[sureness < found.threshold])[-300::20]:
        given = sureness >= lower
        assert (~right[given]).sum() + 1 > 0.1 * (given.sum() + 1)


def test_a_model_that_is_hardly_ever_wrong_declines_its_least_sure_answers_too() -> None:
    gaps = np.linspace(2, 12, 390, dtype=np.float32)
    logits = np.stack([gaps, np.zeros_like(gaps)], axis=1)
    found = fit(logits, np.zeros(390, np.int64), error=0.05)
    declined = ~answered(softmax(logits, found.temperature).max(axis=1), found)
    assert 5 <= declined.sum() <= 0.02 * 390
    assert declined[:5].all()


@pytest.mark.parametrize("gap", [0.5, 2.0, 17.0, 100.0])
def test_a_picture_exactly_as_sure_as_the_threshold_is_answered(gap: float) -> None:
    logits, labels = separated(60, gap)
    found = fit(logits, labels, error=0.05)
    assert found.threshold is not None
    for sureness in (softmax(logits, found.temperature), torchs_softmax(logits, found.temperature)):
        assert answered(sureness.max(axis=1), found).all()
        assert all(value >= found.threshold for value in sureness.max(axis=1).tolist())


def test_equally_sure_pictures_are_answered_or_declined_together() -> None:
    logits, labels = separated(100, 3.0, classes=2)
    labels[70:] = 1 - labels[70:]  # wrong, and just as sure
    assert fit(logits, labels, error=0.05).threshold is None


def test_what_was_fitted_elsewhere_is_less_flattering() -> None:
    logits, labels = drawn(400, scale=3)
    probabilities, decided = cross_fitted(logits, labels, error=0.1)
    again, _ = cross_fitted(logits, labels, error=0.1)
    assert np.array_equal(probabilities, again)
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(400), abs=1e-5)
    assert 0 < decided.mean() < 1
    here = fit(logits, labels, error=0.1)
    assert calibration_error(probabilities, labels) < calibration_error(softmax(logits), labels) / 2
    scales = {round(float(np.log(p[0] / p[1]) / (x[0] - x[1])), 4) for p, x in zip(probabilities, logits, strict=True)}
    assert 2 <= len(scales) <= 40  # five temperatures, as far as float32 can tell
    assert round(1 / here.temperature, 6) not in scales


def test_a_picture_is_not_read_with_what_it_taught() -> None:
    logits, labels = drawn(200, scale=3)
    before, _ = cross_fitted(logits, labels, error=0.1)
    bolder = logits.copy()
    bolder[7] *= 30
    after, _ = cross_fitted(bolder, labels, error=0.1)
    changed = ~np.isclose(before, after).all(axis=1)
    order = np.argsort(labels, kind="stable")
    fold = {int(row) for at, row in enumerate(order) if at % 5 == list(order).index(7) % 5}
    assert not changed[sorted(fold - {7})].any()
    assert changed[sorted(set(range(200)) - fold)].all()


@pytest.mark.parametrize("count", range(12))
def test_few_pictures_are_cross_fitted_as_well_as_they_can_be(count: int) -> None:
    logits, labels = drawn(count)
    probabilities, decided = cross_fitted(logits, labels, error=0.05)
    assert probabilities.shape == (count, 5)
    assert decided.all()


def test_calibration_error_of_what_is_known() -> None:
    probabilities = np.tile(np.array([[0.8, 0.2]], np.float32), (1000, 1))
    labels = (np.arange(1000) >= 600).astype(np.int64)  # 60 % right, and the right ones come first
    assert calibration_error(probabilities, labels) == pytest.approx(0.2, abs=1e-6)
    labels = (np.arange(1000) >= 800).astype(np.int64)
    assert calibration_error(probabilities, labels) == pytest.approx(0.0, abs=1e-6)


def test_calibration_error_falls_with_the_right_temperature() -> None:
    logits, labels = drawn(5000, scale=4)
    assert calibration_error(softmax(logits), labels) > 0.15
    assert calibration_error(softmax(logits, 4.0), labels) < 0.02


def test_calibration_error_of_a_single_picture_or_class() -> None:
    assert calibration_error(np.array([[0.7, 0.3]], np.float32), np.array([0])) == pytest.approx(0.3)
    assert calibration_error(np.ones((5, 1), np.float32), np.zeros(5, np.int64)) == 0
