"""Patterns against git's own reading of them."""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path

import pytest

from tars_hub.server.errors import UnprocessableError
from tars_hub.server.patterns import Patience, _fitting, parse_pattern
from tars_hub.server.uploading import Ignored

NAMES = ["a", "b", "ab", "x.py", "y.bin", "a b"]  # to git "?" is a byte, here a letter
PIECES = ["a", "b", "*", "a*", "*.py", "?", "[ab]", "**", "x.py", "ab", "*.bin"]


def fits(line: str, path: str) -> bool:
    found = parse_pattern(line)
    return found is not None and found.fits_or_holds(path.split("/"), Patience())


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


@pytest.mark.parametrize("line", ["", "   ", "# a", "/", "//", "!", "!/", "x" * 301])
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
    "glob", ["*a" * 60 + "b", "**/" * 90 + "b", "[" * 200, "[!" + "a" * 200 + "]*" * 20, "?*" * 100]
)
def test_no_pattern_takes_long(glob: str) -> None:
    started = time.process_time()  # not what others on the machine take
    fits(glob, "/".join(["a" * 200] * 50))
    assert time.process_time() - started < 2


@pytest.mark.parametrize("seed", range(6))
def test_what_is_out_early_would_not_have_fitted(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    for _ in range(500):
        names = chance.choices(NAMES, k=chance.choice([1, 2, 3, 4]))
        glob = "/".join(chance.choices(PIECES, k=chance.choice([1, 1, 2, 3])))
        pattern = parse_pattern(f"{chance.choice(['', '', '/'])}{glob}{chance.choice(['', '', '/'])}")
        assert pattern is not None
        counts = set(_fitting(pattern.globs, names))
        of_folders = {count for count in counts if count < len(names)}
        assert pattern.fits(names, Patience()) == (len(names) in counts and not pattern.folders_only), glob
        assert pattern.fits_or_holds(names, Patience()) == bool(of_folders if pattern.folders_only else counts), glob


class TestPatience:
    @pytest.mark.parametrize(
        ("pattern", "paths"),
        [
            ("*.x{}", ["/".join(["abcdefgh"] * 100)] * 256),
            ("**/" + "*/" * 99 + "z{}", ["/".join(["a"] * 99 + ["z1"])] * 256),
            ("**/a/" * 50 + "a{}*", ["/".join(["a"] * 99 + ["a1"])] * 256),
            ("*a" * 100 + "{}", ["/".join(["a" * 250] * 4)] * 256),
        ],
    )
    def test_it_ends(self, pattern: str, paths: list[str]) -> None:
        ignored = Ignored("\n".join(pattern.format(number) for number in range(500)))
        with pytest.raises(UnprocessableError, match="fewer files at once, or write simpler patterns"):
            [ignored.has(path) for path in paths]

    def test_usual_files_do_not_come_near_it(self) -> None:
        lines = ["*.tmp{}", "/build{}/", "src/**/gen{}", "a/b{}/*", "!keep{}"]
        ignored = Ignored("\n".join(lines[number % 5].format(number) for number in range(500)))
        folder = "/".join(["a-folder-of-a-length"] * 8)
        assert not any(ignored.has(f"{folder}/model-{number:05}.safetensors") for number in range(256))
