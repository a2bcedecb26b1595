"""`tars predict` over folders: tables, names on standard input, and runs that are killed, with a real model."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import skimage.data
import torch

from tars_hub.cli import main
from tars_hub.predict import Predictor
from tars_hub.quiet import cv2
from tests.checkout import ROOT
from tests.small_model import small

Said = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "animals"
    small().save_pretrained(folder)
    return folder


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder; `pictures` below holds a, b (cut short) and sub/c."""
    folder = tmp_path / "pictures"
    (folder / "sub").mkdir(parents=True)
    cv2.imwrite(str(folder / "a.png"), skimage.data.chelsea())
    cv2.imwrite(str(folder / "sub" / "c.jpg"), skimage.data.astronaut())
    (folder / "b.jpg").write_bytes((folder / "sub" / "c.jpg").read_bytes()[:2000])
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def unloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that is loaded fails the test."""
    monkeypatch.setattr(Predictor, "from_pretrained", pytest.fail)


def test_a_table_instead_of_lines(model: Path, pictures: Path, capsys: Said) -> None:
    assert main(["predict", str(model), str(pictures), "--output", "out.csv", "--top-k", "2"]) == 1
    said = capsys.readouterr()
    assert said.out.startswith("out.csv: 3 pictures, 1 of them not read; ")
    assert said.out.count("\n") == 1
    assert said.err == ""
    assert main(["predict", str(model), str(pictures), "--csv", "old.csv", "--top-k", "2"]) == 1
    assert Path("out.csv").read_bytes() == Path("old.csv").read_bytes()
    assert capsys.readouterr().out.count("\n") == 3
    assert sorted(path.name for path in Path().iterdir()) == ["old.csv", "out.csv", "pictures"]


def test_all_tables_say_the_same(model: Path, pictures: Path, capsys: Said) -> None:
    for kind in ("csv", "jsonl", "parquet"):
        assert main(["predict", str(model), str(pictures), "--output", f"out.{kind}", "--top-k", "3"]) == 1
    capsys.readouterr()
    table = pd.read_csv("out.csv")
    typed = pd.read_parquet("out.parquet")
    assert list(table.columns) == list(typed.columns)
    for column in ("filename", "label", "status", "label_3"):
        assert list(table[column].fillna("")) == list(typed[column].fillna(""))
    rows = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [row["filename"] for row in rows] == list(table["filename"])
    assert [row["probability"] for row in rows if row["label"]] == list(typed["prob"].dropna())
    assert main(["predict", str(model), str(pictures), "--json", "--top-k", "3"]) == 1
    assert capsys.readouterr().out == Path("out.jsonl").read_text()


def test_json_lines_are_said_beside_a_table_where_asked_for(model: Path, pictures: Path, capsys: Said) -> None:
    assert main(["predict", str(model), str(pictures), "--output", "out.jsonl", "--json"]) == 1
    assert capsys.readouterr().out == Path("out.jsonl").read_text()


@pytest.mark.usefixtures("pictures")
def test_names_from_standard_input(model: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    names = b"pictures/sub/c.jpg\npictures/gone.png\npictures/sub\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(names)))
    assert main(["predict", str(model), "-", "pictures/a.png", "--json"]) == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["filename"] for row in rows] == [*names.decode().split(), "pictures/a.png"]
    assert [row["status"] for row in rows] == ["ok", "no such file", "a folder, not a picture", "ok"]


def test_what_find_prints_in_a_real_pipe(model: Path, pictures: Path) -> None:
    odd = os.fsencode(pictures) + b"/line\nbreak\xe9.png"
    Path(os.fsdecode(odd)).write_bytes((pictures / "a.png").read_bytes())
    shell = f"find pictures -name '*.png' -print0 | {sys.executable} -m tars_hub predict {model} - -0 --output out.csv"
    subprocess.run(["sh", "-c", shell], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    with Path("out.csv").open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {Path(row["filename"]).name for row in rows} == {"a.png", "line\nbreak\udce9.png"}
    assert {row["status"] for row in rows} == {"ok"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--output", "out.txt"], ".csv, .jsonl, .parquet"),
        (["--output", "out"], ".csv, .jsonl, .parquet"),
        (["--output", "nowhere/out.csv"], "nowhere/out.csv: No such file or directory"),
        (["--output", "pictures/a.png/out.csv"], "Not a directory"),
        (["--output", "folder.csv"], "folder.csv is no file"),
        (["--csv", "/dev/null"], "/dev/null is no file"),
        (["--csv", "a.csv", "--output", "b.csv"], "not allowed with"),
        (["--output", "x" * 300 + ".csv"], "File name too long"),
        (["--restart"], "--output or --csv"),
        (["-0"], "say -"),
        (["--engine", "abacus"], "abacus"),
        (["folder.csv"], "holds no pictures"),
    ],
)
@pytest.mark.usefixtures("unloaded", "pictures")
def test_a_mistake_is_said_before_the_model_is_loaded(capsys: Said, more: list[str], said: str) -> None:
    Path("folder.csv").mkdir()
    assert main(["predict", "owner/model", "pictures", *more]) == 2
    error = capsys.readouterr().err
    assert error.startswith("tars: ")
    assert said in error
    assert error.count("\n") == 1
    assert sorted(path.name for path in Path().iterdir()) == ["folder.csv", "pictures"]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a place where nobody may write")
@pytest.mark.usefixtures("unloaded", "pictures")
def test_a_folder_that_takes_no_file_is_said_before_the_model_is_loaded(capsys: Said) -> None:
    place = "/proc/self/out.csv"
    assert main(["predict", "owner/model", "pictures", "--output", place]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"tars: {place}: ")
    assert error.count("\n") == 1


@pytest.mark.usefixtures("pictures")
def test_a_checkpoint_file_answers_into_a_table(model: Path) -> None:
    network = Predictor.from_pretrained(model).model.backbone
    torch.save(network.state_dict(), "old.pth")
    assert main(["predict", "old.pth", "pictures/a.png", "--output", "out.jsonl"]) == 0
    assert json.loads(Path("out.jsonl").read_text())["status"] == "ok"


def test_killed_at_random_moments_the_table_is_the_same(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash_predict", tmp_path],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    found = json.loads(done.stdout)
    assert [each["same"] for each in found] == [True, True, True]
    for each in found:
        assert each["left"] == [f"expected.{each['kind']}", f"out.{each['kind']}"]
    assert sum(each["kills"] for each in found) >= 3
    assert any(held > 1 for each in found for held in each["held"]), "no kill came in the middle"


@pytest.mark.slow
def test_kill_9_of_the_command_itself(model: Path, pictures: Path) -> None:
    for number in range(80):
        cv2.imwrite(str(pictures / f"{number:03}.jpg"), skimage.data.chelsea()[number : number + 90, :120])
        for more in range(15):  # so many that it cannot be done before it is killed
            os.link(pictures / f"{number:03}.jpg", pictures / f"{number:03}-{more}.jpg")
    command = [sys.executable, "-m", "tars_hub", "predict", str(model), "pictures", "--batch-size", "4", "--output"]
    options = {"env": {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}, "stdout": subprocess.DEVNULL}
    with subprocess.Popen([*command, "out.csv"], **options) as process:  # type: ignore[call-overload]
        part = Path("out.csv.part")
        while process.poll() is None and (not part.exists() or part.read_bytes().count(b"\n") < 6):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not Path("out.csv").exists()
    done = subprocess.run([*command, "out.csv"], check=False, **options, stderr=subprocess.PIPE)  # type: ignore[call-overload]
    assert done.returncode == 1
    assert b"answers of an earlier run stay" in done.stderr
    assert main(["predict", str(model), "pictures", "--batch-size", "4", "--output", "whole.csv"]) == 1
    assert Path("out.csv").read_bytes() == Path("whole.csv").read_bytes()
    assert not part.exists()
