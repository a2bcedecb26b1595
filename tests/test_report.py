"""The files that are left of an evaluation, and the lines that are said."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tars_hub.calibration import softmax
from tars_hub.config import Calibration
from tars_hub.errors import PictureError
from tars_hub.evaluation import Evaluated
from tars_hub.metrics import Metrics, measure
from tars_hub.quiet import cv2
from tars_hub.report import summary, write_report

CALIBRATION = Calibration(temperature=2.0, threshold=0.6, error=0.05)


def evaluated(*, perfect: bool = False, classes: int = 7, count: int = 120) -> Evaluated:
    labels = np.arange(count) % classes
    logits = np.random.default_rng(0).normal(0, 1, (count, classes)).astype(np.float32)
    logits[np.arange(count), labels] += 30 if perfect else 3
    files = tuple("földer, 猫/" + f"{index}.png" for index in range(count))
    return Evaluated(
        classes=tuple(f"n° {index}" for index in range(classes)), files=files, labels=labels, logits=logits
    )


def metrics_of(found: Evaluated, calibration: Calibration = CALIBRATION) -> Metrics:
    return measure(found, calibration, fitted_here=False)


class Pictures:
    """One grey for each row, and which rows were asked for."""

    def __init__(self) -> None:
        self.rows: list[int] = []

    def __call__(self, row: int) -> NDArray[np.uint8]:
        self.rows.append(row)
        return np.full((32, 32, 3), row, np.uint8)


def test_the_files(tmp_path: Path) -> None:
    found = evaluated()
    folder = tmp_path / "new" / "report"
    write_report(folder, found, metrics_of(found), CALIBRATION, facts={"split": "val"}, picture_of=Pictures())
    assert sorted(path.name for path in folder.iterdir()) == [
        "confusion_matrix.png",
        "metrics.json",
        "mistakes.jpg",
        "predictions.csv",
    ]
    for name in ("confusion_matrix.png", "mistakes.jpg"):
        assert cv2.imread(str(folder / name)) is not None


def test_metrics_json_holds_the_figures_and_the_facts(tmp_path: Path) -> None:
    found = evaluated()
    facts = {"split": "val", "epoch": 7, "odd": math.nan, "unknown": {"pictures": 3}}
    write_report(tmp_path, found, metrics_of(found), CALIBRATION, facts=facts)
    read = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert read == metrics_of(found).to_dict() | facts | {"odd": None}
    assert not (tmp_path / "mistakes.jpg").exists()


def test_predictions_have_a_row_for_every_picture(tmp_path: Path) -> None:
    found = evaluated()
    write_report(tmp_path, found, metrics_of(found), CALIBRATION)
    raw = (tmp_path / "predictions.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(raw.decode("utf-8-sig").splitlines()))
    assert list(rows[0]) == ["filename", "index", "label", "prob", "truth", "right", "declined"]
    assert [row["filename"] for row in rows] == list(found.files)
    sureness = softmax(found.logits, 2.0).max(axis=1)
    for row, prob, logits, label in zip(rows, sureness, found.logits, found.labels, strict=True):
        assert int(row["index"]) == logits.argmax()
        assert row["label"] == found.classes[logits.argmax()]
        assert float(row["prob"]) == pytest.approx(float(prob), abs=1e-6)
        assert row["truth"] == found.classes[label]
        assert row["right"] == ("1" if logits.argmax() == label else "0")
        assert row["declined"] == ("1" if prob < 0.6 else "0")
    assert {row["declined"] for row in rows} == {"1", "0"}


def test_names_that_are_no_unicode_are_written_as_they_are(tmp_path: Path) -> None:
    found = evaluated(count=2)
    odd = replace(found, files=("\udcff.png", "b.png"))
    write_report(tmp_path, odd, metrics_of(odd), CALIBRATION)
    assert b"\xff.png" in (tmp_path / "predictions.csv").read_bytes()


def test_the_surest_mistakes_come_first(tmp_path: Path) -> None:
    found, pictures = evaluated(), Pictures()
    write_report(tmp_path, found, metrics_of(found), CALIBRATION, picture_of=pictures)
    sureness = softmax(found.logits, 2.0).max(axis=1)
    wrong = np.flatnonzero(found.logits.argmax(axis=1) != found.labels)
    assert pictures.rows == sorted(wrong.tolist(), key=lambda row: -sureness[row])[:32]
    assert len(pictures.rows) > 3


def test_without_mistakes_the_least_sure_answers_are_shown(tmp_path: Path) -> None:
    found, pictures = evaluated(perfect=True), Pictures()
    write_report(tmp_path, found, metrics_of(found), CALIBRATION, picture_of=pictures)
    sureness = softmax(found.logits, 2.0).max(axis=1)
    assert pictures.rows == np.argsort(sureness, kind="stable")[:32].tolist()
    assert (tmp_path / "mistakes.jpg").exists()


def test_a_picture_that_has_gone_meanwhile_costs_its_tile_alone(tmp_path: Path) -> None:
    found = evaluated()
    wrong = int(np.flatnonzero(found.logits.argmax(axis=1) != found.labels)[0])

    def picture_of(row: int) -> NDArray[np.uint8]:
        if row == wrong:
            raise PictureError("x.png", "gone")
        return np.zeros((32, 32, 3), np.uint8)

    write_report(tmp_path, found, metrics_of(found), CALIBRATION, picture_of=picture_of)
    assert (tmp_path / "mistakes.jpg").exists()


def test_the_summary() -> None:
    found = metrics_of(evaluated())
    lines = summary(found)
    assert lines[0] == (
        f"top-1     {found.top1:.1%} ({found.top1_interval[0]:.1%} to {found.top1_interval[1]:.1%}) of 120 pictures"
    )
    assert [line.split()[0] for line in lines] == ["top-1", "top-5", "F1", "sureness", "answers", *["confused"] * 3]
    assert "declines what it is less than 60.0% sure of" in lines[4]
    truth, answer, times = found.confused[0]
    assert lines[5].startswith(f"confused  {truth} taken for {answer}: {times} time")


def test_the_summary_of_a_model_that_never_declines_and_has_few_classes() -> None:
    lines = summary(metrics_of(evaluated(classes=2, perfect=True), Calibration()))
    assert [line.split()[0] for line in lines] == ["top-1", "F1", "sureness", "answers"]
    assert "no threshold" in lines[3]
    everything = summary(metrics_of(evaluated(), Calibration(threshold=1.0)))
    assert any("answers   0.0%" in line for line in everything)
