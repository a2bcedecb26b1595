"""Files by what they hold. Hubs know large files by their SHA-256 and small ones by git's id of the blob."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_HEX = {40: re.compile(r"[0-9a-f]{40}"), 64: re.compile(r"[0-9a-f]{64}")}
ATTRIBUTES = ".gitattributes"  # every hub writes its own into a new repository, and adds to it


@dataclass(frozen=True, kw_only=True)
class File:
    """
    Attributes:
        path: in the repository, as the hub says it; not to be trusted.
        key: the SHA-256 (64 digits) of a large file, git's blob id (40) of a small one; checked to be one of them.
    """

    path: str
    size: int
    key: str

    def __post_init__(self) -> None:
        if len(self.key) not in _HEX or not _HEX[len(self.key)].fullmatch(self.key) or self.size < 0:
            raise ValueError(f"{self.path!r}: {self.size} bytes of {self.key!r} is no file")


class Digests:
    """Both names of a content of known size, while it comes in."""

    def __init__(self, size: int) -> None:
        self._sha256 = hashlib.sha256()
        self._blob = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)  # git's own

    def update(self, piece: bytes) -> None:
        self._sha256.update(piece)
        self._blob.update(piece)

    @property
    def names(self) -> Names:
        return Names(self._sha256.hexdigest(), self._blob.hexdigest())


@dataclass(frozen=True)
class Names:
    """Both names of one content."""

    sha256: str
    blob: str

    def fits(self, key: str) -> bool:
        return key in (self.sha256, self.blob)


Known = Mapping[str, str]  # SHA-256 → git's blob id, of contents that were seen whole


def same(one: File, other: File | None, known: Known) -> bool:
    """Whether both hold the same. One hub may count a file as large and another as small; then `known` decides."""
    if other is None or one.size != other.size:
        return False
    if one.key == other.key:
        return True
    return known.get(one.key) == other.key or known.get(other.key) == one.key


@dataclass(frozen=True, kw_only=True)
class Difference:
    """
    Attributes:
        changed: files of the source that the target lacks, or has otherwise.
        gone: paths at the target that the source has no more.
    """

    changed: tuple[File, ...]
    gone: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.changed or self.gone)

    @property
    def contents(self) -> tuple[File, ...]:
        """Each content that changed, once."""
        return tuple({file.key: file for file in self.changed}.values())


def difference(source: Iterable[File], target: Iterable[File], known: Known) -> Difference:
    """What a commit must do at the target. Its `.gitattributes` stays where the source has none."""
    there = {file.path: file for file in target}
    wanted = {file.path: file for file in source}
    changed = tuple(file for path, file in wanted.items() if not same(file, there.get(path), known))
    return Difference(changed=changed, gone=tuple(sorted(there.keys() - wanted.keys() - {ATTRIBUTES})))


def total(files: Iterable[File]) -> int:
    """Bytes in all."""
    return sum(file.size for file in files)
