"""`tars evaluate` and `tars compare`: what they print, write and return."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tars_hub import TarsClassifier
from tars_hub.cli import main
from tars_hub.config import Calibration, Preprocess
from tests.digits_folder import write_few_digits

Said = pytest.CaptureFixture[str]
SMALL = Preprocess(crop_size=32, resize_size=32, crop="squash")


def saved(folder: Path, seed: int, calibration: Calibration, classes: tuple[str, ...] = ("1", "0", "3")) -> Path:
    torch.manual_seed(seed)
    model = TarsClassifier.create("resnet18", classes, preprocess=SMALL)
    model.config = replace(model.config, calibration=calibration)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`a` and `b`, which answer differently; `raw` is `a` without a calibration."""
    folder = tmp_path_factory.mktemp("models")
    saved(folder / "a", 0, Calibration(temperature=2.0, threshold=0.4, error=0.05))
    saved(folder / "b", 1, Calibration(), ("0", "1", "3"))
    saved(folder / "raw", 0, Calibration())
    saved(folder / "other", 0, Calibration(), ("1", "0", "4"))
    return folder


@pytest.fixture(scope="module")
def few_digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_few_digits(tmp_path_factory.mktemp("data") / "digits", digits="013", train=2, val=8)


@pytest.fixture
def digits(few_digits: Path, tmp_path: Path) -> Path:
    """A copy, for tests that spoil it."""
    return shutil.copytree(few_digits, tmp_path / "digits")


def test_evaluate_says_how_good_it_is(models: Path, digits: Path, capsys: Said) -> None:
    assert main(["evaluate", str(models / "a"), str(digits)]) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0].startswith("top-1")
    assert lines[0].endswith("of 24 pictures")
    assert any(line.startswith("answers") and "less than 40.0% sure" in line for line in lines)
    assert said.err == ""  # no bar where nobody looks


def test_evaluate_writes_its_report(models: Path, digits: Path, tmp_path: Path, capsys: Said) -> None:
    out = tmp_path / "deep" / "report"
    assert main(["evaluate", str(models / "a"), str(digits), "--output", str(out)]) == 0
    assert f"written   {out}" in capsys.readouterr().out
    found = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert (found["split"], found["dataset"], found["model"]) == ("val", "digits", str(models / "a"))
    assert (found["pictures"], found["temperature"], found["threshold"]) == (24, 2.0, 0.4)
    rows = list(csv.DictReader((out / "predictions.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert {row["truth"] for row in rows} == {Path(row["filename"]).parent.name for row in rows} == {"0", "1", "3"}
    assert {path.name for path in out.iterdir()} >= {"mistakes.jpg", "confusion_matrix.png"}


def test_evaluate_json_is_one_line_that_agrees_with_the_file(
    models: Path, digits: Path, tmp_path: Path, capsys: Said
) -> None:
    assert main(["evaluate", str(models / "a"), str(digits), "--json", "--output", str(tmp_path / "r")]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    said = json.loads(out)
    assert said.pop("notes") == []
    assert said == json.loads((tmp_path / "r" / "metrics.json").read_text(encoding="utf-8"))


def test_evaluate_takes_the_part_that_is_asked_for(models: Path, digits: Path, capsys: Said) -> None:
    assert main(["evaluate", str(models / "a"), str(digits), "--split", "train"]) == 0
    assert "of 6 pictures" in capsys.readouterr().out
    assert main(["evaluate", str(models / "a"), str(digits / "val")]) == 0
    assert "of 24 pictures" in capsys.readouterr().out


def test_evaluate_names_counts_and_leaves_out_what_cannot_be_read(models: Path, digits: Path, capsys: Said) -> None:
    (digits / "val" / "0" / "bad\n\x1b[2J.png").write_bytes(b"no picture")
    (digits / "val" / "notes.txt").write_text("x")
    assert main(["evaluate", str(models / "a"), str(digits)]) == 1
    out = capsys.readouterr().out
    assert "of 24 pictures" in out
    assert "\\x1b[2J.png\tnot read: " in out
    assert "1 picture was left out" in out
    assert "passed over files beside the class folders: notes.txt" in out
    assert "\x1b" not in out


def test_a_model_that_was_never_calibrated_is_said_to_be(models: Path, digits: Path, capsys: Said) -> None:
    assert main(["evaluate", str(models / "raw"), str(digits)]) == 0
    assert "never calibrated" in capsys.readouterr().out
    assert main(["evaluate", str(models / "a"), str(digits), "--uncalibrated", "--json"]) == 0
    aside = json.loads(capsys.readouterr().out)
    assert (aside["temperature"], aside["threshold"], aside["answered"]) == (1.0, None, 1.0)
    assert "left aside" in aside["notes"][0]


def test_evaluate_with_pictures_of_no_known_class(models: Path, digits: Path, tmp_path: Path, capsys: Said) -> None:
    others = digits / "train"
    (others / "broken.png").write_bytes(b"")
    arguments = ["evaluate", str(models / "a"), str(digits), "--unknown", str(others)]
    assert main([*arguments, "--output", str(tmp_path / "r")]) == 1
    out = capsys.readouterr().out
    assert "of 6 declined; told from the others in " in out
    assert "broken.png\tnot read" in out
    found = json.loads((tmp_path / "r" / "metrics.json").read_text(encoding="utf-8"))["unknown"]
    assert found["pictures"] == 6
    assert found["declined"] is not None
    assert main(["evaluate", str(models / "raw"), str(digits), "--unknown", str(others)]) == 1
    assert "none declined without a threshold" in capsys.readouterr().out


def test_compare_says_which_is_better_and_what_changed(
    models: Path, digits: Path, tmp_path: Path, capsys: Said
) -> None:
    out = tmp_path / "changes.csv"
    assert main(["compare", str(models / "a"), str(models / "b"), str(digits), "--csv", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(str(models / "a"))
    assert lines[1].endswith(str(models / "b"))
    assert lines[2].endswith("by 24 pictures")
    rows = list(csv.DictReader(out.read_text(encoding="utf-8-sig").splitlines()))
    kinds = [row["change"] for row in rows]
    counts = [kinds.count(kind) for kind in ("fixed", "broken", "still wrong")]
    assert lines[3] == "{} fixed, {} broken, {} changed but still wrong".format(*counts)
    shown = [line for line in lines if line.split("\t")[0] in {"fixed", "broken", "still wrong"}]
    assert len(shown) == min(20, len(rows)) > 0


def test_compare_a_model_with_itself(models: Path, digits: Path, capsys: Said) -> None:
    assert main(["compare", str(models / "a"), str(models / "raw"), str(digits)]) == 0
    out = capsys.readouterr().out
    assert "0 fixed, 0 broken, 0 changed" in out
    assert "both are right equally often" in out


def test_compare_leaves_out_of_both_what_cannot_be_read(models: Path, digits: Path, capsys: Said) -> None:
    (digits / "val" / "0" / "bad.png").write_bytes(b"no picture")
    assert main(["compare", str(models / "a"), str(models / "b"), str(digits)]) == 1
    out = capsys.readouterr().out
    assert out.count("bad.png\tnot read") == 1
    assert "by 24 pictures" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["evaluate", "MODELS/a", "DIGITS", "--split", "tset"], "no folder tset; it holds train, val"),
        (["evaluate", "MODELS/other", "DIGITS"], "no class 3; the nearest is"),
        (["evaluate", "MODELS/a", "DIGITS/nowhere"], "no such folder"),
        (["evaluate", "MODELS/a", "DIGITS/val/0"], "no pictures in folders named after classes"),
        (["evaluate", "MODELS/a", "DIGITS", "--unknown", "MODELS"], "holds no pictures"),
        (["evaluate", "MODELS/a", "DIGITS", "--batch-size", "0"], "'0'"),
        (["evaluate", "./nowhere", "DIGITS"], "./nowhere"),
        (["evaluate", "MODELS/a", "DIGITS", "--output", "MODELS/a/config.json"], "config.json"),
        (["compare", "MODELS/a", "MODELS/other", "DIGITS"], "different classes: only the first knows 3"),
        (["compare", "MODELS/a", "MODELS/b", "DIGITS", "--csv", "DIGITS/nowhere/x.csv"], "no such folder"),
        (["compare", "MODELS/a", "DIGITS"], "DIR"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    models: Path, digits: Path, capsys: Said, arguments: list[str], said: str
) -> None:
    places = {"MODELS": str(models), "DIGITS": str(digits)}
    words = [places.get(word.split("/")[0], word.split("/")[0]) + word[len(word.split("/")[0]) :] for word in arguments]
    assert main(words) == 2
    spoken = capsys.readouterr()
    assert spoken.out == ""
    assert spoken.err.startswith("tars: ")
    assert said in spoken.err
    assert spoken.err.count("\n") == 1


def test_their_help_needs_nothing_heavy() -> None:
    code = "import sys; from tars_hub.cli import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\n"
    code += "assert not {'torch', 'cv2', 'numpy', 'sklearn', 'matplotlib', 'tqdm'} & set(sys.modules)"
    for name in ("evaluate", "compare"):
        subprocess.run([sys.executable, "-c", code, name, "--help"], check=True, capture_output=True)
