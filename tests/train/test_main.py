"""`python -m train`: one line for a mistake, a model folder for all else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tars_hub.model import TarsClassifier
from tests.checkout import ROOT
from tests.train.runs import FLAGS
from train.__main__ import main


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--model", "resnet5"], "resnet"),
        (["--model", "vit_b_16", "--img-size", "64"], "vit_b_16 takes 224 px"),
        (["--model", "inception_v3", "--img-size", "128"], "inception_v3 trains on pictures of 299 px"),
        (["--device", "cuda:99"], "--device cuda:99"),
        (["--data", "/nowhere"], "/nowhere: no such folder"),
        (["--weights", "./nowhere"], "./nowhere"),
        (["--unknown", "/nowhere"], "--unknown /nowhere: no such folder"),
        (["--set", "mixup"], "--set mixup lacks a value"),
        (["--set", "mixpu=1"], "did you mean mixup"),
        (["--epochs", "0"], "--epochs is 0"),
        (["--precision", "fp16", "--device", "cpu"], "--precision fp16 needs a GPU"),
        (["--resume"], "holds no unfinished run"),
        (["--frobnicate"], "--frobnicate"),
    ],
)
@pytest.mark.parametrize("dry", [False, True])
def test_a_mistake_is_one_line_and_exit_code_2(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], said: str, *, dry: bool
) -> None:
    needed = ["--data", str(data), "--output", str(tmp_path / "out"), "--weights", "none"]
    assert main([*needed, *flags, *(["--dry-run"] if dry else [])]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("tars: ")
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_one_line(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["--data", str(data), "--output", str(tmp_path / "file" / "out"), *FLAGS]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("tars: ")
    assert str(tmp_path / "file") in error


def test_a_run_ends_with_its_figures_and_what_to_do_next(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad").mkdir()
    assert main(["--data", str(data), "--output", str(tmp_path / "out"), *FLAGS]) == 0
    said = capsys.readouterr().out
    assert "epoch 1/1" in said
    assert "top-1" in said
    assert "also chose the epoch" in said
    assert f"saved {tmp_path / 'out'}: epoch 1, proven on real files" in said
    assert f"python -m tars_hub predict {tmp_path / 'out'} PICTURE" in said


def test_a_dry_run_is_one(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(data), "--output", str(tmp_path / "out"), *FLAGS, "--dry-run"]) == 0
    assert "nothing was written" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_the_tutorials_line_as_a_process(data: Path, tmp_path: Path) -> None:
    # Its ImageNet weights need a network, and resnet50 minutes; all else is as the tutorial has it.
    line = f"-idl {data} -sl checkpoint/ -mo squeezenet1_1 -ep 1 -b 8 -fi"
    command = [sys.executable, "-m", "train", *line.split(), "-is", "32", "--weights", "none"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    assert "epoch 1/1" in process.stdout
    assert "epoch 1/1" in process.stderr  # the bar
    assert "pictures/s" in process.stderr
    assert "Warning" not in process.stderr
    assert sorted(path.name for path in (tmp_path / "checkpoint").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "training",
    ]
    assert TarsClassifier.from_pretrained(tmp_path / "checkpoint").config.classes == ("0", "1")


def test_help_and_mistakes_in_flags_need_no_torch() -> None:
    script = "import sys; from train.__main__ import main; main(['--data', 'd']); print('torch' in sys.modules)"
    process = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "False"
    assert "--output" in process.stderr
