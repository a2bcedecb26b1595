"""Differences, which git itself must be able to apply."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tars_hub.server.diffs import Effort, Side, file_diff

LINES = ["a\n", "b\n", "ß\r\n", "\n", "a\x0cb\n"]
needs_git = pytest.mark.skipif(not shutil.which("git"), reason="there is no git here to apply them with")


def side(data: str | bytes | None) -> Side | None:
    if data is None:
        return None
    return Side("1" * 40, data.encode() if isinstance(data, str) else data)


def test_it_reads_like_git() -> None:
    text = "".join(f"{number}\n" for number in range(20))
    assert file_diff("d/f", side(text), side(text.replace("9\n", "nine", 1))) == (
        "diff --git a/d/f b/d/f\nindex 1111111..1111111\n--- a/d/f\n+++ b/d/f\n@@ -7,8 +7,7 @@\n"
        " 6\n 7\n 8\n-9\n-10\n+nine10\n 11\n 12\n 13\n"
    )


def test_new_and_deleted_files() -> None:
    assert file_diff("f", None, side("x")) == (
        "diff --git a/f b/f\nnew file mode 100644\nindex 0000000..1111111\n--- /dev/null\n+++ b/f\n"
        "@@ -0,0 +1,1 @@\n+x\n\\ No newline at end of file\n"
    )
    assert file_diff("f", side("x\n"), None).endswith("--- a/f\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-x\n")
    assert file_diff("f", None, side("")) == "diff --git a/f b/f\nnew file mode 100644\nindex 0000000..1111111\n"


@pytest.mark.parametrize("data", [b"a\0b", None])
def test_what_is_no_text_or_too_large_is_only_named(data: bytes | None) -> None:
    text = file_diff("f", side("x\n"), Side("2" * 40, data))
    assert text == "diff --git a/f b/f\nindex 1111111..2222222\nBinary files a/f and b/f differ\n"


def test_bytes_that_look_alike_as_text_have_no_hunks() -> None:
    assert "@@" not in file_diff("f", side(b"\xff"), side(b"\xfe"))


def changed(rng: random.Random, lines: list[str]) -> list[str]:
    lines = list(lines)
    for _ in range(rng.randint(1, 5)):
        at = rng.randint(0, len(lines))
        lines[at : at + rng.randint(0, 4)] = rng.choices([*LINES, "x\n"], k=rng.randint(0, 3))
    return lines


@needs_git
def test_git_applies_them(tmp_path: Path) -> None:
    rng = random.Random(3)  # noqa: S311  # the same at every run
    for number in range(40):
        old = rng.choices(LINES, k=rng.randint(1, 40))
        new = "".join(changed(rng, old)) + rng.choice(["", "end"])
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "f").write_bytes("".join(old).encode())
        if new in ("", "".join(old)):
            continue
        patch = file_diff("f", side("".join(old)), side(new)).encode()
        subprocess.run(["git", "apply", "--whitespace=nowarn", "-"], input=patch, cwd=folder, check=True)
        assert (folder / "f").read_bytes() == new.encode()


def test_hostile_texts_take_no_time() -> None:
    old, new = ("".join(f"{number % modulus}\n" for number in range(60_000)) for modulus in (97, 89))
    begun = time.process_time()  # not what others on the machine take
    text = file_diff("f", side(old), side(new))
    assert time.process_time() - begun < 2
    assert text.count("\n+") > 50_000


def hostile(count: int) -> Iterator[tuple[str, str]]:
    """Of all shapes that a search may stumble over."""
    for number in range(count):
        turns = "a\nb\n" * 240
        yield [
            (turns, "b\n" + turns[:-2] + "c\n"),
            ("\n" * 240_000, "x\n"),
            ("x\n", "\n" * 240_000),
            ("y\n" + "\n" * 120_000, "x\nz\n"),
        ][number % 4]


def test_many_hostile_files_take_no_time() -> None:
    effort, begun = Effort(), time.process_time()
    texts = [file_diff("f", side(old), side(new), effort) for old, new in hostile(16)]
    assert time.process_time() - begun < 2
    assert texts[0].count("\n-") == 2  # its head, and the one line that went
    assert texts[12].count("\n-") == 481  # nothing is left to look any closer


def test_one_file_does_not_take_what_all_have() -> None:
    effort = Effort()
    assert not effort.spend(250_001)
    assert [effort.spend(250_000) for _ in range(9)] == [True] * 8 + [False]
    assert effort.spend(0)


@needs_git
def test_git_applies_what_was_too_much_to_compare(tmp_path: Path) -> None:
    effort, wanted = Effort(), {}
    patch = ""
    for number, (old, new) in enumerate(hostile(16)):
        (tmp_path / str(number)).write_text(old)
        wanted[str(number)] = new
        patch += file_diff(str(number), side(old), side(new), effort)
    subprocess.run(["git", "apply", "--whitespace=nowarn", "-"], input=patch.encode(), cwd=tmp_path, check=True)
    assert {path: (tmp_path / path).read_text() for path in wanted} == wanted


def test_as_much_as_can_be_is_shared() -> None:
    rng = random.Random(5)  # noqa: S311  # the same at every run
    for _ in range(200):
        old, new = (rng.choices("abcd", k=rng.randint(1, 9)) for _ in range(2))
        text = file_diff("f", *(side("".join(f"{letter}\n" for letter in letters)) for letters in (old, new)))
        assert text.count("\n-") - text.count("\n--- ") == len(old) - longest(old, new)


def longest(old: list[str], new: list[str]) -> int:
    """The length of the longest common subsequence, by the book."""
    if not old or not new:
        return 0
    if old[0] == new[0]:
        return 1 + longest(old[1:], new[1:])
    return max(longest(old[1:], new), longest(old, new[1:]))
