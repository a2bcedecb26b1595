"""Figures against scikit-learn's and against what is known; JSON that any reader takes."""

from __future__ import annotations

import json
import math
import time
import warnings

import numpy as np
import pytest
import sklearn.metrics
from scipy.stats import binomtest

from tars_hub.calibration import calibration_error, cross_fitted, fit, softmax
from tars_hub.config import Calibration
from tars_hub.errors import DataError
from tars_hub.evaluation import Evaluated
from tars_hub.metrics import Metrics, confusion_counts, measure, measure_unknown, wilson

KEYS = set(
    "top1 top1_interval top5 top5_interval loss precision recall f1 f1_interval balanced_accuracy per_class confusion "
    "confidence calibration_error calibration_error_raw temperature threshold target_error answered "
    "error_when_answered pictures".split()
)


def made(labels: list[int], answers: list[int], classes: int, boldness: float = 4.0) -> Evaluated:
    """A model that gave these answers."""
    logits = np.random.default_rng(0).normal(0, 0.5, (len(labels), classes)).astype(np.float32)
    logits[np.arange(len(labels)), answers] += boldness
    names = tuple(f"class {index}" for index in range(classes))
    files = tuple(f"{index}.png" for index in range(len(labels)))
    return Evaluated(classes=names, files=files, labels=np.array(labels, np.int64), logits=logits)


def some(count: int = 400, classes: int = 7, right: float = 0.8, seed: int = 0) -> Evaluated:
    dice = np.random.default_rng(seed)
    labels = dice.integers(0, classes, count)
    answers = np.where(dice.random(count) < right, labels, dice.integers(0, classes, count))
    return made(labels.tolist(), answers.tolist(), classes, boldness=3.0)


def measured(evaluated: Evaluated, calibration: Calibration | None = None) -> Metrics:
    return measure(evaluated, calibration or Calibration(), fitted_here=False)


def test_every_figure_is_scikit_learns() -> None:
    evaluated = some()
    found = measured(evaluated, Calibration(temperature=1.5))
    truth, answers = evaluated.labels, evaluated.logits.argmax(axis=1)
    assert found.top1 == pytest.approx(sklearn.metrics.accuracy_score(truth, answers))
    assert found.top5 == pytest.approx(sklearn.metrics.top_k_accuracy_score(truth, evaluated.logits, k=5))
    theirs = softmax(evaluated.logits, 1.5).astype(np.float64)
    assert found.loss == pytest.approx(sklearn.metrics.log_loss(truth, theirs / theirs.sum(axis=1, keepdims=True)))
    assert found.f1 == pytest.approx(sklearn.metrics.f1_score(truth, answers, average="macro"))
    assert found.precision == pytest.approx(sklearn.metrics.precision_score(truth, answers, average="macro"))
    assert found.recall == pytest.approx(sklearn.metrics.recall_score(truth, answers, average="macro"))
    assert found.balanced_accuracy == pytest.approx(sklearn.metrics.balanced_accuracy_score(truth, answers))
    assert found.confusion == sklearn.metrics.confusion_matrix(truth, answers).tolist()
    assert found.per_class["class 3"]["support"] == (truth == 3).sum()
    assert found.calibration_error == calibration_error(softmax(evaluated.logits, 1.5), truth)
    assert found.calibration_error_raw == calibration_error(softmax(evaluated.logits), truth)


def test_the_json_has_its_keys_and_nothing_that_json_lacks() -> None:
    for evaluated in (some(), some(20, 1), some(1, 3), some(40, 300)):
        for calibration in (Calibration(), Calibration(threshold=1.0, error=0.1)):
            found = measured(evaluated, calibration).to_dict()
            assert set(found) == KEYS
            assert json.loads(json.dumps(found, allow_nan=False)) == found
            assert found["confidence"] == 0.95


def test_classes_that_do_not_occur_count_for_nothing_and_warn_of_nothing() -> None:
    evaluated = made([0, 0, 1, 1], [0, 3, 1, 1], 5)
    found = measured(evaluated)
    assert found.recall == found.balanced_accuracy == pytest.approx(0.75)
    assert found.f1 == pytest.approx((2 / 3 + 1) / 2)
    assert found.per_class["class 4"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of the answer 3
        assert found.recall == sklearn.metrics.balanced_accuracy_score(evaluated.labels, [0, 3, 1, 1])


def test_one_class_and_few_classes() -> None:
    found = measured(made([0, 0, 0], [0, 0, 0], 1))
    assert (found.top1, found.top5, found.f1, found.loss, found.calibration_error) == (1, 1, 1, 0, 0)
    assert measured(made([0, 1, 2], [1, 2, 0], 3)).top5 == 1


def test_of_equal_logits_the_first_class_is_the_answer() -> None:
    logits = np.zeros((8, 8), np.float32)
    evaluated = Evaluated(
        classes=tuple("abcdefgh"), files=tuple("12345678"), labels=np.arange(8, dtype=np.int64), logits=logits
    )
    found = measured(evaluated)
    assert (found.top1, found.top5) == (1 / 8, 5 / 8)


def test_no_pictures_is_one_clear_line() -> None:
    with pytest.raises(DataError, match="no pictures"):
        measured(made([], [], 3))


@pytest.mark.parametrize(("right", "total"), [(0, 1), (1, 1), (0, 50), (50, 50), (3, 7), (480, 500), (99_000, 100_000)])
def test_wilson_is_scipys(right: int, total: int) -> None:
    theirs = binomtest(right, total).proportion_ci(method="wilson")
    assert wilson(right, total) == pytest.approx((theirs.low, theirs.high), abs=1e-6)
    low, high = wilson(right, total)
    assert 0 <= low <= right / total <= high <= 1


def test_the_interval_of_f1_holds_it_and_narrows_with_more_pictures() -> None:
    few, many = measured(some(100)), measured(some(6400))
    for found in (few, many):
        assert found.f1_interval[0] <= found.f1 <= found.f1_interval[1]
    widths = [high - low for low, high in (few.f1_interval, many.f1_interval)]
    assert widths[1] == pytest.approx(widths[0] / 8, rel=0.3)
    assert measured(some(100)).f1_interval == few.f1_interval


def test_the_interval_of_f1_holds_the_truth_about_as_often_as_it_says() -> None:
    truth = measured(some(200_000, 4, 0.7, seed=77)).f1
    intervals = [measured(some(150, 4, 0.7, seed=seed)).f1_interval for seed in range(60)]
    assert sum(low <= truth <= high for low, high in intervals) >= 52


def test_perfect_answers_about_few_pictures_are_no_proof() -> None:
    found = measured(made([0, 1] * 10, [0, 1] * 10, 2))
    assert found.f1_interval == found.top1_interval
    assert found.f1_interval[0] < 0.9


def test_the_commonest_mistakes_come_first() -> None:
    found = measured(made([0, 0, 0, 1, 1, 2, 2], [1, 1, 0, 2, 1, 2, 0], 3))
    assert found.confused == (("class 0", "class 1", 2), ("class 1", "class 2", 1), ("class 2", "class 0", 1))


def test_answering_by_the_stored_calibration() -> None:
    evaluated = some()
    sureness = softmax(evaluated.logits).max(axis=1)
    wrong = evaluated.logits.argmax(axis=1) != evaluated.labels
    found = measured(evaluated, Calibration(threshold=0.7, error=0.1))
    assert found.answered == pytest.approx((sureness >= 0.7).mean())
    assert found.error_when_answered == pytest.approx(wrong[sureness >= 0.7].mean())
    assert (found.threshold, found.target_error, found.temperature) == (0.7, 0.1, 1.0)
    nobody = measured(evaluated, Calibration(threshold=1.0))
    assert (nobody.answered, nobody.error_when_answered) == (0, None)
    assert measured(evaluated).answered == 1


def test_what_the_pictures_taught_is_measured_without_them() -> None:
    evaluated = some(300, 7, 0.9)
    calibration = fit(evaluated.logits, evaluated.labels, error=0.08)
    found = measure(evaluated, calibration, fitted_here=True, error=0.08)
    probabilities, answered = cross_fitted(evaluated.logits, evaluated.labels, error=0.08)
    assert found.calibration_error == calibration_error(probabilities, evaluated.labels)
    assert found.answered == answered.mean()
    assert found.answered != measure(evaluated, calibration, fitted_here=False).answered
    assert found.threshold == calibration.threshold


def test_a_model_that_never_declines_is_not_measured_as_if_it_did() -> None:
    evaluated = some(300, 7, 0.9)
    assert measure(evaluated, Calibration(), fitted_here=True, error=0.08).answered == 1


def test_a_large_matrix_is_left_out_of_the_file() -> None:
    assert measured(some(500, 200)).confusion is not None
    assert measured(some(500, 201)).confusion is None
    assert confusion_counts(some(500, 201)).sum() == 500


def test_a_thousand_classes_take_seconds() -> None:
    evaluated = some(10_000, 1000, 0.7)
    start = time.process_time()  # not what others on the machine take
    found = measured(evaluated)
    assert time.process_time() - start < 20
    assert found.f1_interval[0] <= found.f1 <= found.f1_interval[1]


def test_pictures_of_no_known_class() -> None:
    known = np.array([[0.9, 0.1], [0.8, 0.2], [0.55, 0.45]], np.float32)
    unknown = np.array([[0.6, 0.4], [0.5, 0.5]], np.float32)
    found = measure_unknown(unknown, 0.55, known)
    assert set(found) == {"pictures", "declined", "declined_interval", "auroc"}
    assert (found["pictures"], found["declined"]) == (2, 0.5)
    assert found["declined_interval"] == list(wilson(1, 2))
    assert found["auroc"] == pytest.approx(5 / 6)
    assert json.loads(json.dumps(found)) == found
    never = measure_unknown(unknown, None, known)
    assert (never["declined"], never["declined_interval"]) == (None, None)
    assert not math.isnan(never["auroc"])
    with pytest.raises(DataError, match="no pictures"):
        measure_unknown(unknown[:0], 0.5, known)
