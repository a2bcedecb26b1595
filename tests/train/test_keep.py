"""A save is proven on real files before it replaces anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from tars_hub.model import TarsClassifier
from tests.train.runs import copied, json_of, trained
from train import keep, reading
from train.keep import ParityError


def spoil_weights(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["features.0.weight"] += 0.5
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def spoil_preparation(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["preprocess"]["mean"] = [0.1, 0.9, 0.1]
    (folder / "config.json").write_text(json.dumps(config))


def spoil_classes(folder: Path) -> None:
    # What a last layer in another order would be.
    tensors = load_file(folder / "model.safetensors")
    for name in ("classifier.1.weight", "classifier.1.bias"):
        tensors[name] = tensors[name].flip(0).contiguous()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize("spoil", [spoil_weights, spoil_preparation, spoil_classes])
def test_a_save_that_answers_otherwise_is_refused_and_what_was_there_stays(
    data: Path, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], None]
) -> None:
    out = copied(start, tmp_path / "out")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    real = TarsClassifier._save_pretrained

    def save(self: TarsClassifier, folder: Path, card: str | None = None) -> None:
        real(self, folder, card)
        spoil(folder)

    monkeypatch.setattr(TarsClassifier, "_save_pretrained", save)
    with pytest.raises(ParityError, match=r"answers otherwise than in training.*\.png among them; it was not kept"):
        trained(data, out, weights=str(start), model=None, overwrite=True)
    assert {path for path, content in before.items() if path.read_bytes() != content} <= {out / "training/batch.jpg"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_training_that_prepares_pictures_in_its_own_way_is_found_out(
    data: Path, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = reading.load
    monkeypatch.setattr(reading, "load", lambda path, prepare: np.ascontiguousarray(real(path, prepare)[:, ::-1]))
    with pytest.raises(ParityError, match="answers otherwise"):
        trained(data, tmp_path / "out", weights=str(start), model=None, lr=1e-9)
    assert not (tmp_path / "out" / "model.safetensors").exists()


def test_answers_that_are_no_numbers_prove_nothing(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        keep.Predictor, "probabilities", lambda _, pictures: np.full((len(pictures), 2), np.nan, np.float32)
    )
    with pytest.raises(ParityError, match="nan"):
        trained(data, tmp_path / "out")


def test_the_proof_is_kept_with_the_model(data: Path, tmp_path: Path) -> None:
    parity = trained(data, tmp_path).progress.parity
    assert parity == json_of(tmp_path, "metrics.json")["parity"]
    assert parity["pictures"] == 12
    assert 0 <= parity["largest_difference"] < 1e-4
