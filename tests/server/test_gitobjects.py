"""Ids against git itself."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tars_hub.server.gitobjects import (
    TreeEntry,
    blob_hasher,
    blob_oid,
    commit_oid,
    decode_tree,
    encode_tree,
    new_commit,
    pointer,
    read_pointer,
    tree_oid,
)
from tests.server.git import Git

NAMES = [
    "a",
    "a.b",
    "a-b",
    "a0",
    "a b",
    "A",
    "é",
    "e\u0301",
    "日本",
    "a\U0001f600",
    "\uffee",
    "~",
    "a!",
    "aa",
    "-",
    "#?%",
]


@pytest.fixture
def git(tmp_path: Path) -> Git:
    return Git(tmp_path / "git")


@pytest.mark.parametrize("data", [b"", b"x", b"\0\xff\r\n", b"line\n" * 10_000])
def test_a_blob(git: Git, data: bytes) -> None:
    oid = git.keep("blob", data)
    assert blob_oid(data) == oid
    hasher = blob_hasher(len(data))
    for at in range(0, len(data), 999):
        hasher.update(data[at : at + 999])
    assert hasher.hexdigest() == oid


@pytest.mark.parametrize("seed", range(6))
def test_a_tree_is_in_gits_order(git: Git, seed: int) -> None:
    """A folder sorts as if a slash ended it: before `a0` and behind `a.b`, where a file of that name is before both."""
    chance = random.Random(seed)  # noqa: S311
    blob, folder = git.keep("blob", b"x"), git.make_tree([])
    names = chance.sample(NAMES, chance.randrange(1, len(NAMES)))
    entries = [TreeEntry(name, *chance.choice([(blob, False), (folder, True)])) for name in names]
    data = encode_tree(entries)
    assert tree_oid(data) == git.make_tree(entries)
    assert data == git.read("tree", tree_oid(data))
    assert {entry.name: entry for entry in decode_tree(data)} == {entry.name: entry for entry in entries}


def test_folders_and_files_of_like_names(git: Git) -> None:
    blob, folder = git.keep("blob", b"x"), git.make_tree([])
    entries = [TreeEntry("a0", blob, False), TreeEntry("a", folder, True), TreeEntry("a.b", blob, False)]
    assert [entry.name for entry in decode_tree(encode_tree(entries))] == ["a.b", "a", "a0"]
    as_file = [TreeEntry("a0", blob, False), TreeEntry("a", blob, False), TreeEntry("a.b", blob, False)]
    assert [entry.name for entry in decode_tree(encode_tree(as_file))] == ["a", "a.b", "a0"]


def test_the_empty_tree(git: Git) -> None:
    assert tree_oid(encode_tree([])) == git.make_tree([]) == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


@pytest.mark.parametrize("message", ["one line", "title\n\nbody, é 日本\n  indented\n\n", "x" * 5000, "# no comment"])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_commit(git: Git, message: str, count: int) -> None:
    tree = git.make_tree([])
    at = datetime(2026, 3, 29, 1, 59, 59, 987654, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    parents: tuple[str, ...] = ()
    for number in range(count):
        first = new_commit(tree=tree, parents=(), author="ann", at=at, message=f"parent {number}")
        assert git.commit(tree, (), "ann", at, f"parent {number}\n") == first.oid
        parents = (*parents, first.oid)
    made = new_commit(tree=tree, parents=parents, author="ann", at=at, message=message)
    assert made.oid == git.commit(tree, parents, "ann", at, message + "\n")
    assert commit_oid(made) == made.oid
    assert made.at == at.replace(microsecond=0)
    text = git.read("commit", made.oid)
    assert git.keep("commit", text) == made.oid  # which checks the text as well
    assert b"ann <ann@users.noreply> %d +0000\n" % at.timestamp() in text


def test_every_part_of_a_commit_counts() -> None:
    at = datetime(2026, 1, 1, tzinfo=timezone.utc)
    first = new_commit(tree="a" * 40, parents=(), author="ann", at=at, message="m")
    others = [
        new_commit(tree="b" * 40, parents=(), author="ann", at=at, message="m"),
        new_commit(tree="a" * 40, parents=("c" * 40,), author="ann", at=at, message="m"),
        new_commit(tree="a" * 40, parents=(), author="bob", at=at, message="m"),
        new_commit(tree="a" * 40, parents=(), author="ann", at=at + timedelta(seconds=1), message="m"),
        new_commit(tree="a" * 40, parents=(), author="ann", at=at, message="n"),
    ]
    assert len({first.oid, *(other.oid for other in others)}) == 6


class TestPointers:
    SHA256 = hashlib.sha256(b"weights").hexdigest()

    def test_its_text(self) -> None:
        text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.SHA256}\nsize 7\n"
        assert pointer(self.SHA256, 7).decode() == text

    @pytest.mark.parametrize("size", [0, 1, 7, 500 << 30])
    def test_it_is_read_back(self, size: int) -> None:
        assert read_pointer(pointer(self.SHA256, size)) == (self.SHA256, size)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"size 7", b"size 07"),
            (b"size 7", b"size -7"),
            (b"size 7", b"size 7 "),
            (b"size 7\n", b"size 7"),
            (b"size 7\n", b"size 7\n\n"),
            (b"size 7\n", b"size 7\r\n"),
            (b"version", b" version"),
            (b"spec/v1", b"spec/v2"),
            (b"spec/v1\n", b"spec/v1\next-0-x sha256:1\n"),
            (b"sha256:", b"sha512:"),
            (b"size 7", "size ٧".encode()),
            (b"size 7", b"size " + b"9" * 5000),
        ],
    )
    def test_another_text_is_none(self, old: bytes, new: bytes) -> None:
        assert read_pointer(pointer(self.SHA256, 7).replace(old, new)) is None


def test_git_is_there() -> None:
    """All of the above is worth nothing without it."""
    assert subprocess.run(["git", "--version"], capture_output=True, check=True, env=os.environ).stdout
