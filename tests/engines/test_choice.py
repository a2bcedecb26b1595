"""Which engine answers, that it answers as torch does, and what happens where ONNX Runtime cannot."""

import json
import logging
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from tars_hub import Prediction, Predictor, TarsClassifier
from tars_hub.config import CONFIG_NAME, WEIGHTS_NAME
from tars_hub.engines import choice, prepared
from tars_hub.errors import ModelError, PictureError, UsageError, WeightsError
from tests.checkout import ROOT
from tests.engines.conftest import CLASSES, save

pytestmark = pytest.mark.usefixtures("cache")


def made(cache: Path) -> list[Path]:
    return [entry for entry in cache.iterdir() if entry.is_dir()]


def no_export(*_: object) -> None:
    raise AssertionError("nothing was to be exported")


def test_onnx_runtime_answers_as_torch_does(cache: Path, folder: Path, photographs: list[Path]) -> None:
    fast, slow = Predictor.from_pretrained(folder), Predictor.from_pretrained(folder, engine="torch")
    assert (fast.engine.name, slow.engine.name, fast.device) == ("onnx", "torch", "cpu")
    assert fast.config == slow.config
    assert fast.card == slow.card
    for path in photographs:
        ours, theirs = fast(path), slow(path)
        assert [label for label, _ in ours.top] == [label for label, _ in theirs.top]
        assert [score for _, score in ours.top] == pytest.approx([score for _, score in theirs.top], abs=1e-5)
        assert ours.declined == theirs.declined
    assert len({fast(path).top for path in photographs}) == len(photographs)
    assert json.loads((made(cache)[0] / "parity.json").read_text())["largest"] < 1e-5


def test_uncalibrated_answers_are_the_same_too(folder: Path, photographs: list[Path]) -> None:
    fast = Predictor.from_pretrained(folder, calibrated=False)
    slow = Predictor.from_pretrained(folder, engine="torch", calibrated=False)
    assert fast(photographs[0]).probability == pytest.approx(slow(photographs[0]).probability, abs=1e-5)
    assert fast(photographs[0]).probability != pytest.approx(
        Predictor.from_pretrained(folder)(photographs[0]).probability
    )


def test_a_model_is_exported_once_and_found_again_wherever_it_lies(
    folder: Path, photographs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Predictor.from_pretrained(folder)(photographs[0])
    monkeypatch.setattr(prepared, "_run", no_export)
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert Predictor.from_pretrained(copy)(photographs[0]) == first


def test_the_second_process_needs_no_torch(folder: Path, photographs: list[Path]) -> None:
    expected = Predictor.from_pretrained(folder)(photographs[0])
    script = (
        "import sys\nfrom tars_hub import Predictor\n"
        f"print(Predictor.from_pretrained({str(folder)!r})({str(photographs[0])!r}).label)\n"
        "print([name for name in ('torch', 'torchvision', 'huggingface_hub', 'gradio') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == f"{expected.label}\n[]\n"
    assert done.stderr == ""


def test_other_weights_are_another_graph(
    folder: Path, photographs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Predictor.from_pretrained(folder)
    monkeypatch.setattr(prepared, "_run", no_export)
    with pytest.raises(AssertionError, match="nothing was to be exported"):
        Predictor.from_pretrained(save(tmp_path / "other", seed=1))
    copy = shutil.copytree(folder, tmp_path / "copy")
    config = json.loads((copy / CONFIG_NAME).read_text())
    (copy / CONFIG_NAME).write_text(json.dumps(config | {"preprocess": config["preprocess"] | {"mean": [0, 0, 0]}}))
    with pytest.raises(AssertionError, match="nothing was to be exported"):
        Predictor.from_pretrained(copy)
    (copy / CONFIG_NAME).write_text(json.dumps(config | {"id2label": dict(zip("0123", "abcd", strict=True))}))
    assert Predictor.from_pretrained(copy)(photographs[0]).label in set("abcd")  # names are not in the graph


def test_many_threads_and_many_pictures_keep_their_order(folder: Path, photographs: list[Path]) -> None:
    predictor = Predictor.from_pretrained(folder)
    single = [predictor(path) for path in photographs]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(predictor, photographs * 8)) == single * 8
    mixed = [*photographs, Path("nothing.jpg"), *photographs * 20]
    answers = list(predictor.stream(mixed))
    assert isinstance(answers[len(photographs)], PictureError)
    good = [answer for answer in answers if isinstance(answer, Prediction)]
    assert [answer.label for answer in good] == [answer.label for answer in single * 21]
    for answer, alone in zip(good, single * 21, strict=True):
        assert answer.probability == pytest.approx(alone.probability, abs=1e-5)


def test_the_torch_model_comes_when_it_is_asked_for(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    predictor = Predictor.from_pretrained(copy)
    with ThreadPoolExecutor(4) as pool:
        assert len({id(model) for model in pool.map(lambda _: predictor.model, range(4))}) == 1
    pixels = np.zeros((64, 64, 3), np.uint8)
    by_torch = Predictor(predictor.model).logits([pixels])
    assert np.allclose(predictor.logits([pixels]), by_torch, atol=1e-4 * np.abs(by_torch).max())

    late = Predictor.from_pretrained(copy)
    save(copy, seed=1)
    with pytest.raises(ModelError, match="holds another model than when it was loaded"):
        _ = late.model


def test_a_model_in_memory_is_torchs(folder: Path, photographs: list[Path]) -> None:
    model = TarsClassifier.from_pretrained(folder)
    predictor = Predictor(model)
    before = predictor(photographs[0])
    least = before.top[-1][0]
    with torch.no_grad():
        model.backbone.classifier[1].bias[CLASSES.index(least)] += 1000
    assert predictor.engine.name == "torch"
    assert predictor(photographs[0]).label == least != before.label


@pytest.mark.parametrize("failure", ["refused", "no cache", "killed"])
def test_where_it_cannot_torch_answers_and_a_note_says_why(
    failure: str,
    folder: Path,
    photographs: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    place = tmp_path / "a file"
    place.write_text("")
    monkeypatch.setenv("TARS_CACHE", str(place if failure == "no cache" else tmp_path / "cache"))
    if failure == "refused":
        monkeypatch.setattr(prepared, "_run", lambda _, made: (made / "refused.txt").write_text("for a test"))
    if failure == "killed":
        monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with caplog.at_level(logging.WARNING, "tars_hub.engines"):
        predictor = Predictor.from_pretrained(folder)
    expected = {"refused": "for a test", "no cache": "a file", "killed": "its process ended with 1"}[failure]
    (note,) = caplog.messages
    assert f"{folder}: torch answers, and not ONNX Runtime: " in note
    assert expected in note
    assert predictor.engine.name == "torch"
    assert predictor(photographs[0]).label in CLASSES
    with pytest.raises(ModelError, match="ONNX Runtime does not answer for this model: "):
        Predictor.from_pretrained(folder, engine="onnx")


def test_a_broken_model_is_said_to_be_broken(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / WEIGHTS_NAME).unlink()
    with pytest.raises(WeightsError, match="no such file"):
        Predictor.from_pretrained(copy)


def test_engines_that_do_not_fit_are_refused_in_a_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="no engine 'tensorrt'; there are onnx and torch"):
        Predictor.from_pretrained(folder, engine="tensorrt")
    with pytest.raises(UsageError, match="on the processor here, not on cuda"):
        Predictor.from_pretrained(folder, engine="onnx", device="cuda")
    old = tmp_path / "old.pth"
    torch.save(TarsClassifier.from_pretrained(folder).backbone.state_dict(), old)
    with pytest.raises(UsageError, match="of a checkpoint file torch answers"):
        Predictor.from_pretrained(old, engine="onnx")
    monkeypatch.setenv("TARS_ENGINE", "fast")
    with pytest.raises(UsageError, match="no engine 'fast'"):
        Predictor.from_pretrained(folder)


def test_the_environment_names_the_engine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TARS_ENGINE", "torch")
    assert Predictor.from_pretrained(folder).engine.name == "torch"
    assert Predictor.from_pretrained(folder, engine="onnx").engine.name == "onnx"


def test_torch_is_asked_about_a_gpu_only_where_there_may_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setattr(choice, "_SIGNS_OF_A_GPU", ())
    if os.name == "posix":
        assert choice._best_device() == "cpu"
        assert "torch" not in sys.modules


def test_two_at_once_export_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    Predictor.from_pretrained(folder)
    (there,) = [place for place in made(cache) if (place / "graph.onnx").exists()]
    runs, both = [], threading.Barrier(2)

    def run(_: Path, fresh: Path) -> None:
        runs.append(fresh)
        shutil.copytree(there, fresh, dirs_exist_ok=True)

    def load() -> str:
        both.wait()
        return Predictor.from_pretrained(folder).engine.name

    monkeypatch.setenv("TARS_CACHE", str(tmp_path))
    monkeypatch.setattr(prepared, "_run", run)
    with ThreadPoolExecutor(2) as pool:
        assert [found.result() for found in [pool.submit(load), pool.submit(load)]] == ["onnx", "onnx"]
    assert len(runs) == 1
