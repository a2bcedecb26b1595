"""Patterns against git's own reading of them."""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path

import pytest

from tars_hub.server.patterns import parse_pattern
from tars_hub.server.uploading import Ignored

NAMES = ["a", "b", "ab", "x.py", "y.bin", "a b"]  # to git "?" is a byte, here a letter
PIECES = ["a", "b", "*", "a*", "*.py", "?", "[ab]", "**", "x.py", "ab", "*.bin"]


def fits(line: str, path: str) -> bool:
    found = parse_pattern(line)
    return found is not None and found.fits_or_holds(path)


@pytest.mark.parametrize(
    ("line", "path", "does"),
    [
        ("*.py", "x.py", True),
        ("*.py", "deep/er/x.py", True),
        ("/x.py", "x.py", True),
        ("/x.py", "a/x.py", False),
        ("a/x.py", "a/x.py", True),
        ("a/x.py", "b/a/x.py", False),
        ("a/", "a/x", True),
        ("a/", "b/a/x", True),
        ("a/", "a", False),
        ("**/a", "b/c/a", True),
        ("**/a", "a", True),
        ("a/**", "a/b/c", True),
        ("a/**", "a", False),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("*", "a/b", True),
        ("a*b", "a/b", False),
        ("A", "a", False),
        ("\\#x", "#x", True),
        ("\\!x", "!x", True),
    ],
)
def test_examples(line: str, path: str, does: bool) -> None:
    assert fits(line, path) == does


@pytest.mark.parametrize("line", ["", "   ", "# a", "/", "//", "!", "!/", "x" * 501])
def test_lines_that_say_nothing(line: str) -> None:
    assert parse_pattern(line) is None


@pytest.mark.parametrize("seed", range(12))
def test_ignored_files_are_those_that_git_ignores(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    paths = {"/".join(chance.choices(NAMES, k=chance.choice([1, 2, 3, 4]))) for _ in range(60)}
    for _ in range(12):
        lines = []
        for _ in range(chance.randrange(1, 4)):
            glob = "/".join(chance.choices(PIECES, k=chance.choice([1, 1, 2, 3])))
            lines.append(f"{chance.choice(['', '', '/'])}{glob}{chance.choice(['', '', '/'])}")
        (tmp_path / ".gitignore").write_text("\n".join(lines) + "\n")
        given = "".join(f"{path}\0" for path in sorted(paths)).encode()
        command = ["git", "-C", str(tmp_path), "check-ignore", "--no-index", "-z", "--stdin"]
        said = subprocess.run(command, input=given, capture_output=True, check=False).stdout.decode().split("\0")
        ours = Ignored("\n".join(lines))
        assert {path for path in paths if ours.has(path)} == set(filter(None, said)), lines


@pytest.mark.parametrize(
    "glob", ["*a" * 60 + "b", "**/" * 100 + "b", "[" * 200, "[!" + "a" * 400 + "]*" * 20, "?*" * 100]
)
def test_no_pattern_takes_long(glob: str) -> None:
    started = time.monotonic()
    fits(glob, "/".join(["a" * 200] * 50))
    assert time.monotonic() - started < 2
