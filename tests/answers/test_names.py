"""Which pictures are meant: the order, standard input, and what strangers call their files."""

import io
import os
import subprocess
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tars_hub import listing
from tars_hub.answers.names import Named
from tars_hub.errors import UsageError
from tars_hub.listing import find_pictures, walk
from tests.answers.fakes import lay_many


def lay(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def named(*arguments: str, given: bytes = b"", null: bool = False) -> list[str]:
    found = Named(arguments=arguments, null=null, source=io.BytesIO(given))
    found.check()
    return list(found.pictures())


def test_the_order_is_that_of_sorted_paths(tmp_path: Path) -> None:
    names = ["a.png", "a/z.png", "a/b/c.jpg", "a-b/x.png", "a.d/y.GIF", "B.png", "ä.png", ".h/i.png", "b.txt", ".x.png"]
    lay(tmp_path, *names)
    expected = sorted(tmp_path / name for name in names[:-2])
    assert find_pictures([tmp_path]) == expected
    assert named(str(tmp_path)) == [str(path) for path in expected]


def test_the_working_folder_gives_names_without_a_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path, "a.png", "b/c.png")
    monkeypatch.chdir(tmp_path)
    assert named(".") == ["a.png", "b/c.png"]


def test_a_large_folder_is_gone_through_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path, *(f"{number}.png" for number in range(50)), *(f"{number}/x.png" for number in range(50)))
    expected = list(walk(tmp_path))
    for held in (1, 7, 100):
        monkeypatch.setattr(listing, "_HELD_NAMES", held)
        assert list(walk(tmp_path)) == expected
    assert expected == [str(path) for path in sorted(tmp_path.rglob("*.png"))]


def test_one_flat_folder_takes_no_more_memory_for_more_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_HELD_NAMES", 500)

    def peak(folder: Path, count: int) -> int:
        lay_many(folder, count)
        tracemalloc.start()
        try:
            assert sum(1 for _ in walk(folder)) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few = peak(tmp_path / "few", 1000)
    assert peak(tmp_path / "many", 8_000) < few * 1.3


def test_a_link_to_a_folder_is_not_followed_and_a_broken_one_is_a_picture(tmp_path: Path) -> None:
    lay(tmp_path / "real", "a.png")
    (tmp_path / "real" / "round").symlink_to(tmp_path)
    (tmp_path / "real" / "folder.png").symlink_to(tmp_path)
    (tmp_path / "real" / "gone.png").symlink_to("nowhere")
    (tmp_path / "real" / "self.png").symlink_to("self.png")
    assert [Path(name).name for name in named(str(tmp_path / "real"))] == ["a.png", "gone.png", "self.png"]


def test_folders_as_deep_as_the_system_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    depth = 1500
    monkeypatch.chdir(tmp_path)
    for _ in range(depth):
        Path("d").mkdir()
        os.chdir("d")
    Path("a.png").touch()
    monkeypatch.chdir(tmp_path)
    try:
        assert named(".") == ["d/" * depth + "a.png"]
    finally:
        subprocess.run(["rm", "-rf", "d"], cwd=tmp_path, check=True)  # deeper than Python's own way goes


def test_a_folder_that_cannot_be_read_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path, "a.png", "b/c.png", "d.png")
    scandir = os.scandir

    def refuse(path: str) -> Iterator[os.DirEntry[str]]:
        if str(path).endswith("/b"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert [Path(name).name for name in named(str(tmp_path))] == ["a.png", "b", "d.png"]
    assert [path.name for path in find_pictures([tmp_path])] == ["a.png", "d.png"]
    with pytest.raises(PermissionError):
        named(str(tmp_path / "b"))


@pytest.mark.parametrize(
    ("given", "null", "found"),
    [
        (b"a.png\nb c.png\n", False, ["a.png", "b c.png"]),
        (b"./a.png", False, ["./a.png"]),
        (b"\n\na\n\n", False, ["a"]),
        (b"a\nb\0c\0\0", True, ["a\nb", "c"]),
        (b"\xe9.png\n\xf0\x9f\x90\x88.png\n", False, ["\udce9.png", "🐈.png"]),
        (b"x" * 60_000 + b"\n" + b"y" * 60_000 + b"\nz", False, ["x" * 60_000, "y" * 60_000, "z"]),
    ],
)
def test_names_on_standard_input_come_as_they_stand(given: bytes, null: bool, found: list[str]) -> None:
    assert named("-", given=given, null=null) == found


def test_standard_input_has_its_place_among_the_others(tmp_path: Path) -> None:
    lay(tmp_path, "a/x.png")
    assert named("1.png", "-", str(tmp_path), given=b"2\n3") == ["1.png", "2", "3", str(tmp_path / "a/x.png")]


def test_names_are_taken_as_they_come() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb", buffering=0) as sender, os.fdopen(reading, "rb") as source:
        sender.write(b"first\nsec")
        names = Named(arguments=["-"], null=False, source=source).pictures()
        assert next(names) == "first"  # while the sender is still at it
        sender.write(b"ond\n")
        assert next(names) == "second"


@pytest.mark.parametrize(
    ("arguments", "given", "null", "said"),
    [
        (["-"], b"", False, "names no pictures"),
        (["-"], b"\n\n", False, "names no pictures"),
        (["-", "-"], b"a", False, "twice"),
        (["-"], b"\xff\xd8" + bytes(200_000), False, "--null"),
        (["-"], b"a\n" * 100_000, True, "no file name"),
        (["a.png"], b"", True, "say - for them"),
        (["EMPTY"], b"", False, "holds no pictures"),
    ],
)
def test_what_names_nothing_is_said(tmp_path: Path, arguments: list[str], given: bytes, null: bool, said: str) -> None:
    lay(tmp_path, "notes.txt")
    with pytest.raises(UsageError, match=said):
        named(*(str(tmp_path) if each == "EMPTY" else each for each in arguments), given=given, null=null)
