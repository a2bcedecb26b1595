"""Saving puts the new in the place of the old, or leaves the old, wherever the folder lies; the rest in it stays."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from tars_hub import files
from tars_hub.files import replace_folder, replacing
from tests.crash import FRESH, GONE, NEW, OLD, die_in_the_middle, lay, lay_old, read, save_new


def no_swap(_first: Path, _second: Path) -> bool:
    return False


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return lay_old(tmp_path / "home")


@pytest.fixture(params=["swap", "no swap", "file by file"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each of the three ways to put the new in the place of the old."""
    if request.param == "no swap":
        monkeypatch.setattr(files, "_swap_at_once", no_swap)
    if request.param == "file by file":
        monkeypatch.setattr(files, "_can_be_swapped", lambda _: False)
    return str(request.param)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    with replacing(path, encoding="utf-8") as stream:
        stream.write("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")

    def fail() -> None:
        with replacing(path, "wb") as stream:
            stream.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_and_its_parents_are_made(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b" / "model"
    save_new(folder)
    assert read(folder) == FRESH
    assert list(folder.parent.iterdir()) == [folder]


def test_the_new_replaces_the_old_and_the_rest_stays(folder: Path, way: str) -> None:
    assert way
    save_new(folder)
    assert read(folder) == NEW
    assert list(folder.parent.iterdir()) == [folder]
    assert sorted(path.name for path in folder.iterdir()) == ["config", "kept", "run", "weights"]


@pytest.mark.parametrize("error", [OSError, MemoryError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_the_old_folder_and_nothing_beside_it(
    folder: Path, way: str, error: type[BaseException]
) -> None:
    assert way
    inode, when = folder.stat().st_ino, (folder / "weights").stat().st_mtime_ns

    def fail(fresh: Path) -> None:
        (fresh / "weights").write_text("half")
        raise error

    with pytest.raises(error):
        replace_folder(folder, fail)
    assert read(folder) == OLD
    assert (folder.stat().st_ino, (folder / "weights").stat().st_mtime_ns) == (inode, when)
    assert list(folder.parent.iterdir()) == [folder]
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_a_failure_where_nothing_was_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    with pytest.raises(KeyboardInterrupt):
        replace_folder(tmp_path / "home" / "model", die_in_the_middle)
    assert not list((tmp_path / "home").iterdir())


@pytest.mark.parametrize("broken", ["_put_in_place", "flush_tree"])
def test_a_full_disk_at_the_end_leaves_the_old_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fail(*_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, broken, fail)
    with pytest.raises(OSError, match="No space left"):
        save_new(folder)
    assert read(folder) == OLD
    assert list(folder.parent.iterdir()) == [folder]


def test_without_a_swap_a_failing_second_rename_brings_the_old_folder_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if target == folder and "old" not in self.name:
            raise OSError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(files, "_swap_at_once", no_swap)
    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="Permission denied"):
        save_new(folder)
    assert read(folder) == OLD
    assert list(folder.parent.iterdir()) == [folder]


def test_other_files_stay_what_they_are(folder: Path, way: str) -> None:
    assert way
    (folder / "deep" / "er").mkdir(parents=True, mode=0o750)
    (folder / "deep" / "er" / "script").write_text("#!/bin/sh")
    (folder / "deep" / "er" / "script").chmod(0o755)
    os.utime(folder / "deep" / "er" / "script", (1, 1))
    (folder / "link").symlink_to("deep/er/script")
    (folder / "link to a folder").symlink_to("deep")
    (folder / "dangling").symlink_to("/nowhere")
    os.mkfifo(folder / "pipe")
    save_new(folder)
    found = (folder / "deep" / "er" / "script").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_mtime) == (0o755, 1)
    assert stat.S_IMODE((folder / "deep" / "er").stat().st_mode) == 0o750
    assert os.readlink(folder / "link") == "deep/er/script"  # noqa: PTH115  # as written
    assert (folder / "link to a folder").is_symlink()
    assert (folder / "dangling").is_symlink()
    assert stat.S_ISFIFO((folder / "pipe").lstat().st_mode)


def test_a_kept_file_that_is_open_goes_on_being_written(folder: Path, way: str) -> None:
    assert way
    with (folder / "log").open("w") as log:
        save_new(folder)
        log.write("later")
    assert (folder / "log").read_text() == "later"


def test_a_kept_folder_of_the_same_name_as_a_new_file_is_replaced(folder: Path, way: str) -> None:
    assert way
    (folder / "weights").unlink()
    lay(folder, {"weights/inner": "x"})
    save_new(folder)
    assert read(folder) == NEW
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("link", [False, True])
def test_a_kept_file_or_link_of_the_same_name_as_a_new_folder_is_replaced(folder: Path, way: str, link: bool) -> None:
    assert way
    (folder / "run").rename(folder.parent.parent / "elsewhere")
    if link:
        (folder / "run").symlink_to("../../elsewhere")
    else:
        (folder / "run").write_text("x")
    save_new(folder)
    assert read(folder) == {**FRESH, "kept/diary.txt": "mine"}
    assert not (folder / "run").is_symlink()
    assert read(folder.parent.parent / "elsewhere")["history"] == "old history"
    assert list(folder.parent.iterdir()) == [folder]


def test_folders_are_merged_at_every_depth_and_keep_their_permissions(folder: Path, way: str) -> None:
    assert way
    lay(folder, {"run/a/b/mine": "x", "run/a/theirs": "old"})
    (folder / "run" / "a").chmod(0o710)
    replace_folder(folder, lambda fresh: lay(fresh, {"run/a/theirs": "new", "run/a/b/c/d": "new"}))
    expected = {**OLD, "run/a/b/mine": "x", "run/a/theirs": "new", "run/a/b/c/d": "new"}
    assert read(folder) == expected
    assert stat.S_IMODE((folder / "run" / "a").stat().st_mode) == 0o710


def test_what_is_removed_is_a_file_or_a_folder_but_nothing_that_was_just_written(folder: Path, way: str) -> None:
    assert way
    lay(folder, {"run/deep/a": "x", "run/deep/b": "x", "top": "x", "kept/deep/c": "x"})
    remove = ["run/state", "run/deep", "top", "kept/deep/c", "weights", "none", "none/at/all", "config/below"]
    replace_folder(folder, lambda fresh: lay(fresh, FRESH), remove=remove)
    assert read(folder) == NEW
    assert (folder / "kept" / "deep").is_dir()


@pytest.mark.parametrize("name", ["../outside", "/OUTSIDE", "link/outside", "run/../../outside", ".", "", "..", "./"])
def test_nothing_outside_is_removed(folder: Path, way: str, name: str) -> None:
    assert way
    (folder.parent / "outside").write_text("mine")
    (folder / "link").symlink_to("..")
    (folder / "other link").symlink_to("kept")
    name = name.replace("/OUTSIDE", str(folder.parent / "outside"))
    replace_folder(folder, lambda fresh: lay(fresh, FRESH), remove=[name, GONE, "other link"])
    assert (folder.parent / "outside").read_text() == "mine"
    assert {name: text for name, text in read(folder).items() if not name.startswith("link")} == NEW
    assert (folder / "link").is_symlink()
    assert not (folder / "other link").is_symlink()


def test_a_sub_folder_on_another_disk_gets_copies(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace, inode = Path.replace, (folder / "run").stat().st_ino

    def refuse(self: Path, target: Path) -> Path:
        if target.parent == folder / "run" and self.parent != folder / "run":
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return replace(self, target)

    monkeypatch.setattr(Path, "is_mount", lambda self: self == folder / "run")
    monkeypatch.setattr(Path, "replace", refuse)
    save_new(folder)
    assert read(folder) == NEW
    assert (folder / "run").stat().st_ino == inode
    assert {path.name for path in (folder / "run").iterdir()} == {"figure", "history", "notes"}


def test_the_folder_keeps_its_permissions(folder: Path, way: str) -> None:
    assert way
    folder.chmod(0o2751)
    save_new(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o2751


def test_a_linked_folder_stays_a_link(folder: Path, way: str) -> None:
    assert way
    link = folder.parent.parent / "link"
    link.symlink_to("home/model")
    save_new(link)
    assert link.is_symlink()
    assert read(folder) == NEW
    assert {path.name for path in link.parent.iterdir()} == {"home", "link"}


def test_a_dangling_link_gets_its_folder(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    save_new(tmp_path / "link")
    assert read(tmp_path / "real") == FRESH


@pytest.mark.parametrize("inside", [".", "kept"])
def test_the_working_folder_stays_the_working_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    inode = folder.stat().st_ino
    monkeypatch.chdir(folder / inside)
    save_new(Path(os.path.relpath(folder)))
    assert (Path("weights") if inside == "." else Path("../weights")).read_text() == "new weights"
    assert folder.stat().st_ino == inode
    assert read(folder) == NEW
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("mounted", [".", "kept"])
def test_a_mounted_folder_is_neither_moved_nor_emptied(
    folder: Path, monkeypatch: pytest.MonkeyPatch, mounted: str
) -> None:
    monkeypatch.setattr(Path, "is_mount", lambda self: self == folder / mounted)
    inodes = folder.stat().st_ino, (folder / "kept").stat().st_ino
    save_new(folder)
    assert read(folder) == NEW
    assert (folder.stat().st_ino, (folder / "kept").stat().st_ino) == inodes
    assert list(folder.parent.iterdir()) == [folder]


def test_a_parent_that_takes_no_new_entries(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The tests may run as root, whom no permission stops.
    access, mkdir = os.access, Path.mkdir

    def refuse(self: Path, *args: Any, **kwargs: Any) -> None:
        if self.parent == folder.parent and not self.exists():
            raise PermissionError(13, "Permission denied", str(self))
        mkdir(self, *args, **kwargs)

    monkeypatch.setattr(os, "access", lambda path, mode: path != folder.parent and access(path, mode))
    monkeypatch.setattr(Path, "mkdir", refuse)
    save_new(folder)
    assert read(folder) == NEW
    assert sorted(path.name for path in folder.iterdir()) == ["config", "kept", "run", "weights"]


def test_odd_names(tmp_path: Path) -> None:
    for name in ("Füchse 🦊", "a b", "-x", "a\nb", "%s", ".hidden", "x" * 200):
        for _ in range(2):
            save_new(tmp_path / name)
        assert read(tmp_path / name) == FRESH
    assert len(list(tmp_path.iterdir())) == 7


def test_a_file_that_cannot_be_opened_goes_by_the_name_it_was_to_have(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere") as caught, replacing(tmp_path / "nowhere" / "out.csv"):
        pass
    assert caught.value.filename == str(tmp_path / "nowhere" / "out.csv")
