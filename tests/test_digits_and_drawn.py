"""The pictures that are made here: the same each time, and what they say they are."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from tars_hub.digits import write_digits
from tars_hub.drawn import draw_digits
from tars_hub.errors import UsageError
from tars_hub.quiet import cv2


def test_a_written_digit_is_the_scan_dark_on_white(tmp_path: Path) -> None:
    counts = write_digits(tmp_path / "d")
    assert counts == {"train": 1438, "val": 359}
    scans = load_digits()
    path = next((tmp_path / "d").rglob("digit-0123.png"))
    assert path.parent.name == str(scans.target[123])
    ink = 255 - cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)[8:-8, 8:-8].astype(float)
    small = cv2.resize(ink, (8, 8), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(small.ravel(), scans.images[123].ravel())[0, 1] > 0.95


def test_the_split_is_the_same_each_time_and_even(tmp_path: Path) -> None:
    write_digits(tmp_path / "a")
    write_digits(tmp_path / "b")
    first, second = ({p.relative_to(r) for p in r.rglob("*.png")} for r in (tmp_path / "a", tmp_path / "b"))
    assert first == second
    assert {len(list(entry.iterdir())) for entry in (tmp_path / "a" / "val").iterdir()} <= {35, 36, 37}


def test_a_folder_with_something_in_it_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        write_digits(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_drawn_digits_are_large_dark_on_white_and_repeat() -> None:
    drawn = list(draw_digits(2, seed=5))
    again = list(draw_digits(2, seed=5))
    assert {digit for digit, _ in drawn} == set(range(10))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(drawn, again, strict=True))
    for _, picture in drawn:
        rows = np.flatnonzero((picture < 128).any(axis=(1, 2)))
        assert picture.shape == (280, 280, 3)
        assert np.ptp(rows) > 0.45 * 280
        assert picture[0].min() == picture[-1].min() == 255
