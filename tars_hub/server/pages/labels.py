"""The names of a model's classes, from its config.json, which a stranger wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST = 2000  # that are shown; a page of 100,000 names is of no use
_LONGEST = 100


def class_names(config: Mapping[str, Any]) -> tuple[str, ...]:
    """In the order of the model's answers, the first 2,000; empty where config.json does not name them."""
    named = config.get("id2label")
    if isinstance(named, dict):
        found = (named.get(str(index)) for index in range(min(len(named), MOST)))
    elif isinstance(named := config.get("label_names"), list):
        found = (name for name in named[:MOST])
    else:
        return ()
    names = tuple(found)
    return tuple(_short(name) for name in names) if all(isinstance(name, str) for name in names) else ()


def _short(name: object) -> str:
    text = " ".join(str(name).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
