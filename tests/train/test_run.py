"""Whole runs on a few real digits: what is learnt, whatever is asked for, and what never changes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tars_hub.errors import UsageError
from tars_hub.model import TarsClassifier
from tars_hub.predict import Predictor
from tests.digits_folder import write_few_digits
from tests.train.runs import copied, json_of, rows_of, same, trained, weights_of
from train.recipe import RECIPES


def test_a_run_learns_and_leaves_a_model_that_answers_as_measured(data: Path, tmp_path: Path) -> None:
    result = trained(data, tmp_path / "out", model="resnet18", epochs=5, augment="light")
    predictor = Predictor.from_pretrained(tmp_path / "out")
    assert predictor.config.classes == ("0", "1")
    pictures = sorted((data / "val").rglob("*.png"))
    answers = predictor.batch(pictures)
    right = sum(answer.label == path.parent.name for path, answer in zip(pictures, answers, strict=True))
    row = result.progress.history[result.progress.best or 0]
    assert right / 12 == json_of(tmp_path / "out", "metrics.json")["top1"] == row["val_top1"]
    assert right / 12 > 0.8
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("name", ["tutorial", "finetune"])
def test_other_recipes_learn_too(start: Path, tmp_path: Path, name: str) -> None:
    data = write_few_digits(tmp_path / "data", digits="01", train=40, val=10)
    recipe = RECIPES[name]
    result = trained(data, tmp_path / "out", model=None, weights=str(start), recipe=recipe, augment="light")
    row = result.progress.history[result.progress.best or 0]
    assert (row["val_top1"] or 0) > 0.8


@pytest.mark.parametrize("name", ["efficientnet_b0", "shufflenet_v2_x0_5"])
def test_the_same_seed_gives_the_same_weights_whoever_reads(data: Path, tmp_path: Path, name: str) -> None:
    settings: dict[str, Any] = {"model": name, "augment": "strong", "mixup": 0.2, "cutmix": 1.0, "ema": 0.9}
    for folder, seed, workers in (("a", 1, 1), ("b", 1, 4), ("c", 2, 1)):
        trained(data, tmp_path / folder, seed=seed, workers=workers, batch_size=16, **settings)
    a, b, c = (weights_of(tmp_path / folder) for folder in "abc")
    assert same(a, b)
    assert not same(a, c, tolerance=1e-6)


SETTINGS_OF_START = {"model": None, "lr": 0.001}


@pytest.fixture(scope="module")
def plain(data: Path, start: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    """The weights of a run without anything special."""
    folder = tmp_path_factory.mktemp("plain") / "out"
    trained(data, folder, weights=str(start), **SETTINGS_OF_START)
    return weights_of(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"mixup": 0.2},
        {"cutmix": 1.0},
        {"ema": 0.9},
        {"augment": "strong"},
        {"label_smoothing": 0.3},
        {"balance": True, "batch_size": 7},
        {"optimizer": "sgd"},
        {"weight_decay": 0.5},
        {"clip_norm": 0.01},
        {"layer_decay": 0.5},
        {"crop": "squash"},
        {"batch_size": 16},
        {"precision": "bf16"},
        {},
    ],
)
def test_a_setting_makes_a_difference(
    data: Path, start: Path, tmp_path: Path, plain: dict[str, Tensor], changes: dict[str, Any]
) -> None:
    trained(data, tmp_path / "out", weights=str(start), **SETTINGS_OF_START, **changes)
    assert same(weights_of(tmp_path / "out"), plain) == (not changes)
    assert json_of(tmp_path / "out", "metrics.json")["finished"]


def test_broken_pictures_are_named_once_skipped_and_counted(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = copied(data, tmp_path / "data")
    whole = next((mine / "train" / "0").iterdir())
    (mine / "train" / "0" / "cut.png").write_bytes(whole.read_bytes()[:100])
    (mine / "train" / "1" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (mine / "val" / "1" / "empty.png").write_bytes(b"")
    result = trained(mine, tmp_path / "out", epochs=2, mixup=0.2)
    said = capsys.readouterr().out
    assert [said.count(name) for name in ("cut.png", "gone.png", "empty.png")] == [1, 1, 1]
    assert result.skipped == 3
    assert json_of(tmp_path / "out", "metrics.json")["pictures"] == 12
    assert [row["split"] for row in rows_of(tmp_path / "out", "split.csv") if "cut.png" in row["filename"]] == ["train"]


@pytest.mark.parametrize("batch_size", [1, 31, 1000])
@pytest.mark.parametrize("changes", [{}, {"mixup": 0.2, "accumulate": 3}])
def test_an_odd_last_batch_trains(data: Path, tmp_path: Path, batch_size: int, changes: dict[str, Any]) -> None:
    trained(data, tmp_path / "out", model="shufflenet_v2_x0_5", batch_size=batch_size, **changes)  # 31 + 1
    assert all(bool(value.isfinite().all()) for value in weights_of(tmp_path / "out").values())


def test_classes_of_one_picture_train(data: Path, tmp_path: Path) -> None:
    mine = copied(data, tmp_path / "data")
    for path in sorted((mine / "train" / "1").iterdir())[1:]:
        path.unlink()
    for path in (mine / "val" / "1").iterdir():
        path.unlink()
    trained(mine, tmp_path / "out", balance=True, model="shufflenet_v2_x0_5")
    found = json_of(tmp_path / "out", "metrics.json")
    assert {name: each["support"] for name, each in found["per_class"].items()} == {"0": 6, "1": 0}


def test_one_class_trains(tmp_path: Path) -> None:
    data = write_few_digits(tmp_path / "data", digits="7", train=4, val=2)
    trained(data, tmp_path / "out")
    assert Predictor.from_pretrained(tmp_path / "out").config.classes == ("7",)


@pytest.mark.parametrize("freeze", ["initial", "backbone"])
def test_what_is_frozen_stays_with_its_statistics(data: Path, tmp_path: Path, freeze: str) -> None:
    trained(data, tmp_path / "start", model="shufflenet_v2_x0_5")
    trained(data, tmp_path / "out", model=None, weights=str(tmp_path / "start"), freeze=freeze)
    before, after = weights_of(tmp_path / "start"), weights_of(tmp_path / "out")
    kept = {key for key in before if torch.equal(before[key], after[key])}
    assert {"conv1.0.weight", "conv1.1.running_mean", "conv1.1.num_batches_tracked"} <= kept
    assert ("conv5.1.running_mean" in kept) == (freeze == "backbone")
    assert "fc.weight" not in kept


def test_how_much_is_trained_is_said(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained(data, tmp_path / "a")
    assert "training 0.7 M of 0.7 M parameters (100%)" in capsys.readouterr().out
    trained(data, tmp_path / "b", freeze="backbone")
    assert "training 0.0 M of 0.7 M parameters (0%)" in capsys.readouterr().out


def test_a_folder_without_a_split_trains_and_says_what_it_measured_with(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flat = copied(data / "train", tmp_path / "flat")
    trained(flat, tmp_path / "out", seed=5)
    assert "one picture in 5 of each class is kept for it (seed 5" in capsys.readouterr().out
    found = [row["split"] for row in rows_of(tmp_path / "out", "split.csv")]
    assert (found.count("train"), found.count("val")) == (26, 6)


def test_a_model_that_is_there_is_not_overwritten_unless_told(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    TarsClassifier.create("squeezenet1_1", ["x"]).save_pretrained(out)
    (out / "mine.txt").write_text("keep")
    before = (out / "model.safetensors").read_bytes()
    with pytest.raises(UsageError, match="--overwrite"):
        trained(data, out)
    assert (out / "model.safetensors").read_bytes() == before
    trained(data, out, overwrite=True)
    assert TarsClassifier.from_pretrained(out).config.classes == ("0", "1")
    assert (out / "mine.txt").read_text() == "keep"


def test_the_random_state_of_the_caller_is_no_part_of_a_run(data: Path, tmp_path: Path) -> None:
    for folder, seed in (("a", 1), ("b", 2)):
        torch.manual_seed(seed)
        trained(data, tmp_path / folder, ema=0.5, augment="light")
    assert same(weights_of(tmp_path / "a"), weights_of(tmp_path / "b"))
