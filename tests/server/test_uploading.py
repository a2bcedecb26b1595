"""Which files travel how."""

from __future__ import annotations

import pytest

from tars_hub.server.uploading import GITATTRIBUTES, Attributes, Ignored, is_large

LIMIT = 1000


def large(path: str, size: int = 10, sample: bytes = b"text", text: str = GITATTRIBUTES) -> bool:
    return is_large(path, size, sample, Attributes(text), regular_bytes=LIMIT)


@pytest.mark.parametrize(
    "path", ["model.safetensors", "a/b/pytorch_model.bin", "x.tar.gz", "runs/events.out.tfevents.1"]
)
def test_weights_are_large_however_small(path: str) -> None:
    assert large(path)
    assert not large(path, size=0)  # the client sends empty files within the commit whatever it is told


@pytest.mark.parametrize(
    "path", ["README.md", "config.json", "a/b.py", ".gitattributes", "model.safetensors.index.json"]
)
def test_texts_are_small_up_to_the_limit(path: str) -> None:
    assert not large(path)
    assert not large(path, size=LIMIT)
    assert large(path, size=LIMIT + 1)


def test_a_zero_byte_makes_it_large_but_for_what_the_hub_reads() -> None:
    assert large("data", sample=b"a\0b")
    for path in (".gitattributes", ".gitignore", "README.md"):
        assert not large(path, sample=b"a\0b")
        assert not large(path, text="* filter=lfs\n")
    assert large("a/README.md", sample=b"a\0b")


@pytest.mark.parametrize(
    ("text", "path", "is_so"),
    [
        ("*.txt filter=lfs diff=lfs merge=lfs -text", "a/b.txt", True),
        ("/a.txt filter=lfs", "b/a.txt", False),
        ("*.txt -text", "a.txt", False),
        ("*.txt filter=lfs\nkeep.txt -filter", "keep.txt", False),
        ("*.txt filter=lfs\n*.txt !filter", "a.txt", False),
        ("*.txt -filter\n*.txt filter=lfs", "a.txt", True),
        ("data/** filter=lfs", "data/x/y", True),
        ("# *.txt filter=lfs", "a.txt", False),
        ("\n\n   \n*.txt", "a.txt", False),
    ],
)
def test_the_repository_says_for_itself(text: str, path: str, is_so: bool) -> None:
    assert large(path, text=text) == is_so


def test_what_is_brought_back_is_not_ignored() -> None:
    ignored = Ignored("*.bin\n!keep.bin\n# all\n\ncache/\n")
    assert [ignored.has(path) for path in ("a.bin", "keep.bin", "x/keep.bin", "cache/x", "all")] == [
        True,
        False,
        False,
        True,
        False,
    ]


def test_only_so_many_lines_are_read() -> None:
    assert not Ignored("# x\n" * 2000 + "last").has("last")
    assert not large("last", text="\n" * 2000 + "last filter=lfs")


def test_only_so_many_patterns_are_read() -> None:
    comments, ignores, attributes = "# x\n" * 900, "x\n" * 499, "x filter=lfs\ny -text\n" * 499
    assert Ignored(f"{comments}{ignores}last\nmore").has("last")
    assert not Ignored(f"{comments}{ignores}last\nmore").has("more")
    assert large("last", text=f"{comments}{attributes}last filter=lfs\nmore filter=lfs")
    assert not large("more", text=f"{comments}{attributes}last filter=lfs\nmore filter=lfs")
