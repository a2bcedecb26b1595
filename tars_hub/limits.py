"""Limits that the environment may name; the hub and the page read theirs in the same way."""

from __future__ import annotations

import os
from dataclasses import fields
from typing import Any, TypeVar

from tars_hub.errors import UsageError

T = TypeVar("T")


def from_environment(kind: type[T], prefix: str) -> T:
    """Limits as the environment names them, the usual ones besides: field `models` by TARS_DEMO_MODELS=8.

    Args:
        kind: a dataclass whose fields are whole numbers and have defaults.
        prefix: of the variables' names, as "TARS_DEMO_".

    Raises:
        UsageError: a value is no whole number above 0.
    """
    named: dict[str, str] = {each.name: f"{prefix}{each.name.upper()}" for each in fields(kind)}  # type: ignore[arg-type]
    given: dict[str, Any] = {
        field: _number(variable, text) for field, variable in named.items() if (text := os.environ.get(variable))
    }
    return kind(**given)


def _number(variable: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise UsageError(f"{variable}={text} is no whole number above 0")
    return int(text)
