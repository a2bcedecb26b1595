"""TensorBoard reads the history with its own reader."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from train.tensorboard import write_events

HISTORY: list[dict[str, float | None]] = [
    {"epoch": 0, "lr": None, "train_loss": 2.0, "val_top1": 0.25},
    {"epoch": 1, "lr": 0.5, "train_loss": 1.0, "val_top1": 0.75},
]


def test_its_reader_finds_every_figure(tmp_path: Path) -> None:
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    write_events(tmp_path, HISTORY[:1])
    write_events(tmp_path, HISTORY)  # written anew: no row twice
    assert len(list(tmp_path.iterdir())) == 1
    found = accumulators.EventAccumulator(str(tmp_path))
    found.Reload()
    assert sorted(found.Tags()["scalars"]) == ["loss/train", "lr", "top1/val"]
    read = {tag: [(event.step, event.value) for event in found.Scalars(tag)] for tag in found.Tags()["scalars"]}
    assert read == {"loss/train": [(0, 2.0), (1, 1.0)], "top1/val": [(0, 0.25), (1, 0.75)], "lr": [(1, 0.5)]}


def test_without_tensorboard_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    write_events(tmp_path, HISTORY)
    assert list(tmp_path.iterdir()) == []
