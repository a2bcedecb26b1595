"""JSON files compared value by value: config.json and metrics.json before and after.

Strangers write them, so everything is bounded: how deep, how many values, how long a name or a text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

from tars_hub.server.rules.file_changes import Kind, kind_of

MAX_BYTES = 2 << 20
_MAX_VALUES = 20_000
_MAX_ROWS = 500
_MAX_DEPTH = 12
_SHORT_LIST = 8  # entries of a list that are compared one by one, such as a mean per channel
_NAME_LETTERS, _TEXT_LETTERS = 160, 120

Scalar: TypeAlias = str | int | float | bool | None
Flat: TypeAlias = Mapping[str, Scalar]

# Words of a metric's name that say in which direction it is good.
_GOOD_HIGH = frozenset("acc accuracy ap auc auroc dice f1 iou jaccard kappa map mcc precision recall top1 top5".split())
_GOOD_LOW = frozenset("brier cer ece error hinge loss mae mse nll perplexity rmse wer".split())
_NEITHER = frozenset("target interval weight".split())


@dataclass(frozen=True, kw_only=True)
class ValueRow:
    """A value before and after, as text; None where it is not there.

    Attributes:
        name: its keys, joined by dots.
        kind: None where both are the same.
        difference: of two numbers, new minus old.
        better: whether a metric of this name got better; None where that cannot be said.
    """

    name: str
    old: str | None
    new: str | None
    kind: Kind | None
    difference: float | None = None
    better: bool | None = None

    @property
    def difference_text(self) -> str:
        """With its sign; empty without one."""
        if self.difference is None:
            return ""
        size = number_text(abs(self.difference), exact=isinstance(self.difference, int))
        return f"{'+' if self.difference > 0 else '−'}{size}"

    @property
    def is_nested(self) -> bool:
        return "." in self.name


@dataclass(frozen=True, kw_only=True)
class ValueTable:
    """Values of one file that differ, or all of them.

    Attributes:
        same: how many are the same on both sides.
        more: how many rows there are besides.
    """

    path: str
    rows: tuple[ValueRow, ...]
    same: int
    more: int = 0


def flat(data: bytes) -> Flat | None:
    """The values of a JSON object by their keys joined with dots; None for what is no such object.

    Lists of a few plain values count as objects with the keys 0, 1, 2…; others count as one text.
    """
    try:
        found = json.loads(data.decode("utf-8-sig"), parse_int=_integer, parse_constant=str)
        return dict(islice(_leaves("", found, 0), _MAX_VALUES)) if isinstance(found, dict) else None
    except (ValueError, RecursionError):  # to write a deep value again may take more room than to read it
        return None


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= 18 else digits


def _leaves(prefix: str, value: Any, depth: int) -> Iterator[tuple[str, Scalar]]:  # noqa: ANN401  # JSON
    inner = _inner(value)
    if inner is None or depth >= _MAX_DEPTH:
        whole = isinstance(value, str | int | float) or value is None
        yield prefix, value if whole else json.dumps(value, ensure_ascii=False)
        return
    for key, below in inner:
        name = f"{prefix}.{key}" if prefix else key
        yield from _leaves(name[:_NAME_LETTERS], below, depth + 1)


def _inner(value: object) -> Iterable[tuple[str, Any]] | None:
    if isinstance(value, dict) and value:
        return value.items()
    if not isinstance(value, list) or not 0 < len(value) <= _SHORT_LIST:
        return None
    if any(isinstance(each, dict | list) for each in value):
        return None
    return ((str(at), each) for at, each in enumerate(value))


def value_table(path: str, old: Flat | None, new: Flat | None, *, keep_same: bool = False) -> ValueTable:
    """All values that differ, in the order of the new file; those that are gone come last."""
    before, after = old or {}, new or {}
    rows = [_value_row(name, before, after) for name in dict.fromkeys((*after, *before))]
    return _table(path, rows, keep_same=keep_same)


def metric_table(path: str, old: Flat | None, new: Flat | None, *, keep_same: bool = False) -> ValueTable:
    """All numbers that differ, and whether that is better."""
    before, after = _numbers(old or {}), _numbers(new or {})
    rows = [_metric_row(name, before.get(name), after.get(name)) for name in dict.fromkeys((*after, *before))]
    return _table(path, rows, keep_same=keep_same)


def _table(path: str, rows: list[ValueRow], *, keep_same: bool) -> ValueTable:
    differing = [row for row in rows if row.kind]
    shown = rows if keep_same else differing
    ordered = sorted(shown, key=lambda row: row.name.count("."))  # the many of each class come last
    kept = tuple(ordered[:_MAX_ROWS])
    return ValueTable(path=path, rows=kept, same=len(rows) - len(differing), more=len(shown) - len(kept))


def _value_row(name: str, before: Flat, after: Flat) -> ValueRow:
    old, new = before.get(name), after.get(name)
    kind = _kind(name in before or None, name in after or None, same=type(old) is type(new) and old == new)
    texts = [_text(old), _text(new)]
    if kind and texts[0] == texts[1]:
        texts = [_text(json.dumps(value, ensure_ascii=False)) for value in (old, new)]  # "1" is not 1
    return ValueRow(
        name=name, kind=kind, old=texts[0] if name in before else None, new=texts[1] if name in after else None
    )


def _kind(old: object | None, new: object | None, *, same: bool) -> Kind | None:
    kind = kind_of(old, new)
    return None if kind == "changed" and same else kind


def _text(value: Scalar) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _TEXT_LETTERS else f"{text[: _TEXT_LETTERS - 1]}…"


def _numbers(values: Flat) -> dict[str, float]:
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }


def _metric_row(name: str, old: float | None, new: float | None) -> ValueRow:
    kind = _kind(old, new, same=old == new)
    # A share of exactly 1 beside one of 0.97 is no count.
    exact = all(isinstance(value, int) or value is None for value in (old, new))
    texts = number_text(old, exact=exact), number_text(new, exact=exact)
    if old is None or new is None or kind is None:
        return ValueRow(name=name, kind=kind, old=texts[0], new=texts[1])
    difference = new - old
    if texts[0] == texts[1]:  # too close for the usual digits
        texts = (repr(old), repr(new))
    direction = _direction(name)
    better = None if direction == 0 else direction * difference > 0
    return ValueRow(name=name, kind=kind, old=texts[0], new=texts[1], difference=difference, better=better)


def number_text(value: float | None, *, exact: bool = False) -> str | None:
    """A number as people read it, to four digits behind the point; whole ones have none where they are `exact`."""
    if value is None:
        return None
    if abs(value) < 1e15 and (exact or value == 0 or (value == int(value) and abs(value) > 1)):
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 1e-3 or abs(value) >= 1e9 else f"{value:,.4f}"


def _direction(name: str) -> int:
    """1 where more is better, -1 where less is, 0 where nobody can tell."""
    words = set(name.rpartition(".")[2].lower().replace("-", "_").split("_"))
    if words & _NEITHER:
        return 0
    if words & _GOOD_LOW:
        return -1
    return 1 if words & _GOOD_HIGH else 0
