"""Saving leaves the old or the new, whatever happens in the middle and wherever the folder lies."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tars_hub import files
from tars_hub.files import replace_folder, replacing
from tests.crash import FRESH, GONE, MINE, NEW, OLD, lay, read, save_new

ROOT = Path(__file__).parents[1]


def die_in_the_middle(folder: Path) -> None:
    (folder / "weights").write_text("half")
    raise KeyboardInterrupt


def crash(what: str, place: Path) -> list[dict[str, Any]]:
    """What one of the programs in tests.crash found."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash", what, place], cwd=ROOT, check=True, capture_output=True, text=True
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def no_swap(_first: Path, _second: Path) -> bool:
    return False


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that holds something, with nothing beside it."""
    lay(tmp_path / "home" / "model", OLD)
    return tmp_path / "home" / "model"


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


@pytest.mark.parametrize("broken", ["_put_in_place", "_flush_tree"])
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


@pytest.mark.parametrize("left", ["beside", "inside"])
def test_what_a_dead_process_left_is_removed(folder: Path, monkeypatch: pytest.MonkeyPatch, left: str) -> None:
    if left == "inside":
        monkeypatch.setattr(files, "_can_be_swapped", lambda _: False)
    home = folder.parent if left == "beside" else folder
    lay(home, {".model.saving-0badc0de/weights": "half", ".model.saving-0badc0de-old/weights": "older"})
    save_new(folder)
    assert read(folder) == NEW
    assert list(folder.parent.iterdir()) == [folder]


def test_what_looks_alike_is_not_removed(folder: Path) -> None:
    others = {"model.saving-1/x": "", ".model2.saving-1/x": "", ".modelsaving-1/x": "", ".model.saving-a-file": ""}
    lay(folder.parent, others)
    (folder.parent / ".model.saving-link").symlink_to("model")
    save_new(folder)
    assert read(folder) == NEW
    for name in others:
        assert (folder.parent / name).exists()


def test_what_a_living_process_writes_is_not_removed(folder: Path) -> None:
    def save_again(fresh: Path) -> None:
        replace_folder(folder, lambda other: lay(other, {"weights": "of the other"}))
        assert fresh.is_dir()
        lay(fresh, FRESH)

    replace_folder(folder, save_again, remove=[GONE])
    assert read(folder) == NEW
    assert list(folder.parent.iterdir()) == [folder]


def test_a_file_that_cannot_be_opened_goes_by_the_name_it_was_to_have(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere") as caught, replacing(tmp_path / "nowhere" / "out.csv"):
        pass
    assert caught.value.filename == str(tmp_path / "nowhere" / "out.csv")


def test_savers_at_the_same_time_do_not_harm_each_other(folder: Path) -> None:
    def save(index: int) -> None:
        for _ in range(10):
            replace_folder(folder, lambda fresh: lay(fresh, {"weights": f"w{index}", "config": f"c{index}"}))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(save, range(4)))
    held = read(folder)
    assert held["weights"][1:] == held["config"][1:]
    assert held["kept/diary.txt"] == "mine"
    assert list(folder.parent.iterdir()) == [folder]


def test_a_saver_waits_while_another_puts_its_folder_in_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = files._link
    other = Thread(target=replace_folder, args=(folder, lambda fresh: lay(fresh, {"other": "theirs"})))

    def start_the_other_and_link(source: Path, target: Path) -> None:
        if other.ident is None:
            other.start()
            other.join(timeout=0.3)  # without the lock it would be done now, and what it saved lost with the old folder
        link(source, target)

    monkeypatch.setattr(files, "_link", start_the_other_and_link)
    save_new(folder)
    other.join()
    assert read(folder) == {**NEW, "other": "theirs"}
    assert list(folder.parent.iterdir()) == [folder]


def check_deaths(found: list[dict[str, Any]], *, old: dict[str, str] | None, missing: int) -> None:
    """Old up to some step and new from there on; tidied up by the next save."""
    states = [death["state"] for death in found]
    new = NEW if old else FRESH
    assert len(states) > 15
    assert all(state in (old, new, None) for state in states)
    assert states[-1] == new
    assert states == sorted(states, key=lambda state: 2 if state == new else state is None and old is not None)
    assert sum(state is None and old is not None for state in states) <= missing
    assert {tuple(death["after"]) for death in found} == {tuple(sorted(f"model/{name}" for name in new))}
    assert any(death["beside"] for death in found), "no death came while there was something to tidy up"


def test_death_at_every_step_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    check_deaths(crash("steps", tmp_path), old=OLD, missing=0)


def test_death_at_every_step_of_the_first_save_leaves_nothing_or_all(tmp_path: Path) -> None:
    check_deaths(crash("first", tmp_path), old=None, missing=0)


def test_death_at_every_step_where_the_system_cannot_swap(tmp_path: Path) -> None:
    # Between two renames the folder has another name; the next save finds it there.
    check_deaths(crash("no-swap", tmp_path), old=OLD, missing=1)


def test_death_at_every_step_file_by_file_leaves_whole_files_and_the_weights_last(tmp_path: Path) -> None:
    order = ["run/figure", "run/history", "config", "weights"]
    found = crash("by-file", tmp_path)
    reached = set()
    for death in found:
        held = {name: text for name, text in death["state"].items() if not name.startswith(".model.saving-")}
        new = [held.get(name) == FRESH[name] for name in order]
        assert new == sorted(new, reverse=True), "what comes later is in place before what comes first"
        assert all(held.get(name) == OLD.get(name) for name, there in zip(order, new, strict=True) if not there)
        assert {name: held[name] for name in MINE} == MINE
        assert (GONE in held) or all(new), "the old state goes when all the new is there"
        reached.add((sum(new), GONE in held))
        assert death["after"] == sorted(f"model/{name}" for name in NEW)
    assert reached == {(0, True), (1, True), (2, True), (3, True), (4, True), (4, False)}


def test_an_old_folder_left_under_its_other_name_comes_back(folder: Path) -> None:
    folder.rename(folder.parent / ".model.saving-0badc0de-old")
    with pytest.raises(KeyboardInterrupt):
        replace_folder(folder, die_in_the_middle)
    assert read(folder) == OLD
    assert list(folder.parent.iterdir()) == [folder]


def test_everything_is_on_the_disk_before_it_is_in_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []

    def record(name: str) -> None:
        real: Callable[..., Any] = getattr(files, name)

        def wrapper(*args: Any) -> Any:
            events.append(name + (args[0].name if name == "_flush" else ""))
            return real(*args)

        monkeypatch.setattr(files, name, wrapper)

    for name in ("_flush", "_swap"):
        record(name)
    save_new(folder)
    before = events[: events.index("_swap")]
    assert {"_flushweights", "_flushconfig", "_flushhistory", "_flushrun"} <= set(before)
    assert "_flushhome" in events[events.index("_swap") :]


def test_a_first_save_is_on_the_disk_with_its_sub_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    flush = files._flush

    def record(path: Path) -> None:
        flushed.append(path.name)
        flush(path)

    monkeypatch.setattr(files, "_flush", record)
    save_new(tmp_path / "model")
    assert {"weights", "config", "history", "figure", "run", tmp_path.name} <= set(flushed)
