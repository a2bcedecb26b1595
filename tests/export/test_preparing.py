"""The lines that prepare a picture with OpenCV alone give what ours give, pixel for pixel."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import pytest

from tars_hub import preprocess
from tars_hub.config import Crop, Interpolation, Preprocess
from tars_hub.export.preparing import lines, numbers
from tests.pictures import photo

SIZES = [(500, 375), (60, 90), (31, 20), (64, 64), (200, 50), (33, 70), (128, 128), (40, 160)]


@pytest.mark.parametrize("crop", get_args(Crop))
@pytest.mark.parametrize("interpolation", get_args(Interpolation))
def test_the_same_pixels(crop: Crop, interpolation: Interpolation, tmp_path: Path) -> None:
    prepare = Preprocess(crop_size=64, resize_size=73, crop=crop, interpolation=interpolation, mean=(0, 0.5, 1))
    known: dict[str, Any] = {"cv2": cv2, "np": np}
    exec(lines(prepare), known)  # noqa: S102  # the lines are what is tested
    for width, height in SIZES:
        file = tmp_path / f"{width}x{height}.png"
        photo(width, height).save(file)
        assert np.array_equal(known["prepare"](str(file)), preprocess.load(file, prepare)), (width, height)


def test_the_numbers_say_it_too() -> None:
    found = numbers(Preprocess(crop_size=64, resize_size=73, crop="pad", mean=(0, 0.5, 1)))
    assert found["resize_size"] is None
    assert found["inside"] == {"divide_by": 255, "mean": [0, 0.5, 1], "std": [0.229, 0.224, 0.225]}
    assert "(0, 128, 255)" in " ".join(found["steps"])
