"""Data folders and their oddities: what is found, said and refused."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tars_hub.errors import DataError
from tars_hub.quiet import cv2
from train.data import class_counts, scan


def put(path: Path, value: int = 128) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((8, 8, 3), value, np.uint8))
    return path


def put_all(folder: Path, *names: str) -> Path:
    for name in names:
        put(folder / name)
    return folder


def test_classes_are_sorted_as_torchvision_sorts_and_matched_by_name(tmp_path: Path) -> None:
    put_all(tmp_path, *(f"train/{name}/1.png" for name in ("b", "a", "B", "10", "9")), "val/b/1.png", "val/10/1.png")
    folder = scan(tmp_path, seed=0)
    assert folder.classes == ("10", "9", "B", "a", "b")
    assert folder.val.labels == (0, 4)  # not shifted by the classes that val lacks
    assert class_counts(folder.val, folder.classes) == {"10": 1, "9": 0, "B": 0, "a": 0, "b": 1}
    assert [note for note in folder.notes if "has no pictures in" in note and "'9'" in note]


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_names_of_the_validation_folder(tmp_path: Path, name: str) -> None:
    put_all(tmp_path, "train/a/1.png", f"{name}/a/2.png")
    folder = scan(tmp_path, seed=0)
    assert [path.name for path in folder.val.paths] == ["2.png"]
    assert folder.test is None
    assert list(folder.sets) == ["train", "val"]


def test_a_test_folder_is_a_set_of_its_own(tmp_path: Path) -> None:
    put_all(tmp_path, "train/a/1.png", "val/a/2.png", "test/a/3.png")
    folder = scan(tmp_path, seed=0)
    assert {name: [path.name for path in pictures.paths] for name, pictures in folder.sets.items()} == {
        "train": ["1.png"],
        "val": ["2.png"],
        "test": ["3.png"],
    }


def test_a_test_folder_takes_no_part_in_a_split(tmp_path: Path) -> None:
    put_all(tmp_path, *(f"train/a/{index}.png" for index in range(10)), "test/a/3.png")
    folder = scan(tmp_path, seed=0)
    assert {name: len(pictures) for name, pictures in folder.sets.items()} == {"train": 8, "val": 2, "test": 1}


@pytest.mark.parametrize("name", ["val", "test"])
def test_a_class_that_train_lacks_is_named(tmp_path: Path, name: str) -> None:
    put_all(tmp_path, "train/a/1.png", "val/a/1.png", f"{name}/zebra/1.png")
    with pytest.raises(DataError, match=f"{name}/zebra has pictures of a class that train has none of"):
        scan(tmp_path, seed=0)


@pytest.mark.parametrize("name", ["val", "valid", "validation", "test"])
def test_half_a_layout_is_a_mistake_and_no_class(tmp_path: Path, name: str) -> None:
    put_all(tmp_path, f"{name}/a/1.png", f"{name}/b/1.png", "other/1.png")
    with pytest.raises(DataError, match=f"holds {name} but no train"):
        scan(tmp_path, seed=0)


def test_a_class_may_be_called_val(tmp_path: Path) -> None:
    put_all(tmp_path, *(f"{name}/{index}.png" for name in ("val", "var") for index in range(5)))
    assert scan(tmp_path, seed=0).classes == ("val", "var")


def test_hidden_and_empty_folders_and_stray_files_are_passed_over_and_said_once(tmp_path: Path) -> None:
    put_all(tmp_path, "train/a/1.png", "train/.ipynb_checkpoints/1.png", "train/a/.hidden.png", "train/stray.png")
    put_all(tmp_path, "train/__MACOSX/1.png", "train/a/deeper/2.PNG", "val/a/1.png")
    (tmp_path / "train" / "bare").mkdir()
    (tmp_path / "train" / "a" / "notes.txt").write_text("hello")
    folder = scan(tmp_path, seed=0)
    assert folder.classes == ("a",)
    assert [folder.name_of(path) for path in folder.train.paths] == ["train/a/1.png", "train/a/deeper/2.PNG"]
    said = "\n".join(folder.notes)
    for odd in ("bare", ".ipynb_checkpoints", ".hidden.png", "stray.png", "__MACOSX", "notes.txt"):
        assert said.count(odd) == 1


def test_a_folder_without_a_split_is_split_by_class_and_seed(tmp_path: Path) -> None:
    counts = {"a": 10, "b": 5, "pair": 2, "single": 1}
    put_all(tmp_path, *(f"{name}/{index}.png" for name, count in counts.items() for index in range(count)))
    folder = scan(tmp_path, seed=3)
    assert list(class_counts(folder.val, folder.classes).values()) == [2, 1, 1, 0]
    assert list(class_counts(folder.train, folder.classes).values()) == [8, 4, 1, 1]
    assert set(folder.train.paths).isdisjoint(folder.val.paths)
    assert scan(tmp_path, seed=3) == folder
    assert scan(tmp_path, seed=4).val.paths != folder.val.paths
    said = "\n".join(folder.notes)
    assert "class 'single' has one picture; it is trained on, and not measured" in said
    assert "one picture in 5 of each class is kept" in said
    assert "seed 3" in said


def test_a_train_folder_alone_is_split_too(tmp_path: Path) -> None:
    put_all(tmp_path, *(f"train/a/{index}.png" for index in range(5)))
    folder = scan(tmp_path, seed=0)
    assert (len(folder.train), len(folder.val)) == (4, 1)


def test_one_picture_of_each_class_leaves_nothing_to_measure_with(tmp_path: Path) -> None:
    put_all(tmp_path, "a/1.png", "b/1.png")
    with pytest.raises(DataError, match="one picture per class"):
        scan(tmp_path, seed=0)


@pytest.mark.parametrize("there", [[], ["data"], ["data/train/a"], ["data/train/a", "data/val/a"]])
def test_nothing_to_train_on(tmp_path: Path, there: list[str]) -> None:
    for folder in there:
        (tmp_path / folder).mkdir(parents=True)
    with pytest.raises(DataError, match="data"):
        scan(tmp_path / "data", seed=0)


def test_the_fingerprint_is_of_names_classes_sets_and_sizes_but_not_of_the_place(tmp_path: Path) -> None:
    def printed(folder: Path) -> str:
        return scan(folder, seed=0).fingerprint()

    for name in ("here", "there"):
        put_all(tmp_path / name, "train/a/1.png", "train/b/1.png", "val/a/2.png")
    first = printed(tmp_path / "here")
    assert printed(tmp_path / "there") == first
    grown = tmp_path / "there" / "train" / "a" / "1.png"
    grown.write_bytes(grown.read_bytes() + b"\0")
    other_size = printed(tmp_path / "there")
    grown.rename(grown.with_name("3.png"))
    other_name = printed(tmp_path / "there")
    (tmp_path / "here" / "val" / "a" / "2.png").rename(tmp_path / "here" / "train" / "a" / "2.png")
    put(tmp_path / "here" / "val" / "a" / "1.png")
    assert len({first, other_size, other_name, printed(tmp_path / "here")}) == 4


def test_the_split_is_a_table_of_every_picture(tmp_path: Path) -> None:
    folder = scan(put_all(tmp_path / "data", "train/ä, b/1.png", "val/ä, b/2.png", "test/ä, b/3.png"), seed=0)
    folder.write_split(tmp_path / "split.csv")
    assert list(csv.reader((tmp_path / "split.csv").read_text(encoding="utf-8-sig").splitlines())) == [
        ["filename", "label", "split"],
        ["train/ä, b/1.png", "ä, b", "train"],
        ["val/ä, b/2.png", "ä, b", "val"],
        ["test/ä, b/3.png", "ä, b", "test"],
    ]


def test_a_flat_folder_may_have_a_class_called_train(tmp_path: Path) -> None:
    for name in ("bus", "train"):
        for index in range(5):
            put(tmp_path / name / f"{index}.png")
    assert scan(tmp_path, seed=0).classes == ("bus", "train")
