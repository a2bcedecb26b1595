"""Whole runs on a few real digits: what is learnt, kept, said and refused."""

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tars_hub.card import read_measured
from tars_hub.errors import DataError, DownloadError, TarsError, UsageError
from tars_hub.model import TarsClassifier
from tars_hub.predict import Predictor
from tests.digits_folder import write_few_digits
from train import loop, recipe
from train import run as running
from train.__main__ import main
from train.config import TrainConfig
from train.console import Console
from train.run import run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_few_digits(tmp_path_factory.mktemp("data") / "digits")


def config_for(data: Path, output: Path, **changes: object) -> TrainConfig:
    small = TrainConfig(
        data=data, output=output, model="resnet18", weights="none", epochs=2, batch_size=8, img_size=32, augment="none"
    )
    return replace(small, **changes)  # type: ignore[arg-type]


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_a_run_learns_and_leaves_a_model_that_answers_as_measured(data: Path, tmp_path: Path) -> None:
    result = run(config_for(data, tmp_path / "out", epochs=6), Console())
    predictor = Predictor.from_pretrained(tmp_path / "out")
    assert predictor.config.classes == ("0", "1")
    pictures = sorted((data / "val").rglob("*.png"))
    right = sum(
        answer.label == path.parent.name for path, answer in zip(pictures, predictor.batch(pictures), strict=True)
    )
    assert right / len(pictures) == result.best.val_accuracy > 0.8
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    measured = read_measured(card)
    assert measured is not None
    assert (measured.accuracy, measured.pictures) == (pytest.approx(right / 12), 12)
    history = (tmp_path / "out" / "training" / "history.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(history.splitlines()))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    metrics = json.loads((tmp_path / "out" / "training" / "metrics.json").read_text(encoding="utf-8"))
    assert (metrics["top1"], metrics["finished"]) == (result.best.val_accuracy, True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_best_epoch_is_kept_not_the_last(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_epoch: dict[int, torch.Tensor] = {}

    def scored(this: loop.Run, epoch: int) -> loop.Score:
        at_epoch[epoch] = this.model.backbone.fc.weight.detach().clone()  # type: ignore[union-attr, operator]
        return loop.Score(loss=1.0, accuracy={1: 0.5, 2: 0.9, 3: 0.4}[epoch], pictures=12)

    monkeypatch.setattr(running, "evaluate", scored)
    result = run(config_for(data, tmp_path / "out", epochs=3), Console())
    assert result.best.epoch == 2
    kept = weights_of(tmp_path / "out")["fc.weight"]
    assert torch.equal(kept, at_epoch[2])
    assert not torch.equal(kept, at_epoch[3])


def test_the_same_seed_gives_the_same_weights(data: Path, tmp_path: Path) -> None:
    for name, seed, workers in (("a", 1, 1), ("b", 1, 4), ("c", 2, 1)):
        changes = {"epochs": 1, "augment": "drawing", "mixup": 0.2, "seed": seed, "workers": workers}
        run(config_for(data, tmp_path / name, **changes), Console())
    a, b, c = (weights_of(tmp_path / name) for name in "abc")
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not torch.equal(a["fc.weight"], c["fc.weight"])


def test_a_broken_picture_is_named_skipped_and_counted(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "data"
    shutil.copytree(data, mine)
    whole = next((mine / "train" / "0").iterdir())
    (mine / "train" / "0" / "cut.png").write_bytes(whole.read_bytes()[:100])
    (mine / "val" / "1" / "empty.png").write_bytes(b"")
    arguments = ["--model", "resnet18", "--weights", "none", "--img-size", "32", "--epochs", "2", "--batch-size", "4"]
    assert main(["--data", str(mine), "--output", str(tmp_path / "out"), *arguments]) == 0
    said = capsys.readouterr().out
    assert said.count("cut.png") == said.count("empty.png") == 1
    assert "2 pictures could not be read and were skipped" in said


def test_nothing_readable_is_one_clear_error(data: Path, tmp_path: Path) -> None:
    mine = tmp_path / "data"
    shutil.copytree(data, mine)
    for path in (mine / "val").rglob("*.png"):
        path.write_bytes(b"no picture")
    with pytest.raises(DataError, match="none of 12 pictures could be read"):
        run(config_for(mine, tmp_path / "out", epochs=1), Console())


@pytest.mark.parametrize("batch_size", [1, 31, 1000])
def test_an_odd_last_batch_trains(data: Path, tmp_path: Path, batch_size: int) -> None:
    run(config_for(data, tmp_path / "out", epochs=1, batch_size=batch_size), Console())  # 32 pictures: 31 + 1


@pytest.mark.parametrize("freeze", ["initial", "backbone"])
def test_what_is_frozen_stays(data: Path, tmp_path: Path, freeze: str) -> None:
    run(config_for(data, tmp_path / "start", epochs=1), Console())
    run(
        config_for(data, tmp_path / "out", model=None, weights=str(tmp_path / "start"), freeze=freeze, epochs=1),
        Console(),
    )
    before, after = weights_of(tmp_path / "start"), weights_of(tmp_path / "out")
    same = {key for key in before if torch.equal(before[key], after[key])}
    assert {"conv1.weight", "bn1.running_mean", "bn1.num_batches_tracked"} <= same
    assert ("layer4.1.bn2.running_mean" in same) == (freeze == "backbone")
    assert "fc.weight" not in same


def test_how_much_is_trained_is_said(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(config_for(data, tmp_path / "a", epochs=1), Console())
    assert "training 11.2 M of 11.2 M parameters (100%)" in capsys.readouterr().out
    run(config_for(data, tmp_path / "b", epochs=1, freeze="backbone"), Console())
    assert "training 0.0 M of 11.2 M parameters (0%)" in capsys.readouterr().out


def test_starting_from_a_model_of_other_classes_gives_it_a_new_head(data: Path, tmp_path: Path) -> None:
    TarsClassifier.create("resnet18", ["x", "y", "z"]).save_pretrained(tmp_path / "start")
    run(config_for(data, tmp_path / "out", model=None, weights=str(tmp_path / "start"), lr=1e-9, epochs=1), Console())
    before, after = weights_of(tmp_path / "start"), weights_of(tmp_path / "out")
    assert after["fc.weight"].shape == (2, 512)
    assert torch.allclose(before["conv1.weight"], after["conv1.weight"], atol=1e-6)


def test_starting_from_a_model_of_another_backbone_is_refused(data: Path, tmp_path: Path) -> None:
    TarsClassifier.create("resnet18", ["x"]).save_pretrained(tmp_path / "start")
    with pytest.raises(UsageError, match="holds a resnet18, not a resnet34"):
        run(config_for(data, tmp_path / "out", model="resnet34", weights=str(tmp_path / "start")), Console())


def test_auxiliary_heads_are_trained_too(data: Path, tmp_path: Path) -> None:
    run(config_for(data, tmp_path / "out", model="googlenet", epochs=1, batch_size=16), Console())
    after = weights_of(tmp_path / "out")
    assert after["aux1.fc2.weight"].shape[0] == 2
    assert int(after["aux1.conv.bn.num_batches_tracked"]) == 2


def test_imagenet_weights_that_cannot_be_had_stop_the_run_before_it_begins(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(running, "scan", lambda *_, **__: pytest.fail("the data was read first"))
    with pytest.raises(DownloadError) as caught:
        run(config_for(data, tmp_path / "out", weights="imagenet"), Console())
    assert "--weights none" in str(caught.value)
    assert "model folder" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_model_that_is_there_is_not_overwritten_unless_told(data: Path, tmp_path: Path) -> None:
    TarsClassifier.create("resnet18", ["x"]).save_pretrained(tmp_path / "out")
    (tmp_path / "out" / "mine.txt").write_text("keep")
    before = (tmp_path / "out" / "model.safetensors").read_bytes()
    with pytest.raises(UsageError, match="--overwrite"):
        run(config_for(data, tmp_path / "out"), Console())
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == before
    run(config_for(data, tmp_path / "out", epochs=1, overwrite=True), Console())
    assert TarsClassifier.from_pretrained(tmp_path / "out").config.classes == ("0", "1")
    assert (tmp_path / "out" / "mine.txt").read_text() == "keep"


def test_a_loss_that_explodes_is_said(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "CLIP_NORM", float("inf"))
    monkeypatch.setattr(loop, "mixup", lambda inputs, targets, *_: (inputs * float("nan"), targets))
    with pytest.raises(TarsError, match="--lr"):
        run(config_for(data, tmp_path / "out", mixup=0.1), Console())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--model", "resnet5"], "resnet"),
        (["--model", "vit_b_16", "--img-size", "64"], "vit_b_16 takes 224 px"),
        (["--model", "inception_v3", "--img-size", "128"], "inception_v3 trains on pictures of 299 px"),
        (["--device", "cuda:99"], "--device cuda:99"),
        (["--data", "/nowhere"], "/nowhere: no such folder"),
        (["--weights", "./nowhere"], "./nowhere"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], said: str
) -> None:
    needed = ["--data", str(data), "--output", str(tmp_path / "out"), "--weights", "none"]
    assert main([*needed, *flags]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("tars: ")
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_tutorials_line_as_a_process(data: Path, tmp_path: Path) -> None:
    # Its ImageNet weights need a network, and resnet50 minutes; all else is as the tutorial has it.
    line = f"-idl {data} -sl checkpoint/ -mo resnet18 -ep 1 -b 8 -fi"
    command = [sys.executable, "-m", "train", *line.split(), "-is", "32", "--weights", "none"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    assert "epoch 1/1" in process.stdout
    assert "epoch 1/1" in process.stderr  # the bar
    assert "pictures/s" in process.stderr
    assert sorted(path.name for path in (tmp_path / "checkpoint").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "training",
    ]


@pytest.mark.parametrize("alpha", [0.1, 1.0])
def test_mixup_blends_pictures_and_targets_alike(alpha: float) -> None:
    inputs = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 2, 2)
    targets = torch.eye(4)
    for seed in range(20):
        mixed, blended = loop.mixup(inputs, targets, alpha, torch.Generator().manual_seed(seed))
        assert torch.allclose(blended.sum(1), torch.ones(4))
        assert torch.allclose(mixed[:, 0, 0, 0], blended @ torch.arange(4.0), atol=1e-6)


def test_ctrl_c_keeps_the_best_epoch_so_far(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = loop.evaluate

    def evaluate_once(this: loop.Run, epoch: int) -> loop.Score:
        if epoch == 2:
            raise KeyboardInterrupt
        return real(this, epoch)

    monkeypatch.setattr(running, "evaluate", evaluate_once)
    arguments = ["--model", "resnet18", "--weights", "none", "--img-size", "32", "--epochs", "3", "--batch-size", "8"]
    assert main(["--data", str(data), "--output", str(tmp_path / "out"), *arguments]) == 130
    assert "stopped" in capsys.readouterr().out
    assert TarsClassifier.from_pretrained(tmp_path / "out").config.classes == ("0", "1")
    assert np.isfinite(float(weights_of(tmp_path / "out")["fc.weight"].sum()))
