"""Exports: what lies in the folder, that it answers as the model does, and that nothing is left where it fails."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tars_hub import Predictor, TarsClassifier
from tars_hub.engines.parity import EXACT
from tars_hub.errors import DataError, ModelError, TarsError, UsageError
from tars_hub.export import exporting
from tars_hub.export.exporting import Order, export
from tars_hub.export.formats import find
from tests.export.conftest import Make
from tests.pictures import photo
from tests.small_model import held

FORMATS = ("onnx", "torch-export", "openvino")
FILES = {
    "onnx": {"model.onnx"},
    "torch-export": {"model.pt2"},
    "openvino": {"model.xml", "model.bin"},
}


@pytest.mark.parametrize("name", FORMATS)
def test_the_folder_holds_all_that_others_need(name: str, made: Make, model: TarsClassifier) -> None:
    folder, exported = made(name)
    assert {path.name for path in folder.iterdir()} == {*FILES[name], "config.json", "export.json", "README.md"}
    assert exported.parity.pictures == 10
    assert exported.parity.largest <= EXACT
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["id2label"]["2"] == "drei & <3>"
    found = json.loads((folder / "export.json").read_text(encoding="utf-8"))
    assert found["inputs"] == [{"name": "pictures", "shape": ["N", 32, 32, 3], "dtype": "uint8"}]
    assert [output["name"] for output in found["outputs"]] == ["logits", "probabilities"]
    assert found["parity"] == {**exported.parity.to_dict(), "bound": EXACT}
    assert found["preparation"]["crop_size"] == model.config.preprocess.crop_size
    assert found["int8"] is None


@pytest.mark.parametrize("name", FORMATS)
def test_the_lines_of_its_readme_answer_as_the_predictor(
    name: str, made: Make, model: TarsClassifier, tmp_path: Path
) -> None:
    folder = shutil.copytree(made(name)[0], tmp_path / "export")
    photo(400, 300).save(folder / "picture.jpg", quality=95)
    shown = (folder / "README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    done = subprocess.run([sys.executable, "-c", shown], cwd=folder, capture_output=True, text=True, check=True)
    label, probability = done.stdout.strip().rsplit(" ", 1)
    expected = Predictor(model, device="cpu")(folder / "picture.jpg")
    assert label == expected.label
    assert float(probability) == pytest.approx(expected.probability, abs=0.01)


def test_any_number_of_pictures_goes_through(made: Make, model: TarsClassifier) -> None:
    pictures = list(np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8))
    expected = Predictor(model, device="cpu").probabilities(pictures)
    for name in FORMATS:
        folder, _ = made(name)
        runner = find(name).runs(folder / find(name).file)
        for count in (1, 5):
            assert runner.probabilities(pictures[:count]) == pytest.approx(expected[:count], abs=1e-4)


@pytest.mark.parametrize("name", FORMATS)
def test_answers_beyond_the_bound_are_no_export(
    name: str, model: TarsClassifier, tmp_path: Path, monkeypatch: Any
) -> None:
    def other(wrong: TarsClassifier, form: Any, folder: Path) -> None:
        write(TarsClassifier.create("resnet18", wrong.config.classes, preprocess=wrong.config.preprocess), form, folder)

    write = exporting.write
    monkeypatch.setattr(exporting, "write", other)
    with pytest.raises(ModelError, match=rf"{name} answers otherwise than torch, by more than 0.001 .*10 pictures"):
        export(model, Order(form=find(name), output=tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_fails_leaves_the_old_one(made: Make, model: TarsClassifier, tmp_path: Path) -> None:
    folder = shutil.copytree(made("onnx")[0], tmp_path / "export")
    before = held(folder)
    order = {"form": find("onnx"), "output": folder}
    with pytest.raises(UsageError, match="--overwrite"):
        export(model, Order(**order))
    with pytest.raises(ModelError, match="by more than 0 "):
        export(model, Order(**order, overwrite=True, bound=0.0))
    assert held(folder) == before
    assert list(tmp_path.iterdir()) == [folder]


def test_another_format_takes_the_place_of_the_old_one(made: Make, model: TarsClassifier, tmp_path: Path) -> None:
    folder = shutil.copytree(made("openvino")[0], tmp_path / "export")
    export(model, Order(form=find("onnx"), output=folder, overwrite=True))
    assert {path.name for path in folder.iterdir()} == {"model.onnx", "config.json", "export.json", "README.md"}


def test_it_never_takes_the_place_of_a_model_or_of_anything_else(
    model: TarsClassifier, model_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "thesis.txt").write_text("years")
    for place, said in ((model_folder, "holds a model"), (tmp_path, "something else")):
        before = held(place)
        with pytest.raises(UsageError, match=said):
            export(model, Order(form=find("onnx"), output=place, overwrite=True))
        assert held(place) == before


def test_pictures_of_a_folder_check_it(model: TarsClassifier, digits: Path, tmp_path: Path) -> None:
    shutil.copytree(digits / "val" / "0", tmp_path / "some")
    (tmp_path / "some" / "broken.png").write_bytes(b"no picture")
    exported = export(model, Order(form=find("torch-export"), output=tmp_path / "out", data=tmp_path / "some"))
    assert exported.parity.pictures == 10
    for bad in ("nowhere", "out"):
        with pytest.raises(TarsError, match=bad):
            export(model, Order(form=find("torch-export"), output=tmp_path / "more", data=tmp_path / bad))
    assert not (tmp_path / "more").exists()


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_eight_bits_say_what_they_cost(name: str, made: Make) -> None:
    folder, exported = made(name, int8=True)
    spent = exported.cost
    assert spent is not None
    assert (spent.pictures, spent.calibrated_by, spent.unread) == (20, 16, 0)
    assert spent.difference == pytest.approx(spent.after - spent.before)
    assert spent.low <= spent.difference <= spent.high
    assert spent.parity.agreement > 0.5
    found = json.loads((folder / "export.json").read_text(encoding="utf-8"))
    assert found["numbers"] == "int8"
    assert found["int8"]["speed"] == pytest.approx(spent.before_ms / spent.after_ms)
    assert "accuracy" in (folder / "README.md").read_text(encoding="utf-8")
    floats = sum((made(name)[0] / file).stat().st_size for file in FILES[name])
    assert exported.size_bytes < floats / 3


def test_ctrl_c_is_heard_after_two_runs_of_openvino_side_by_side(made: Make) -> None:
    program = f"""
import signal, sys
from pathlib import Path
from tars_hub.export.intel import OpenvinoRunner

first, second = (OpenvinoRunner(Path({str(made("openvino")[0] / "model.xml")!r})) for _ in range(2))
del first
del second
signal.signal(signal.SIGINT, lambda *_: sys.exit(7))
signal.raise_signal(signal.SIGINT)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 7, done.stderr


def test_eight_bits_are_in_the_layers_with_weights_and_not_in_the_scaling(made: Make) -> None:
    graph = onnx.load(made("onnx", int8=True)[0] / "model.onnx").graph
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("QuantizeLinear") > 10
    assert kinds.index("Cast") < kinds.index("QuantizeLinear")
    weights = [tensor for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.INT8]
    assert len(weights) >= 20


def test_a_loss_beyond_what_is_allowed_is_no_export(
    model: TarsClassifier, digits: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    def spoilt(_graph: Path, target: Path, _batches: Any, **_: Any) -> int:
        other = TarsClassifier.create("resnet18", model.config.classes, preprocess=model.config.preprocess)
        other.backbone.fc.bias.data[2] = 1e4  # type: ignore[union-attr]  # always the class that no picture is of
        find_and_write(other, target)
        return 16

    def find_and_write(other: TarsClassifier, target: Path) -> None:
        from tars_hub.engines.graph import write_onnx

        write_onnx(other, target)

    monkeypatch.setattr(exporting.int8, "quantise", spoilt)
    order = Order(form=find("onnx"), output=tmp_path / "out", int8=True, data=digits)
    with pytest.raises(ModelError, match=r"int8 loses \d+\.\d points of accuracy, and 1 are allowed"):
        export(model, order)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ({"form": "torch-export", "int8": True, "data": "DIGITS"}, "no 8-bit numbers"),
        ({"form": "onnx", "int8": True}, "needs --data"),
        ({"form": "onnx", "int8": True, "data": "DIGITS/val/0"}, "folders named after classes"),
        ({"form": "onnx", "int8": True, "data": "ALONE"}, "train/ alone"),
        ({"form": "onnx", "int8": True, "data": "FEW"}, "1 pictures to calibrate by"),
    ],
)
def test_what_cannot_be_is_said(
    model: TarsClassifier, digits: Path, tmp_path: Path, order: dict[str, Any], said: str
) -> None:
    shutil.copytree(digits / "train", tmp_path / "ALONE" / "train")
    (tmp_path / "FEW" / "0").mkdir(parents=True)
    for file in sorted((digits / "val" / "0").iterdir())[:5]:
        shutil.copy(file, tmp_path / "FEW" / "0")
    data = order.get("data")
    if data is not None:
        place = Path(str(data).replace("DIGITS", str(digits)))
        order = {**order, "data": place if place.is_absolute() else tmp_path / place}
    with pytest.raises((UsageError, DataError), match=said):
        export(model, Order(**{**order, "form": find(str(order["form"]))}, output=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_openvino_gets_its_first_layer_as_floats(
    model: TarsClassifier, digits: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    """With 8 bits there, it answers otherwise than ONNX Runtime does by the same graph."""
    kept: list[bool] = []
    quantise = exporting.int8.quantise

    def watched(graph: Path, target: Path, batches: Any, **options: Any) -> int:
        seen = quantise(graph, target, batches, **options)
        nodes = onnx.load(target).graph.node
        made_by = {output: node.op_type for node in nodes for output in node.output}
        first = next(node for node in nodes if node.op_type == "Conv")
        kept.append(made_by[first.input[0]] != "DequantizeLinear")
        return seen

    monkeypatch.setattr(exporting.int8, "quantise", watched)
    for name in ("onnx", "openvino"):
        order = Order(form=find(name), output=tmp_path / name, int8=True, data=digits, max_loss=100.0)
        export(model, order)
    assert kept == [False, True]
