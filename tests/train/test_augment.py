"""Random variations keep their promises about size, place and repetition."""

import numpy as np
import pytest
import skimage.data

from tars_hub.config import Preprocess
from tars_hub.preprocess import fit
from train.augment import PRESETS, source_side, vary

PREPARE = Preprocess(crop_size=48, resize_size=56)


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:  # type: ignore[type-arg]
    return skimage.data.chelsea()


def test_none_is_what_serving_does(photograph: np.ndarray) -> None:  # type: ignore[type-arg]
    varied = vary(photograph, PREPARE, PRESETS["none"], np.random.default_rng(0))
    assert np.array_equal(varied, fit(photograph, PREPARE))


@pytest.mark.parametrize("crop", ["center", "squash", "pad"])
@pytest.mark.parametrize("name", ["light", "strong", "drawing"])
def test_shape_type_and_repetition(photograph: np.ndarray, name: str, crop: str) -> None:  # type: ignore[type-arg]
    prepare = Preprocess(crop_size=48, resize_size=56, crop=crop)  # type: ignore[arg-type]
    first, again, other = (vary(photograph, prepare, PRESETS[name], np.random.default_rng(s)) for s in (1, 1, 2))
    assert first.shape == (48, 48, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 3)])
@pytest.mark.parametrize("name", sorted(PRESETS))
def test_tiny_and_thin_pictures(shape: tuple[int, int], name: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    assert vary(pixels, PREPARE, PRESETS[name], np.random.default_rng(0)).shape == (48, 48, 3)


def test_a_light_crop_never_shows_less_than_its_share() -> None:
    # A ramp from left to right: the range of values seen is the width that was kept.
    ramp = np.repeat(np.linspace(0, 255, 200).astype(np.uint8)[None, :, None], 200, axis=0).repeat(3, axis=2)
    for seed in range(50):
        seen = vary(ramp, PREPARE, PRESETS["light"], np.random.default_rng(seed))
        assert np.ptp(seen) / 255 > 0.9 * np.sqrt(0.35 * 3 / 4)


def test_a_drawing_stays_on_the_canvas() -> None:
    cross = np.full((64, 64, 3), 255, np.uint8)
    cross[12:52, 30:34] = 0
    cross[30:34, 12:52] = 0
    for seed in range(50):
        varied = vary(cross, PREPARE, PRESETS["drawing"], np.random.default_rng(seed)).astype(float).mean(axis=2)
        border = np.concatenate([varied[0], varied[-1], varied[:, 0], varied[:, -1]])
        ink = np.abs(varied - np.median(border)) > 40
        assert 0.004 < ink.mean() < 0.6
        assert ink[0].mean() < 0.5
        assert ink[:, 0].mean() < 0.5


def test_source_side_leaves_nothing_to_enlarge() -> None:
    assert source_side(PREPARE, PRESETS["none"]) is None
    side = source_side(PREPARE, PRESETS["light"])
    assert side is not None
    assert side * np.sqrt(0.35) >= 48
