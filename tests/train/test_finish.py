"""What a finished run leaves, and whether it says the truth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tars_hub.card import read_measured
from tars_hub.errors import DataError, UsageError
from tars_hub.predict import Predictor
from tars_hub.quiet import cv2
from tests.digits_folder import write_few_digits
from tests.train.runs import copied, json_of, rows_of, trained
from train.console import Console
from train.finish import announce
from train.run import Result

LEFT = {
    "batch.jpg",
    "confusion_matrix.png",
    "curves.png",
    "history.csv",
    "metrics.json",
    "mistakes.jpg",
    "predictions.csv",
    "run.json",
    "split.csv",
}


@dataclass(frozen=True)
class Finished:
    data: Path
    output: Path
    result: Result
    card: str

    @property
    def metrics(self) -> dict[str, Any]:
        return json_of(self.output, "metrics.json")


@pytest.fixture(scope="module")
def tested(start: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A run with a test folder and pictures of no class."""
    top = tmp_path_factory.mktemp("tested")
    data = write_few_digits(top / "digits", val=16)
    for digit in "01":
        pictures = sorted((data / "val" / digit).iterdir())
        (data / "test" / digit).mkdir(parents=True)
        for path in pictures[::2]:
            path.rename(data / "test" / digit / path.name)
    unknown = top / "unknown"
    (unknown / "deep").mkdir(parents=True)
    for index in range(5):
        grey = np.random.default_rng(index).integers(0, 256, (40, 40, 3), np.uint8)
        cv2.imwrite(str(unknown / "deep" / f"{index}.png"), grey)
    (unknown / "broken.png").write_bytes(b"no picture")
    settings = {"epochs": 3, "lr": 1e-5, "lr_batch": 0, "mixup": 0.1, "seed": 3, "target_error": 0.25}
    result = trained(data, top / "out", model=None, weights=str(start), unknown=unknown, **settings)
    return Finished(data, top / "out", result, (top / "out" / "README.md").read_text(encoding="utf-8"))


def test_the_files_and_nothing_else(tested: Finished, start: Path) -> None:
    for folder in (tested.output, start):
        assert {path.name for path in folder.iterdir()} == {"README.md", "config.json", "model.safetensors", "training"}
        found = {path.name for path in (folder / "training").iterdir()}
        assert {name for name in found if not name.startswith("events.out.tfevents")} == LEFT
    for name in ("batch.jpg", "confusion_matrix.png", "curves.png", "mistakes.jpg"):
        assert cv2.imread(str(tested.output / "training" / name)) is not None


def test_a_test_folder_gives_the_figures(tested: Finished) -> None:
    found = tested.metrics
    assert (found["split"], found["chose_epoch"], found["pictures"], found["finished"]) == ("test", False, 16, True)
    assert (found["dataset"], found["metric"], found["epoch"]) == ("digits", "top1", tested.result.best_epoch)
    assert found["validation"] == tested.result.progress.history[tested.result.progress.best or 0]
    report = tested.result.report
    assert report is not None
    assert (report.split, report.metrics.top1) == ("test", found["top1"])


def test_the_saved_model_answers_as_metrics_and_predictions_say(tested: Finished) -> None:
    rows = rows_of(tested.output, "predictions.csv")
    predictor = Predictor.from_pretrained(tested.output)
    answers = list(predictor.batch([tested.data / row["filename"] for row in rows]))
    assert [row["filename"] for row in rows] == sorted(
        path.relative_to(tested.data).as_posix() for path in (tested.data / "test").rglob("*.png")
    )
    assert [row["label"] for row in rows] == [answer.label for answer in answers]
    assert [float(row["prob"]) for row in rows] == pytest.approx([answer.probability for answer in answers], abs=1e-4)
    right = sum(answer.label == row["filename"].split("/")[1] for answer, row in zip(answers, rows, strict=True))
    assert tested.metrics["top1"] == right / 16


def test_the_card_says_which_pictures_its_figure_is_of(tested: Finished, start: Path) -> None:
    measured = read_measured(tested.card)
    assert measured is not None
    assert (measured.accuracy, measured.pictures, measured.split) == (
        pytest.approx(tested.metrics["top1"]),
        16,
        "test",
    )
    assert "also chose the epoch" not in tested.card
    of_val = (start / "README.md").read_text(encoding="utf-8")
    assert "These pictures also chose the epoch that was kept." in of_val
    assert json_of(start, "metrics.json")["chose_epoch"] is True


def test_the_card_says_how_it_was_made_without_local_paths(tested: Finished) -> None:
    for words in ("32 train, 16 val, 16 test", "scratch: adamw", "3 of 3", "8 pictures of 32 px", "mixup 0.1"):
        assert words in tested.card
    assert str(tested.data.parent) not in tested.card


def test_the_terminal_is_told_too(tested: Finished, capsys: pytest.CaptureFixture[str]) -> None:
    report = tested.result.report
    assert report is not None
    announce(Console(), report)
    said = capsys.readouterr().out
    assert f"top-1     {tested.metrics['top1']:.1%}" in said
    assert "of 5 pictures are declined" in said
    assert "also chose the epoch" not in said


def test_without_a_test_folder_the_terminal_says_what_val_did(
    data: Path, start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = trained(data, tmp_path, weights=str(start), model=None).report
    assert report is not None
    announce(Console(), report)
    assert "these validation pictures also chose the epoch; a test folder would give" in capsys.readouterr().out


def test_pictures_of_no_class_are_measured_and_broken_ones_left_out(tested: Finished) -> None:
    found = tested.metrics["unknown"]
    assert found["pictures"] == 5
    assert 0 <= found["auroc"] <= 1
    assert 0 <= found["declined"] <= 1
    assert tested.result.skipped == 1


def test_the_split_lists_every_picture(tested: Finished) -> None:
    rows = rows_of(tested.output, "split.csv")
    assert {row["filename"] for row in rows} == {
        path.relative_to(tested.data).as_posix() for path in tested.data.rglob("*.png")
    }
    assert all(row["filename"].split("/")[:2] == [row["split"], row["label"]] for row in rows)


def test_run_json_says_what_was_done_to_what(tested: Finished) -> None:
    found = json_of(tested.output, "run.json")
    assert found["data"]["pictures"] == {"train": 32, "val": 16, "test": 16}
    assert (found["settings"]["seed"], found["settings"]["recipe"]["mixup"]) == (3, 0.1)
    assert found["started"] <= found["finished"]
    assert 0 < found["seconds"] < 600
    assert len(found["command"]) > 0


def test_the_history_is_the_runs(tested: Finished) -> None:
    rows = rows_of(tested.output, "history.csv")
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3]
    assert [float(row["val_loss"]) for row in rows] == [row["val_loss"] for row in tested.result.progress.history]


def test_the_calibration_of_the_model_is_fitted_on_val(tested: Finished) -> None:
    config = json.loads((tested.output / "config.json").read_text())
    assert config["calibration"]["temperature"] == tested.metrics["temperature"] > 0
    assert config["calibration"]["error"] == tested.metrics["target_error"] == 0.25


@pytest.mark.parametrize(("name", "said"), [("nowhere", "no such folder"), ("empty", "holds no pictures")])
def test_an_unknown_folder_that_will_not_do_is_said_before_any_work(
    data: Path, tmp_path: Path, name: str, said: str
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=said):
        trained(data, tmp_path / "out", unknown=tmp_path / name)
    assert not (tmp_path / "out").exists()


def test_a_test_folder_of_broken_pictures_is_said_and_the_model_stays(data: Path, tmp_path: Path) -> None:
    mine = copied(data, tmp_path / "data")
    (mine / "test" / "0").mkdir(parents=True)
    (mine / "test" / "0" / "1.png").write_bytes(b"no picture")
    with pytest.raises(DataError):
        trained(mine, tmp_path / "out")
    assert (tmp_path / "out" / "model.safetensors").exists()
    assert json_of(tmp_path / "out", "metrics.json")["finished"] is False
