"""The `tars` command: what it prints, writes and returns."""

import csv
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from torchvision.models import get_model

from tars_hub import TarsClassifier
from tars_hub.cli import main
from tars_hub.config import Calibration
from tars_hub.quiet import cv2

Said = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "animals"
    TarsClassifier.create("resnet18", ["cat", "dog", "fox"]).save_pretrained(folder)
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    (folder / "sub").mkdir(parents=True)
    cv2.imwrite(str(folder / "a.png"), skimage.data.chelsea())
    cv2.imwrite(str(folder / "sub" / "c.jpg"), skimage.data.astronaut())
    (folder / "b.jpg").write_bytes((folder / "sub" / "c.jpg").read_bytes()[:2000])
    (folder / "notes.txt").write_text("no picture, and not meant as one")
    (folder / ".hidden.png").write_bytes(b"")
    return folder


def test_predict_says_one_line_a_picture_and_1_where_one_is_bad(model: Path, pictures: Path, capsys: Said) -> None:
    assert main(["predict", str(model), str(pictures)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [Path(line.split("\t")[0]).name for line in lines] == ["a.png", "b.jpg", "c.jpg"]
    assert lines[0].split("\t")[1].split()[0] in {"cat", "dog", "fox"}
    assert lines[0].endswith("%")
    assert "not read: cut short" in lines[1]


def test_predict_is_0_where_all_are_good(model: Path, pictures: Path) -> None:
    assert main(["predict", str(model), str(pictures / "a.png"), str(pictures / "sub")]) == 0


def test_predict_json(model: Path, pictures: Path, capsys: Said) -> None:
    assert main(["predict", str(model), str(pictures), "--json"]) == 1
    good, bad, _ = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert list(good) == ["filename", "status", "label", "probability", "declined", "top"]
    assert (good["filename"], good["status"]) == (str(pictures / "a.png"), "ok")
    assert good["top"][0] == [good["label"], good["probability"]]
    assert len(good["top"]) == 3
    assert "cut short" in bad["status"]
    assert good["declined"] is False
    assert (bad["label"], bad["probability"], bad["declined"], bad["top"]) == (None, None, None, [])


def test_predict_csv(model: Path, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    assert main(["predict", str(model), str(pictures), "--csv", str(out), "--top-k", "2"]) == 1
    rows = list(csv.reader(out.read_text(encoding="utf-8-sig").splitlines()))
    assert rows[0] == ["filename", "index", "label", "prob", "status", "declined", "label_2", "prob_2"]
    assert rows[1][2] == ["cat", "dog", "fox"][int(rows[1][1])]
    assert float(rows[1][3]) >= float(rows[1][7])
    assert rows[1][5] == "0"
    assert "cut short" in rows[2][4]
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["out.csv"]


@pytest.fixture(scope="module")
def choosy(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model with a threshold that nothing reaches."""
    folder = tmp_path_factory.mktemp("models") / "choosy"
    loaded = TarsClassifier.from_pretrained(model)
    loaded.config = replace(loaded.config, calibration=Calibration(temperature=2.0, threshold=1.0, error=0.01))
    loaded.save_pretrained(folder)
    return folder


def test_what_the_model_declines_is_said_on_every_way_out(
    choosy: Path, pictures: Path, tmp_path: Path, capsys: Said
) -> None:
    out, picture = tmp_path / "out.csv", str(pictures / "a.png")
    assert main(["predict", str(choosy), picture, "--top-k", "2", "--csv", str(out)]) == 0
    line = capsys.readouterr().out
    assert re.fullmatch(r".*a\.png\tnot sure: nearest is (cat|dog|fox) [\d.]+%, (cat|dog|fox) [\d.]+%\n", line)
    row = next(csv.DictReader(out.read_text(encoding="utf-8-sig").splitlines()))
    assert (row["status"], row["declined"]) == ("ok", "1")
    assert list(row)[:6] == ["filename", "index", "label", "prob", "status", "declined"]
    assert main(["predict", str(choosy), picture, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["declined"], found["status"]) == (True, "ok")


def test_uncalibrated_it_answers_as_if_there_were_no_threshold(
    model: Path, choosy: Path, pictures: Path, capsys: Said
) -> None:
    picture = str(pictures / "a.png")
    assert main(["predict", str(model), picture]) == 0
    plain = capsys.readouterr().out
    assert main(["predict", str(choosy), picture, "--uncalibrated"]) == 0
    assert capsys.readouterr().out == plain


def test_a_csv_that_cannot_be_written_is_said_before_the_work(model: Path, pictures: Path, capsys: Said) -> None:
    assert main(["predict", str(model), str(pictures), "--csv", "/nowhere/out.csv"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "/nowhere" in said.err


def test_a_hostile_file_name_cannot_write_to_the_terminal(
    model: Path, pictures: Path, tmp_path: Path, capsys: Said
) -> None:
    path = tmp_path / "a\n\x1b[2Jb.png"
    path.write_bytes((pictures / "a.png").read_bytes())
    assert main(["predict", str(model), str(path)]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "\x1b" not in out


def test_non_ascii_names_stay_readable(model: Path, pictures: Path, tmp_path: Path, capsys: Said) -> None:
    path = tmp_path / "猫 é.png"
    path.write_bytes((pictures / "a.png").read_bytes())
    assert main(["predict", str(model), str(path)]) == 0
    assert "猫 é.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "COMMAND"),
        (["frobnicate"], "frobnicate"),
        (["predict"], "model"),
        (["predict", "./nowhere", "x.png"], "./nowhere"),
        (["predict", "MODEL", "x.png", "--top-k", "0"], "'0'"),
        (["predict", "MODEL", "EMPTY"], "holds no pictures"),
        (["import", "/nowhere.pth", "OUT"], "/nowhere.pth"),
        (["import", "MODEL/config.json", "OUT"], "config.json"),
        (["import", "MODEL/model.safetensors", "OUT", "--classes", "one"], "1 class names"),
        (["import", "MODEL/model.safetensors", "OUT", "--backbone", "resnet5"], "resnet5"),
        (["import", "MODEL/model.safetensors", "MODEL"], "--overwrite"),
        (["sample", "digits", "FULL"], "not empty"),
        (["demo", "--port", "99999"], "99999"),
        (["demo", "--model", "./nowhere"], "./nowhere"),
        (["train", "--data", "/nowhere", "--weights", "none", "--output", "OUT"], "/nowhere"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "FULL" / "x").mkdir(parents=True)
    places = {name: str(tmp_path / name) for name in ("EMPTY", "FULL", "OUT")} | {"MODEL": str(model)}
    real = [places.get(word.split("/")[0], word.split("/")[0]) + word[len(word.split("/")[0]) :] for word in arguments]
    assert main(real) == 2
    error = capfd.readouterr().err
    assert error.startswith("tars: ")
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "OUT").exists()


def test_import_a_dataparallel_checkpoint_and_answer_as_before(tmp_path: Path, capsys: Said) -> None:
    torch.manual_seed(1)
    network = get_model("resnet34", weights=None, num_classes=2).eval()
    torch.save({"epoch": 3, "state_dict": torch.nn.DataParallel(network).state_dict()}, tmp_path / "old.pth")
    assert main(["import", str(tmp_path / "old.pth"), str(tmp_path / "new"), "--classes", "cat,dog"]) == 0
    said = capsys.readouterr().out
    assert "resnet34" in said
    assert "module." in said
    loaded = TarsClassifier.from_pretrained(tmp_path / "new")
    assert loaded.config.classes == ("cat", "dog")
    inputs = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(loaded(inputs), network(inputs))


def test_sample_digits(tmp_path: Path, capsys: Said) -> None:
    assert main(["sample", "digits", str(tmp_path / "d")]) == 0
    assert "1,438" in capsys.readouterr().out
    found = list((tmp_path / "d").rglob("*.png"))
    assert len(found) == 1797
    assert {p.parent.name for p in found} == set("0123456789")
    assert {p.parent.parent.name for p in found} == {"train", "val"}
    picture = cv2.imread(str(found[0]), cv2.IMREAD_UNCHANGED)
    assert picture.shape == (64, 64)
    assert np.all(picture[:8] == 255)  # the margin
    assert picture.min() < 80


def test_help_and_version_need_no_torch() -> None:
    code = "import sys; from tars_hub.cli import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\n"
    code += "assert not {'torch', 'cv2', 'gradio', 'numpy'} & set(sys.modules), sorted(sys.modules)"
    for flag in ("--help", "--version"):
        subprocess.run([sys.executable, "-c", code, flag], check=True, capture_output=True)


def test_a_reader_that_leaves_early_is_no_error(model: Path, pictures: Path) -> None:
    many = " ".join([str(pictures / "a.png")] * 40)
    shell = f"{sys.executable} -m tars_hub predict {model} {many} --json --batch-size 4 | head -1"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1


def test_backbones_are_listed(capsys: Said) -> None:
    assert main(["backbones"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[:3] == ["inception_v3", "299", "px"] for line in lines)
    assert any("vit_b_16" in line and "no other size" in line for line in lines)
