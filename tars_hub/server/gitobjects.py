"""Git's own objects: what a blob, a tree and a commit are called, and how they are written down.

Clients compare these ids with what git would compute, so they are git's to the byte: SHA-1 of the kind, the length
and the encoding (https://git-scm.com/book/en/v2/Git-Internals-Git-Objects). A large file stands in its tree as a
pointer (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md), whose blob is what the tree names.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

from tars_hub.server.records import Commit

_FILE_MODE = b"100644"
_TREE_MODE = b"40000"
_OID_BYTES = 20
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize (0|[1-9][0-9]{0,17})\n"
)


@dataclass(frozen=True)
class TreeEntry:
    """A line of a tree: a file's blob, or a folder's own tree."""

    name: str
    oid: str
    is_tree: bool


def blob_hasher(size: int) -> hashlib._Hash:
    """What gives the id of a blob of `size` bytes when it is fed them."""
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)


def blob_oid(data: bytes) -> str:
    hasher = blob_hasher(len(data))
    hasher.update(data)
    return hasher.hexdigest()


def pointer(sha256: str, size: int) -> bytes:
    """The text that git holds in the place of a large file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def read_pointer(data: bytes) -> tuple[str, int] | None:
    """The SHA-256 and the size that a pointer names; None for any other text.

    Only the text that `pointer` writes counts: another has another id, and stands for nothing but itself.
    """
    found = _POINTER.fullmatch(data)
    return (found[1].decode(), int(found[2])) if found else None


def encode_tree(entries: Iterable[TreeEntry]) -> bytes:
    # Git sorts a folder as if its name ended in a slash.
    ordered = sorted(entries, key=lambda entry: entry.name.encode() + (b"/" if entry.is_tree else b""))
    return b"".join(
        b"%s %s\0%s" % (_TREE_MODE if entry.is_tree else _FILE_MODE, entry.name.encode(), bytes.fromhex(entry.oid))
        for entry in ordered
    )


def decode_tree(data: bytes) -> Iterator[TreeEntry]:
    """The entries in the order they stand in."""
    at = 0
    while at < len(data):
        space, end = data.index(b" ", at), data.index(b"\0", at)
        oid = data[end + 1 : end + 1 + _OID_BYTES].hex()
        yield TreeEntry(data[space + 1 : end].decode(), oid, data[at:space] == _TREE_MODE)
        at = end + 1 + _OID_BYTES


def named_by(data: bytes) -> tuple[list[str], list[str]]:
    """Ids of the trees and of the files that a tree names, for whoever goes through very many."""
    below: tuple[list[str], list[str]] = [], []
    at = 0
    while at < len(data):
        end = data.index(b"\0", at)
        below[0 if data.startswith(_TREE_MODE, at) else 1].append(data[end + 1 : end + 1 + _OID_BYTES].hex())
        at = end + 1 + _OID_BYTES
    return below


def tree_oid(data: bytes) -> str:
    return _oid(b"tree", data)


def new_commit(*, tree: str, parents: tuple[str, ...], author: str, at: datetime, message: str) -> Commit:
    """A commit with its id. Git knows whole seconds, so the time is cut to them."""
    at = at.astimezone(timezone.utc).replace(microsecond=0)
    oid = _oid(b"commit", _encode_commit(tree, parents, author, at, message))
    return Commit(oid=oid, tree=tree, parents=parents, author=author, at=at, message=message)


def commit_oid(commit: Commit) -> str:
    """The id that this commit's content gives; a catalogue that is whole has it as its `oid`."""
    return _oid(b"commit", _encode_commit(commit.tree, commit.parents, commit.author, commit.at, commit.message))


def _encode_commit(tree: str, parents: tuple[str, ...], author: str, at: datetime, message: str) -> bytes:
    who = f"{author} <{author}@users.noreply> {int(at.timestamp())} +0000"
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents), f"author {who}", f"committer {who}"]
    return ("\n".join(lines) + f"\n\n{message}\n").encode()


def _oid(kind: bytes, data: bytes) -> str:
    return hashlib.sha1(b"%s %d\0" % (kind, len(data)) + data, usedforsecurity=False).hexdigest()
