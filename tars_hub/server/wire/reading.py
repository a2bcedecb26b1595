"""What strangers write: JSON, read so that every text in it can be written again, and numbers."""

from __future__ import annotations

import json
from typing import Any


def read_json(data: bytes) -> Any:  # noqa: ANN401  # any JSON
    """Read JSON in UTF-8.

    Raises:
        ValueError: it is none, or a text in it holds half of a surrogate pair, which no encoding takes.
        RecursionError: it is nested too deep.
    """
    text = data.decode()
    found = json.loads(text)
    if "\\u" in text:
        json.dumps(found, ensure_ascii=False).encode()
    return found


def read_number(text: str, *, digits: int) -> int | None:
    """A whole number of up to so many digits, none of them of another script; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None
