"""Real pictures to begin with: scikit-learn's 1,797 scanned digits, written out as files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tars_hub.errors import DataError, UsageError
from tars_hub.files import replace_folder
from tars_hub.quiet import cv2

_SIDE_PX = 64
_MARGIN_PX = 8
_MAX_INK = 16  # the scans count ink in 17 steps, 0 is paper
_VAL_SHARE = 0.2
_SPLIT_SEED = 0


def write_digits(folder: Path) -> dict[str, int]:
    """Write `train/0/*.png` to `val/9/*.png`: 64 px, dark ink on white with a margin.

    One picture in five of each digit goes to `val`, the same ones each time. The digits are the test part of the
    UCI data set "Optical Recognition of Handwritten Digits" (Alpaydin & Kaynak 1998, 43 writers).

    Returns:
        How many pictures went to "train" and to "val".

    Raises:
        DataError: scikit-learn, which carries the digits, is not installed.
        UsageError: the folder holds something already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty; the pictures want a folder of their own")
    scans, labels = _scans()
    counts = {"train": 0, "val": 0}

    def write(fresh: Path) -> None:
        for index, split in _splits(labels):
            path = fresh / split / str(labels[index]) / f"digit-{index:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(cv2.imencode(".png", _picture(scans[index]))[1].tobytes())
            counts[split] += 1

    replace_folder(folder, write)
    return counts


def _scans() -> tuple[NDArray[Any], NDArray[Any]]:
    """(1797, 8, 8) ink, 0..16, and (1797,) digits."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError("the digits come with scikit-learn; pip install scikit-learn") from error
    digits = load_digits()
    return digits.images, digits.target


def _splits(labels: NDArray[Any]) -> Iterator[tuple[int, str]]:
    rng = np.random.default_rng(_SPLIT_SEED)
    for digit in np.unique(labels):
        positions = rng.permutation(np.flatnonzero(labels == digit))
        held_out = round(len(positions) * _VAL_SHARE)
        for rank, index in enumerate(positions):
            yield int(index), "val" if rank < held_out else "train"


def _picture(scan: NDArray[Any]) -> NDArray[np.uint8]:
    """(8, 8) ink to a (64, 64) uint8 picture, 255 is paper."""
    inner = _SIDE_PX - 2 * _MARGIN_PX
    ink = cv2.resize(scan.astype(np.float32) / _MAX_INK, (inner, inner), interpolation=cv2.INTER_CUBIC)
    paper = np.rint(255 * (1 - np.clip(np.pad(ink, _MARGIN_PX), 0, 1)))
    picture: NDArray[np.uint8] = paper.astype(np.uint8)
    return picture
