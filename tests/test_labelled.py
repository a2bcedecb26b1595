"""A folder of folders as people really have them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tars_hub.errors import DataError
from tars_hub.labelled import find_classes, is_part


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_classes_and_pictures_are_sorted_as_torchvision_sorts(tmp_path: Path) -> None:
    touch(*(tmp_path / name for name in ("b/2.png", "b/10.png", "B/1.jpg", "9/x.PNG", "10/deep/er/y.webp")))
    found = find_classes(tmp_path)
    assert list(found.pictures) == ["10", "9", "B", "b"]
    assert [path.name for path in found.pictures["b"]] == ["10.png", "2.png"]
    assert found.pictures["10"] == (tmp_path / "10/deep/er/y.webp",)
    assert found.notes == ()


def test_what_is_no_picture_is_told_once_by_kind(tmp_path: Path) -> None:
    touch(*(tmp_path / name for name in ("a/1.png", "a/notes.txt", "a/.DS_Store", "a/.ipynb_checkpoints/1.png")))
    touch(tmp_path / "readme.md", tmp_path / "__MACOSX/a/1.png", tmp_path / ".git/1.png")
    touch(*(tmp_path / "a" / f"{index}.csv" for index in range(5)))
    (tmp_path / "nothing").mkdir()
    found = find_classes(tmp_path)
    assert list(found.pictures) == ["a"]
    assert found.empty == ("nothing",)
    notes = "\n".join(found.notes)
    assert len(found.notes) == 5
    assert "passed over files that are no pictures: a/0.csv, a/1.csv, a/2.csv and 3 more" in notes
    assert "passed over hidden files and folders: .git, a/.ipynb_checkpoints, a/.DS_Store" in notes
    assert "passed over folders that programs leave: __MACOSX" in notes


@pytest.mark.parametrize("name", ["missing", "flat", "empty"])
def test_no_classes_are_one_clear_error(tmp_path: Path, name: str) -> None:
    touch(tmp_path / "flat" / "1.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=name):
        find_classes(tmp_path / name)


def test_a_folder_that_cannot_be_listed_is_an_error_and_costs_no_pictures_silently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "a" / "1.png", tmp_path / "a" / "locked" / "2.png")
    real = os.scandir

    def scandir(path: Any) -> Any:
        if Path(path).name == "locked":  # root, who may run the tests, may list everything
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DataError, match=r"locked cannot be read: Permission denied"):
        find_classes(tmp_path)


def test_linked_folders_are_entered_once(tmp_path: Path) -> None:
    touch(tmp_path / "data" / "a" / "1.png", tmp_path / "elsewhere" / "2.png")
    for name, target in (("more", "elsewhere"), ("round", "data/a")):
        try:
            (tmp_path / "data" / "a" / name).symlink_to(tmp_path / target, target_is_directory=True)
        except OSError:
            pytest.skip("this system lets nobody make links")
    found = find_classes(tmp_path / "data")
    assert sorted(path.name for path in found.pictures["a"]) == ["1.png", "2.png"]


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    touch(tmp_path / "bus" / "1.png", tmp_path / "train" / "1.png", tmp_path / "val" / "bus" / "1.png")
    assert not is_part(tmp_path / "train")
    assert is_part(tmp_path / "val")
