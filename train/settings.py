"""Fields of a frozen dataclass as settings: a word of help, limits, and their way from `key=value` texts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import Field, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from tars_hub.config import shown
from tars_hub.errors import UsageError

_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_NOTHING = "none"


def setting(
    default: Any,  # noqa: ANN401  # the field's own type
    help: str,  # noqa: A002  # argparse's word for it
    *,
    least: float | None = None,
    most: float | None = None,
    shown: bool = True,
) -> Any:  # noqa: ANN401  # as dataclasses.field
    """A dataclass field with its help and limits; `shown=False` keeps it from `--set`."""
    return field(default=default, metadata={"help": help, "least": least, "most": most, "shown": shown})


@dataclass(frozen=True)
class Setting:
    """A setting as found in a dataclass."""

    name: str
    kind: Any
    default: Any
    help: str

    def read(self, text: str) -> Any:  # noqa: ANN401  # the field's own type
        """The value that a text means.

        Raises:
            UsageError: it means none.
        """
        kind, optional = _kind(self.kind)
        if optional and text.lower() == _NOTHING:
            return None
        try:
            return _read(kind, text)
        except (ValueError, KeyError) as error:
            raise UsageError(f"{self.name} is {shown(text)}; it must be {_wanted(kind)}") from error


def settings_of(kind: type) -> Iterator[Setting]:
    """The settings that a dataclass declares."""
    hints = get_type_hints(kind)
    for each in fields(kind):
        if each.metadata.get("shown"):
            yield Setting(each.name, hints[each.name], each.default, each.metadata["help"])


def find_setting(name: str, known: dict[str, Setting]) -> Setting:
    """The setting of that name.

    Raises:
        UsageError: there is none; the message names the nearest.
    """
    key = name.strip().replace("-", "_")
    if key not in known:
        near = get_close_matches(key, known, n=2, cutoff=0.5)
        meant = f"did you mean {' or '.join(near)}?" if near else "`--help` lists them"
        raise UsageError(f"--set {shown(name)}: there is no such setting; {meant}")
    return known[key]


def check(made: Any) -> None:  # noqa: ANN401  # any dataclass with settings
    """Raise a UsageError for the first value of a kind or size that cannot work."""
    hints = get_type_hints(type(made))
    for each in fields(made):
        if "help" in each.metadata:
            _check_one(each, hints[each.name], getattr(made, each.name))


def _check_one(each: Field[Any], hint: Any, value: Any) -> None:  # noqa: ANN401
    kind, optional = _kind(hint)
    if optional and value is None:
        return
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise UsageError(f"{each.name} is {shown(value)}; it must be {_wanted(kind)}")
        return
    if kind not in (int, float):
        return
    least, most = each.metadata["least"], each.metadata["most"]
    wrong_kind = type(value) is not int and (kind is int or type(value) is not float)
    if wrong_kind or not math.isfinite(value) or _outside(value, least, most):
        raise UsageError(f"{each.name} is {shown(value)}; it must be {_wanted(kind)}{_range(least, most)}")


def _outside(value: float, least: float | None, most: float | None) -> bool:
    return (least is not None and value < least) or (most is not None and value > most)


def _range(least: float | None, most: float | None) -> str:
    if least is None:
        return ""
    return f", at least {least:g}" if most is None else f", {least:g} to {most:g}"


def _kind(hint: Any) -> tuple[Any, bool]:  # noqa: ANN401  # typing's own objects
    """A type without its None, and whether it had one."""
    if get_origin(hint) in (Union, UnionType):
        inner = [each for each in get_args(hint) if each is not type(None)]
        return inner[0], len(inner) < len(get_args(hint))
    return hint, False


def _read(kind: Any, text: str) -> Any:  # noqa: ANN401
    if kind is bool:
        return _WORDS[text.lower()]
    if kind is Path:
        return Path(text)
    if get_origin(kind) is Literal:
        return text  # checked with the whole
    return kind(text)


def _wanted(kind: Any) -> str:  # noqa: ANN401
    if get_origin(kind) is Literal:
        return f"one of {', '.join(get_args(kind))}"
    return {bool: "yes or no", int: "a whole number", float: "a number"}.get(kind, "text")
