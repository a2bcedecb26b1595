"""`tars export`: what it says, where it writes, and its mistakes in one line; and what is exported answers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from tars_hub import Predictor, TarsClassifier
from tars_hub.cli import main
from tars_hub.errors import ModelError, UsageError
from tests.export.conftest import Make
from tests.pictures import photo

Said = pytest.CaptureFixture[str]


def test_it_says_what_it_made_and_nothing_else(model_folder: Path, tmp_path: Path) -> None:
    """As people run it: no remark of an exporter comes through."""
    folder = shutil.copytree(model_folder, tmp_path / "small")
    line = [sys.executable, "-m", "tars_hub", "export", str(folder), "--format", "openvino"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "tars: writing resnet18 as openvino; this may take a minute\n"
    kind, against, saved = done.stdout.splitlines()
    assert kind.startswith("openvino: ")
    assert "on 10 pictures the largest difference" in against
    assert saved == f"saved {tmp_path / 'small-openvino'}"
    assert {path.name for path in tmp_path.iterdir()} == {"small", "small-openvino"}


def test_eight_bits_from_the_shell(model_folder: Path, digits: Path, tmp_path: Path, capsys: Said) -> None:
    out = tmp_path / "out"
    words = ["export", str(model_folder), "--format", "onnx", "--int8", "--data", str(digits), "--max-loss", "100"]
    assert main([*words, "--output", str(out)]) == 0
    said = capsys.readouterr().out
    assert "8-bit numbers: accuracy " in said
    assert " points, " in said
    assert "times as fast" in said
    assert main([*words, "--output", str(out)]) == 2
    assert "say --overwrite" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["MODEL"], "--format"),
        (["MODEL", "--format", "tflite"], "tflite"),
        (["MODEL", "--format", "onnx", "--int8"], "--int8 needs --data DIR"),
        (["MODEL", "--format", "torch-export", "--int8", "--data", "x"], "--int8 goes with onnx and openvino"),
        (["MODEL", "--format", "onnx", "--max-loss", "2"], "--max-loss is about --int8"),
        (["MODEL", "--format", "onnx", "--bound", "nan"], "'nan' is not a number"),
        (["MODEL", "--format", "onnx", "--bound=-1"], "'-1' is not a number"),
        (["./nowhere", "--format", "onnx"], "no such model folder"),
        (["MODEL", "--format", "onnx", "--output", "MODEL"], "holds a model"),
        (["MODEL", "--format", "onnx", "--output", "MODEL/config.json"], "is a file"),
        (["MODEL", "--format", "torch-export", "--data", "./nowhere", "--output", "OUT"], "nowhere: no such folder"),
        (["MODEL", "--format", "torch-export", "--bound", "0", "--output", "OUT"], "by more than 0 (--bound)"),
    ],
)
def test_a_mistake_is_one_line(model_folder: Path, tmp_path: Path, capsys: Said, words: list[str], said: str) -> None:
    places = {"MODEL": str(model_folder), "OUT": str(tmp_path / "out")}
    given = [places.get(word.split("/")[0], word.split("/")[0]) + word[len(word.split("/")[0]) :] for word in words]
    if "OUT" not in words and "--output" not in words:
        given += ["--output", str(tmp_path / "out")]
    assert main(["export", *given]) == 2
    err = capsys.readouterr().err.splitlines()
    assert said in err[-1]
    assert err[-1].startswith("tars: ")
    assert list(tmp_path.iterdir()) == []


def test_an_export_is_not_exported_again(tmp_path: Path, capsys: Said) -> None:
    (tmp_path / "export.json").write_text("{}")
    assert main(["export", str(tmp_path), "--format", "onnx"]) == 2
    assert f"{tmp_path} is an export already" in capsys.readouterr().err


def test_openvino_is_asked_for_where_it_is_missing(
    model_folder: Path, tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert main(["export", str(model_folder), "--format", "openvino", "--output", str(tmp_path / "out")]) == 2
    assert "pip install 'tars-hub[openvino]'" in capsys.readouterr().err


def test_openvino_tells_nobody() -> None:
    code = "import sys; from tars_hub.export.intel import openvino; openvino()\n"
    code += "assert not [name for name in sys.modules if name.startswith('openvino_telemetry')]"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("int8", [False, True])
def test_an_export_answers_without_torch(made: Make, model: TarsClassifier, tmp_path: Path, int8: bool) -> None:
    folder, _ = made("onnx", int8=int8)
    picture = tmp_path / "picture.png"
    photo(60, 50).save(picture)
    code = "import sys; from tars_hub.predict import Predictor\n"
    code += "found = Predictor.from_pretrained(sys.argv[1])(sys.argv[2]); print(found.label, found.probability)\n"
    code += "assert 'torch' not in sys.modules"
    line = [sys.executable, "-c", code, str(folder), str(picture)]
    label, probability = subprocess.run(
        line, capture_output=True, text=True, check=True, env={**os.environ, "TARS_ENGINE": "torch"}
    ).stdout.rsplit(" ", 1)
    expected = Predictor(model, device="cpu")(picture)
    assert float(probability) == pytest.approx(expected.probability, abs=0.2 if int8 else 1e-4)
    assert int8 or label == expected.label


def test_predict_takes_an_export(made: Make, digits: Path, tmp_path: Path, capsys: Said) -> None:
    folder, _ = made("onnx")
    assert main(["predict", str(folder), str(digits / "val")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 20
    assert main(["predict", str(folder), str(digits / "val"), "--output", str(tmp_path / "t.csv")]) == 0
    assert len((tmp_path / "t.csv").read_text(encoding="utf-8-sig").splitlines()) >= 21


def test_an_export_is_no_model(made: Make) -> None:
    folder, _ = made("onnx")
    predictor = Predictor.from_pretrained(folder)
    with pytest.raises(ModelError, match="an export, not a model"):
        predictor.model  # noqa: B018
    for options in ({"engine": "torch"}, {"device": "cuda"}):
        with pytest.raises(UsageError, match="is an export"):
            Predictor.from_pretrained(folder, **options)
    with pytest.raises(ModelError, match="without model"):
        Predictor.from_pretrained(made("torch-export")[0])


def test_a_graph_that_does_not_answer_is_an_error_and_no_traceback(made: Make, tmp_path: Path, capsys: Said) -> None:
    folder = shutil.copytree(made("onnx")[0], tmp_path / "export")
    photo(60, 50).save(tmp_path / "picture.png")

    def asked() -> str:
        assert main(["predict", str(folder), str(tmp_path / "picture.png")]) == 2
        said = capsys.readouterr().err
        assert said.startswith("tars: ")
        assert said.count("\n") == 1
        return said

    config = (folder / "config.json").read_text(encoding="utf-8")
    (folder / "config.json").write_text(config.replace('"crop_size": 32', '"crop_size": 36'), encoding="utf-8")
    assert "does not answer as its config.json says" in asked()
    (folder / "config.json").write_text(config, encoding="utf-8")
    onnx.save(
        onnx.helper.make_model(_constant_graph(2), ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 20)]),
        folder / "model.onnx",
    )
    assert "2) and type float32 for 1 pictures and 3 classes" in asked()
    (folder / "model.onnx").write_bytes(b"no graph")
    assert "cannot read it" in asked()


def _constant_graph(classes: int) -> onnx.GraphProto:
    logits = onnx.numpy_helper.from_array(np.zeros((1, classes), np.float32))
    make = onnx.helper.make_tensor_value_info
    return onnx.helper.make_graph(
        [onnx.helper.make_node("Constant", [], ["logits"], value=logits)],
        "of one answer",
        [make("pictures", onnx.TensorProto.UINT8, ["N", 32, 32, 3])],
        [make("logits", onnx.TensorProto.FLOAT, [1, classes])],
    )
