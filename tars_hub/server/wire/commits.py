"""The body of a commit as clients send it: lines of JSON, files among them, read one at a time."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from tars_hub.server.errors import HubError, TooLargeError
from tars_hub.server.wire.reading import read_json

_SHA256 = re.compile(r"[0-9a-f]{64}")
_LINE_ROOM = 1 << 20  # beside a file's content: its path, or a commit's message


@dataclass(frozen=True)
class Header:
    """The first line: what the commit is about, and the commit it must follow, if any."""

    summary: str
    description: str
    parent: str


@dataclass(frozen=True)
class Regular:
    """A file with its content."""

    path: str
    content: bytes


@dataclass(frozen=True)
class Large:
    """A file whose content was uploaded apart; `size` is missing where it is a copy."""

    path: str
    sha256: str
    size: int | None


@dataclass(frozen=True)
class Gone:
    """A file or folder to take out."""

    path: str


Line = Header | Regular | Large | Gone


def read_lines(body: IO[bytes], *, regular_bytes: int) -> Iterator[Line]:
    """The lines of a commit in their order.

    Raises:
        HubError: one of them cannot be read.
        TooLargeError: a file is too large to travel within a commit.
    """
    longest = regular_bytes * 4 // 3 + _LINE_ROOM
    for number, line in enumerate(iter(lambda: body.readline(longest + 1), b""), 1):
        if len(line) > longest:
            raise TooLargeError(f"line {number}: files of more than {regular_bytes:,} bytes are uploaded apart")
        if line.strip():
            yield _read_line(line, number, regular_bytes)


def _read_line(line: bytes, number: int, regular_bytes: int) -> Line:
    try:
        found = read_json(line)
        read, value = _READERS[found["key"]], found["value"]
    except (ValueError, RecursionError, TypeError, KeyError):
        raise HubError(f"line {number} of the commit is none that this hub knows") from None
    if not isinstance(value, dict):
        raise HubError(f"line {number} of the commit has no object as its value")
    result = read(value, number)
    if isinstance(result, Regular) and len(result.content) > regular_bytes:
        raise TooLargeError(f"{result.path[:200]}: files of more than {regular_bytes:,} bytes are uploaded apart")
    return result


def _text(value: dict[str, Any], key: str, number: int, default: str | None = None) -> str:
    found = value.get(key)
    found = default if found is None else found
    if not isinstance(found, str):
        raise HubError(f"line {number} of the commit has no text as its {key!r}")
    return found


def _header(value: dict[str, Any], number: int) -> Header:
    summary, description = _text(value, "summary", number), _text(value, "description", number, "")
    return Header(summary, description, _text(value, "parentCommit", number, ""))


def _regular(value: dict[str, Any], number: int) -> Regular:
    path, content = _text(value, "path", number), _text(value, "content", number)
    encoding = _text(value, "encoding", number, "utf-8")
    if encoding == "utf-8":
        return Regular(path, content.encode(errors="surrogatepass"))
    if encoding != "base64":
        raise HubError(f"line {number}: encoding {encoding[:40]!r} is unknown; base64 is known")
    try:
        return Regular(path, base64.b64decode(content, validate=True))
    except (binascii.Error, ValueError):
        raise HubError(f"line {number}: the content of {path[:200]!r} is no base64") from None


def _large(value: dict[str, Any], number: int) -> Large:
    path, sha256, size = _text(value, "path", number), _text(value, "oid", number), value.get("size")
    if _text(value, "algo", number, "sha256") != "sha256" or not _SHA256.fullmatch(sha256):
        raise HubError(f"line {number}: {path[:200]!r} must be named by a SHA-256 of 64 hex digits")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
        raise HubError(f"line {number}: the size of {path[:200]!r} is no whole number")
    return Large(path, sha256, size)


def _gone(value: dict[str, Any], number: int) -> Gone:
    return Gone(_text(value, "path", number).rstrip("/"))


_READERS: dict[str, Callable[[dict[str, Any], int], Line]] = {
    "header": _header,
    "file": _regular,
    "lfsFile": _large,
    "deletedFile": _gone,
    "deletedFolder": _gone,
}
