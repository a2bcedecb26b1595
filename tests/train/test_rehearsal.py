"""A dry run says what would happen, and writes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tars_hub.errors import DataError, TarsError, UsageError
from tars_hub.model import TarsClassifier
from tests.train.runs import config_for, copied
from train.console import Console
from train.recipe import RECIPES
from train.rehearsal import _duration, rehearse


def said(data: Path, output: Path, capsys: pytest.CaptureFixture[str], **changes: object) -> str:
    rehearse(config_for(data, output, **changes), Console())
    return capsys.readouterr().out


def test_counts_sizes_network_and_times_are_said(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = said(data, tmp_path / "out", capsys, epochs=7).splitlines()
    assert [line.split() for line in lines[:4]] == [
        ["class", "train", "val"],
        ["0", "16", "6"],
        ["1", "16", "6"],
        ["together", "32", "12"],
    ]
    text = "\n".join(lines)
    assert "64×64 px (44 looked at)" in text
    assert "training 0.7 M of 0.7 M parameters (100%)" in text
    assert "an epoch takes about" in text
    assert "7 of them" in text
    assert "pictures/s in training" in text
    assert lines[-1] == f"a dry run: nothing was written to {tmp_path / 'out'}"
    assert list(tmp_path.iterdir()) == []


def test_it_needs_no_imagenet_weights(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = {"weights": "imagenet", "recipe": RECIPES["finetune"], "freeze": "backbone"}
    assert "squeezenet1_1 from imagenet weights" in said(data, tmp_path / "out", capsys, **changes)


def test_notes_and_unreadable_pictures_are_said(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = copied(data, tmp_path / "data")
    for path in (mine / "train" / "1").iterdir():
        path.write_bytes(b"no picture")
    (mine / "train" / "bare").mkdir()
    text = said(mine, tmp_path / "out", capsys)
    assert "(44 looked at, 16 unreadable)" in text
    assert "no pictures in them: bare" in text


@pytest.mark.parametrize("changes", [{"ema": 0.9}, {"model": "shufflenet_v2_x0_5", "batch_size": 1}, {"accumulate": 4}])
def test_any_settings_can_be_rehearsed(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, object]
) -> None:
    assert "a dry run" in said(data, tmp_path / "out", capsys, **changes)


def test_what_would_stop_a_run_stops_its_rehearsal(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for changes, error in (
        ({"data": tmp_path / "nowhere"}, DataError),
        ({"model": "resnet5"}, TarsError),
        ({"unknown": tmp_path / "nowhere"}, UsageError),
    ):
        with pytest.raises(error):
            said(**{"data": data, "output": tmp_path / "out", "capsys": capsys, **changes})
    TarsClassifier.create("squeezenet1_1", ["x"]).save_pretrained(tmp_path / "model")
    with pytest.raises(UsageError, match="already holds a model"):
        said(data, tmp_path / "model", capsys)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.25, "0.2 s"), (42, "42 s"), (120, "2 min"), (5000, "83 min"), (7200, "2.0 h")]
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert _duration(seconds) == words
