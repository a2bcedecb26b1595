"""Training reads as serving does, and decodes a small set once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tars_hub.config import Preprocess
from tars_hub.errors import PictureError
from tars_hub.preprocess import load
from train import reading
from train.data import PictureSet
from train.reading import training_reader, validation_reader

PREPARE = Preprocess(crop_size=32, resize_size=40)


@pytest.fixture
def pictures(data: Path) -> PictureSet:
    paths = tuple(sorted((data / "train" / "0").iterdir()))[:4]
    return PictureSet(paths, (0,) * 4)


def test_validation_and_training_without_augmentation_are_what_serving_does(pictures: PictureSet) -> None:
    served = load(pictures.paths[1], PREPARE)
    assert np.array_equal(validation_reader(pictures, PREPARE)(1, 0), served)
    assert np.array_equal(training_reader(pictures, PREPARE, "none", seed=0)(1, 5), served)


def test_variations_belong_to_seed_epoch_and_draw(pictures: PictureSet) -> None:
    read = training_reader(pictures, PREPARE, "light", seed=0)
    again = training_reader(pictures, PREPARE, "light", seed=0)
    elsewhere = training_reader(pictures, PREPARE, "light", seed=1)
    shown = read(1, 1)
    assert shown.shape == (32, 32, 3)
    again(0, 1)  # another picture first
    assert np.array_equal(again(1, 1), shown)
    for other in (read(1, 2), read(1 + len(pictures), 1), elsewhere(1, 1)):
        assert not np.array_equal(other, shown)


def test_a_small_set_is_decoded_once_and_a_large_one_each_time(
    pictures: PictureSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    def noted(path: Path, prepare: Preprocess) -> object:
        opened.append(path)
        return load(path, prepare)

    monkeypatch.setattr(reading, "load", noted)
    read = validation_reader(pictures, PREPARE)
    assert np.array_equal(read(2, 0), read(2, 1))
    assert len(opened) == 1
    monkeypatch.setattr(reading, "_KEEP_BYTES", 4 * 32 * 32 * 3)
    read = validation_reader(pictures, PREPARE)
    read(2, 0)
    read(2, 1)
    assert len(opened) == 3


def test_a_broken_file_is_tried_once_and_refused_each_time(tmp_path: Path) -> None:
    path = tmp_path / "cut.png"
    path.write_bytes(b"no picture")
    read = validation_reader(PictureSet((path,), (0,)), PREPARE)
    for epoch in range(2):
        with pytest.raises(PictureError, match=r"cut\.png"):
            read(0, epoch)
        path.unlink(missing_ok=True)


def test_a_large_picture_is_kept_no_larger_than_any_crop_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tars_hub.quiet import cv2

    cv2.imwrite(str(tmp_path / "large.png"), np.zeros((600, 900, 3), np.uint8))
    seen: list[tuple[int, ...]] = []
    real = reading.vary
    monkeypatch.setattr(reading, "vary", lambda pixels, *rest: seen.append(pixels.shape) or real(pixels, *rest))
    training_reader(PictureSet((tmp_path / "large.png",), (0,)), PREPARE, "light", seed=0)(0, 1)
    assert seen == [(68, 102, 3)]  # 40 px / sqrt(0.35), rounded up
