"""The cache of graphs: whole or not at all, checked before it is used, and within its limit."""

import os
import shutil
import sys
from pathlib import Path

import pytest
import torch

from tars_hub import Predictor
from tars_hub.config import WEIGHTS_NAME, ModelConfig
from tars_hub.engines import graph, prepared
from tars_hub.engines.settings import Settings
from tars_hub.errors import UsageError
from tars_hub.model import TarsClassifier
from tests.checkout import ROOT


def place_of(folder: Path) -> prepared.Place:
    config = ModelConfig.load(folder / "config.json")
    return prepared.place_of(Settings.from_environment(), config, folder / WEIGHTS_NAME)


def test_what_a_crash_left_is_made_anew(cache: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = Predictor.from_pretrained(folder)
    good = shutil.copytree(place_of(folder).folder, cache.parent / "good")
    runs: list[Path] = []

    def run(_: Path, fresh: Path) -> None:
        runs.append(fresh)
        shutil.copytree(good, fresh, dirs_exist_ok=True)

    monkeypatch.setattr(prepared, "_run", run)
    (cache / "making-of-one-that-was-killed").mkdir()
    for spoil in (
        lambda place: os.truncate(place / "graph.bin", 1000),
        lambda place: (place / "graph.onnx").write_bytes(b"no graph"),
        lambda place: (place / "graph.onnx").unlink(),
        lambda place: (place / "graph.bin").unlink(),
        shutil.rmtree,
    ):
        runs.clear()
        spoil(place_of(folder).folder)
        assert Predictor.from_pretrained(folder).engine.name == expected.engine.name
        assert len(runs) == 1
    assert [entry.name for entry in cache.iterdir() if entry.is_dir()] == [place_of(folder).folder.name]


def test_a_graph_that_answers_otherwise_is_never_used(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = graph.write_onnx

    def write_another(_: TarsClassifier, path: Path, *, apart: bool) -> None:
        other = TarsClassifier.from_pretrained(folder)
        with torch.no_grad():
            other.backbone.classifier[1].bias += torch.tensor([0.0, 0.0, 0.0, 0.05])
        write(other, path, apart=apart)

    monkeypatch.setattr(graph, "write_onnx", write_another)
    prepared.export_into(folder, tmp_path)
    with pytest.raises(prepared.RefusedError, match="answers otherwise than torch: on 10 pictures"):
        prepared.Place(tmp_path).engine()


def test_a_network_that_cannot_be_exported_is_remembered(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.export, "export", lambda *_, **__: 1 / 0)
    prepared.export_into(folder, tmp_path)
    with pytest.raises(prepared.RefusedError, match=r"squeezenet1_1 cannot be exported \(ZeroDivisionError"):
        prepared.Place(tmp_path).engine()


def test_what_nobody_uses_goes_first(tmp_path: Path) -> None:
    settings = Settings(engine=None, cache=tmp_path, cache_bytes=250)
    for age, name in enumerate("abcd"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "graph.bin").write_bytes(b"x" * 100)
        os.utime(tmp_path / name, (age, age))
    prepared._make_room(settings)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["c", "d"]


def test_who_has_no_home_keeps_nothing(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("TARS_CACHE", "XDG_CACHE_HOME", "TARS_ENGINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert Predictor.from_pretrained(folder).engine.name == "torch"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="before Python 3.11 nothing keeps the working folder out")
def test_what_lies_where_somebody_stands_is_not_run(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("raise SystemExit('taken')")
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.setattr("sys.path", [path for path in sys.path if path])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "made").mkdir()
    prepared._run(folder, tmp_path / "made")
    assert (tmp_path / "made" / "graph.onnx").is_file()


def test_the_environment_says_where_and_how_much(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TARS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("TARS_CACHE_BYTES", "7")
    settings = Settings.from_environment()
    assert (settings.cache, settings.cache_bytes) == (tmp_path / "tars-hub" / "engines", 7)
    monkeypatch.setenv("TARS_CACHE_BYTES", "a lot")
    with pytest.raises(UsageError, match="TARS_CACHE_BYTES=a lot"):
        Settings.from_environment()
