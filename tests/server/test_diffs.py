"""Differences, which git itself must be able to apply."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tars_hub.server.diffs import Side, file_diff

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
    begun = time.monotonic()
    text = file_diff("f", side(old), side(new))
    assert time.monotonic() - begun < 2
    assert text.count("\n+") > 50_000
