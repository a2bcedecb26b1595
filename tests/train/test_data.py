"""Folders to sets to batches."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tars_hub.config import Preprocess
from tars_hub.errors import DataError, PictureError
from tars_hub.quiet import cv2
from train.data import PictureSet, batches, in_turn, order, scan


def put(path: Path, value: int = 128) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((8, 8, 3), value, np.uint8))
    return path


def test_classes_are_sorted_as_torchvision_sorts_and_matched_by_name(tmp_path: Path) -> None:
    for name in ("b", "a", "B", "10", "9"):
        put(tmp_path / "train" / name / "1.png")
    put(tmp_path / "val" / "b" / "1.png")
    put(tmp_path / "val" / "10" / "1.png")
    folder = scan(tmp_path, seed=0)
    assert folder.classes == ("10", "9", "B", "a", "b")
    assert folder.val.labels == (0, 4)  # not shifted by the classes that val lacks
    assert any("'9' has no pictures in val" in note for note in folder.notes)


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_names_of_the_validation_folder(tmp_path: Path, name: str) -> None:
    put(tmp_path / "train" / "a" / "1.png")
    put(tmp_path / name / "a" / "2.png")
    assert [path.name for path in scan(tmp_path, seed=0).val.paths] == ["2.png"]


def test_a_class_that_train_lacks_is_named(tmp_path: Path) -> None:
    put(tmp_path / "train" / "a" / "1.png")
    put(tmp_path / "val" / "zebra" / "1.png")
    with pytest.raises(DataError, match="zebra"):
        scan(tmp_path, seed=0)


def test_hidden_and_empty_folders_and_stray_files_are_passed_over(tmp_path: Path) -> None:
    put(tmp_path / "train" / "a" / "1.png")
    put(tmp_path / "train" / ".ipynb_checkpoints" / "1.png")
    put(tmp_path / "train" / "a" / ".hidden.png")
    (tmp_path / "train" / "empty").mkdir()
    (tmp_path / "train" / "a" / "notes.txt").write_text("hello")
    put(tmp_path / "val" / "a" / "1.png")
    folder = scan(tmp_path, seed=0)
    assert folder.classes == ("a",)
    assert len(folder.train) == 1
    assert any("empty" in note for note in folder.notes)


def test_a_folder_without_a_split_is_split_by_class_and_seed(tmp_path: Path) -> None:
    for name, count in (("a", 10), ("b", 5), ("single", 1)):
        for index in range(count):
            put(tmp_path / name / f"{index}.png")
    folder = scan(tmp_path, seed=3)
    assert [folder.val.labels.count(label) for label in range(3)] == [2, 1, 0]
    assert [folder.train.labels.count(label) for label in range(3)] == [8, 4, 1]
    assert set(folder.train.paths).isdisjoint(folder.val.paths)
    assert scan(tmp_path, seed=3) == folder
    assert scan(tmp_path, seed=4).val.paths != folder.val.paths


@pytest.mark.parametrize("there", [[], ["data"], ["data/train/a"], ["data/train/a", "data/val/a"]])
def test_nothing_to_train_on(tmp_path: Path, there: list[str]) -> None:
    for folder in there:
        (tmp_path / folder).mkdir(parents=True)
    with pytest.raises(DataError, match="data"):
        scan(tmp_path / "data", seed=0)


@pytest.mark.parametrize(("count", "size"), [(9, 4), (1, 8), (2, 1), (8, 4), (17, 16), (3, 100)])
def test_no_training_batch_holds_a_single_picture_and_none_is_left_out(count: int, size: int) -> None:
    plan = order(count, size, seed=0, epoch=1)
    assert {position for batch in plan for position in batch} == set(range(count))
    assert all(len(batch) > 1 for batch in plan)


def test_order_depends_on_seed_and_epoch_alone() -> None:
    assert order(50, 8, seed=1, epoch=2) == order(50, 8, seed=1, epoch=2)
    assert order(50, 8, seed=1, epoch=2) != order(50, 8, seed=1, epoch=3)
    assert order(50, 8, seed=1, epoch=2) != order(50, 8, seed=2, epoch=2)


@pytest.mark.parametrize("workers", [1, 4])
def test_batches_come_in_order_without_the_broken(workers: int) -> None:
    pictures = PictureSet(tuple(Path(str(i)) for i in range(10)), tuple(range(10)))

    def read(position: int, _: int) -> np.ndarray:  # type: ignore[type-arg]
        if position == 4:
            raise PictureError("4", "broken")
        return np.full((2, 2, 3), position, np.uint8)

    plain = Preprocess(crop_size=2, resize_size=2, mean=(0, 0, 0), std=(1 / 255,) * 3)
    got = list(batches(pictures, in_turn(10, 3), read, plain, epoch=0, workers=workers))
    assert [len(batch) for batch in got] == [3, 2, 3, 1]
    assert torch.cat([batch.labels for batch in got]).tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert torch.allclose(got[1].inputs[:, 0, 0, 0], torch.tensor([3.0, 5.0]))
    assert [error.name for error in got[1].broken] == ["4"]
