"""The picture of a training batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tars_hub.config import Preprocess
from tars_hub.preprocess import to_tensor
from tars_hub.quiet import cv2
from tests.train.runs import config_for, copied, set_up_run
from train import sheet
from train.sheet import to_pixels, write_sheet


def captions(data: Path, output: Path, monkeypatch: pytest.MonkeyPatch, **changes: object) -> list[str]:
    """What the sheet says of each picture."""
    found: list[str] = []
    real = sheet.mosaic

    def noted(path: Path, tiles: list[tuple[object, str]], **options: object) -> None:
        found.extend(caption for _, caption in tiles)
        real(path, tiles, **options)

    monkeypatch.setattr(sheet, "mosaic", noted)
    with set_up_run(config_for(data, output, **changes)) as (this, _):
        write_sheet(output / "batch.jpg", this)
    assert cv2.imread(str(output / "batch.jpg")) is not None
    return found


def test_pixels_come_back_as_they_were() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    prepare = Preprocess(crop_size=8, resize_size=8)
    assert np.array_equal(to_pixels(to_tensor(pixels, prepare), prepare), pixels)
    assert to_pixels(torch.full((3, 8, 8), 99.0), prepare).max() == 255


def test_each_picture_has_its_class(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = captions(data, tmp_path, monkeypatch, batch_size=100, augment="drawing")
    assert sorted(found) == ["0"] * 16 + ["1"] * 16


def test_mixed_pictures_have_both_classes_and_shares(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = captions(data, tmp_path, monkeypatch, batch_size=32, mixup=5.0, cutmix=1.0)
    two = [caption.split() for caption in found if "\n" in caption]
    assert two
    assert all(int(a[:-1]) + int(b[:-1]) in (99, 100, 101) for a, _, b, _ in two)


def test_a_first_batch_that_cannot_be_read_is_no_reason_to_fail(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = copied(data, tmp_path / "data")
    for path in (mine / "train").rglob("*.png"):
        path.write_bytes(b"no picture")
    assert captions(mine, tmp_path, monkeypatch) == []
