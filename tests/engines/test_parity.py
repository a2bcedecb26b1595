"""The measure of how far two engines lie apart."""

import numpy as np
import pytest

from tars_hub.config import Preprocess
from tars_hub.engines.parity import EXACT, check_pictures, compare, compare_logits

SURE = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)


def test_the_largest_difference_and_the_share_of_equal_answers() -> None:
    other = np.array([[0.89, 0.11], [0.6, 0.4]], np.float32)
    parity = compare(SURE, other)
    assert (parity.pictures, parity.agreement) == (2, 0.5)
    assert parity.largest == pytest.approx(0.4)
    assert not parity.within(EXACT)
    assert compare(SURE, SURE).within(0)


def test_of_two_that_are_as_good_as_equal_either_may_come_first() -> None:
    assert compare(np.float32([[0.5001, 0.4999]]), np.float32([[0.4999, 0.5001]])).agreement == 1


def test_no_number_is_within_nothing_unless_both_have_none() -> None:
    nothing = np.full((1, 2), np.nan, np.float32)
    assert not compare(SURE[:1], nothing).within(1)
    assert not compare(nothing, SURE[:1]).within(1)
    assert compare(nothing, nothing).within(0)


def test_certain_networks_are_compared_by_their_logits() -> None:
    certain = np.float32([[5e6, 0], [0, 7e6]])
    assert compare_logits(certain, certain * np.float32(1 + 1e-6), 1).within(EXACT)
    apart = compare_logits(certain, certain * np.float32(1.01), 1)
    assert (apart.largest, apart.agreement) == (0, 1)
    assert not apart.within(EXACT)


@pytest.mark.parametrize("crop", ["center", "squash", "pad"])
def test_the_pictures_are_photographs(crop: str) -> None:
    pictures = check_pictures(Preprocess(crop_size=48, resize_size=56, crop=crop))  # type: ignore[arg-type]
    assert {picture.shape for picture in pictures} == {(48, 48, 3)}
    assert len({picture.tobytes() for picture in pictures}) == len(pictures) == 10
    assert min(picture.std() for picture in pictures) > 5  # one is a piece of sky
