"""How good a model is, as its own files say: metrics.json of the trainer, or the results in its card.

Strangers wrote both: what is no number is passed over, and what comes out has bounds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_MOST = 30
_LONGEST = 80
_TOP1 = frozenset(("accuracy", "acc", "top1", "top_1", "top-1", "acc@1", "top_1_accuracy", "top-1 accuracy"))
# Keys of metrics.json, what to call them, and whether they are shares.
_NAMES = {
    "top1": ("Top-1 accuracy", True),
    "top5": ("Top-5 accuracy", True),
    "f1": ("F1, mean over classes", True),
    "precision": ("Precision, mean", True),
    "recall": ("Recall, mean", True),
    "loss": ("Loss", False),
    "calibration_error": ("Calibration error", True),
    "answered": ("Pictures answered", True),
    "error_when_answered": ("Wrong among answered", True),
}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure to be shown.

    Attributes:
        range: the interval that holds the true value with 95 % confidence; empty where nobody says.
        source: what it was measured with.
    """

    name: str
    value: str
    range: str = ""
    source: str = ""


def figures_of(metrics: Mapping[str, Any]) -> tuple[Figure, ...]:
    """What a metrics.json of the trainer says."""
    few = len(metrics["per_class"]) <= 5 if isinstance(metrics.get("per_class"), Mapping) else False
    found = []
    for key, (name, share) in _NAMES.items():
        value = number(metrics.get(key))
        if value is not None and not (key == "top5" and few):
            found.append(Figure(name=name, value=_text(value, share), range=_interval(metrics.get(f"{key}_interval"))))
    pictures = number(metrics.get("pictures"))
    if found and pictures is not None and 0 <= pictures < 1e15:
        found.append(Figure(name="Pictures", value=f"{pictures:,.0f}"))
    return tuple(found)


def results_of(model_index: Sequence[Any]) -> tuple[Figure, ...]:
    """What the results in a card say."""
    found = []
    for metric, source in _metrics(model_index):
        value = number(metric.get("value"))
        if value is not None:
            name = _word(metric.get("name")) or _word(metric.get("type"))
            said = f"{value:.1%}" if 0 <= value <= 1 and type(metric["value"]) is float else f"{value:.6g}"
            found.append(Figure(name=name, value=said, source=source))
        if len(found) == _MOST:
            break
    return tuple(found)


def top1_of(model_index: Sequence[Any]) -> float | None:
    """The first share of right answers in a card's results, 0..1; percentages count too."""
    for metric, _ in _metrics(model_index):
        value = number(metric.get("value"))
        if _word(metric.get("type")).lower() in _TOP1 and value is not None and 0 <= value <= 100:
            return value if value <= 1 else value / 100
    return None


def number(value: object) -> float | None:
    """A number that is one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _metrics(model_index: Sequence[Any]) -> Iterator[tuple[Mapping[str, Any], str]]:
    for model in model_index:
        for result in _objects(model, "results"):
            dataset = result.get("dataset")
            data = dataset if isinstance(dataset, Mapping) else {}
            source = " ".join(filter(None, (_word(data.get("name")), _word(data.get("split")))))
            for metric in _objects(result, "metrics"):
                yield metric, source


def _objects(found: object, key: str) -> Iterator[Mapping[str, Any]]:
    values = found.get(key) if isinstance(found, Mapping) else None
    return (each for each in values if isinstance(each, Mapping)) if isinstance(values, list) else iter(())


def _word(value: object) -> str:
    return " ".join(value.split())[:_LONGEST] if isinstance(value, str) else ""


def _text(value: float, share: bool) -> str:
    return f"{value:.1%}" if share and 0 <= value <= 1 else f"{value:.4g}"


def _interval(value: object) -> str:
    if not isinstance(value, list) or len(value) != 2:
        return ""
    low, high = number(value[0]), number(value[1])
    return "" if low is None or high is None else f"{_text(low, True)} to {_text(high, True)}"
