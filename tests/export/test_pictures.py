"""By which pictures an export is calibrated and measured: never by the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tars_hub.config import Preprocess
from tars_hub.errors import DataError
from tars_hub.export import pictures
from tars_hub.export.pictures import divide, to_calibrate

CLASSES = ("1", "0", "2")


def test_what_taught_calibrates_and_the_rest_measures(digits: Path) -> None:
    found = divide(digits, CLASSES)
    assert {path.parent.parent.name for path in found.calibrating} == {"train"}
    assert {path.parent.parent.name for path in found.measured} == {"val"}
    assert [CLASSES[label] for label in found.labels] == [path.parent.name for path in found.measured]


def test_of_one_part_a_fifth_calibrates_and_never_measures(digits: Path, tmp_path: Path) -> None:
    both = tmp_path / "all"
    for split in ("train", "val"):
        for name in ("0", "1"):
            for file in (digits / split / name).iterdir():
                (both / name).mkdir(parents=True, exist_ok=True)
                shutil.copy(file, both / name / f"{split}-{file.name}")
    with pytest.raises(DataError, match="7 pictures to calibrate by"):
        divide(both, CLASSES)
    for number, file in enumerate(sorted((both / "0").iterdir())[:5]):
        shutil.copy(file, both / "0" / f"more-{number}.png")
    found = divide(both, CLASSES)
    assert len(found.calibrating) == 8
    assert len(found.measured) == len(found.labels) == 33
    assert not set(found.calibrating) & set(found.measured)
    assert divide(both, CLASSES) == found


def test_a_class_that_the_model_lacks_is_named(digits: Path) -> None:
    with pytest.raises(DataError, match="no class 1"):
        divide(digits, ("0", "2"))


def test_calibration_mixes_classes_and_holds_one_batch(digits: Path, tmp_path: Path) -> None:
    paths = divide(digits, CLASSES).calibrating
    broken = tmp_path / "x.png"
    broken.write_bytes(b"")
    found = list(to_calibrate([*paths, broken], Preprocess(crop_size=16, resize_size=16)))
    assert [len(batch) for batch in found] == [pictures.BATCH, pictures.BATCH]
    assert found[0][0].shape == (16, 16, 3)
    mixed = list(to_calibrate(paths, Preprocess(crop_size=16, resize_size=16)))
    assert len(mixed) == 2
