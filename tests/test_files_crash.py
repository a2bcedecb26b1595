"""Saves that die, and saves beside others: the old or the new is there, and what the dead left is tidied up."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tars_hub import files
from tars_hub.files import replace_folder
from tests.crash import FRESH, GONE, MINE, NEW, OLD, crash, die_in_the_middle, lay, lay_old, read, save_new


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return lay_old(tmp_path / "home")


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
