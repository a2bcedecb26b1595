"""JSON from strangers."""

from __future__ import annotations

from typing import Any

import pytest

from tars_hub.server.wire.reading import read_json


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b'{"a": [1, null]}', {"a": [1, None]}),
        ('"é日本\U0001f600"'.encode(), "é日本\U0001f600"),
        (b'"\\u00e9 \\ud83d\\ude00"', "é\U0001f600".replace("é", "é ")),
        (b'"\\\\ud800"', "\\ud800"),
    ],
)
def test_what_is_sound(data: bytes, found: Any) -> None:
    assert read_json(data) == found


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b'"\xed\xa0\x80"',  # half of a pair, in the encoding that UTF-8 does not allow
        b'"\\ud800"',
        b'{"a": ["\\udfff"]}',
        b'{"\\ud800": 1}',
        b'"\\ud800\\ud800"',
        '{"a": 1}'.encode("utf-16"),
        b"\xef\xbb\xbf{}",
        b"9" * 5000,
    ],
)
def test_what_is_not(data: bytes) -> None:
    with pytest.raises((UnicodeError, ValueError)):
        read_json(data)


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"a":' * 100_000])
def test_what_is_too_deep(data: bytes) -> None:
    with pytest.raises((RecursionError, ValueError)):
        read_json(data)
