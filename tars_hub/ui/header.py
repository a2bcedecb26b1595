"""The head of the page: the model's name, what it knows and how good it is. Pure, as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tars_hub.card import Measured
from tars_hub.ui.answer import percent

_CLASSES_SHOWN = 12


def page_header(name: str, classes: Sequence[str], measured: Measured | None, *, threshold: float | None = None) -> str:
    """Title and a line or two; names of models, classes and data sets are anybody's text and stay text.

    Args:
        threshold: the probability, 0..1, below which the model declines to answer; None never declines.
    """
    said = (_knows(classes), f"{_quality(measured)} {_declines(threshold, len(classes))}".rstrip())
    lines = "".join(f"<p>{escape(line)}</p>" for line in said)
    return f'<header class="tars-header"><h1>{escape(name)}</h1>{lines}</header>'


def _knows(classes: Sequence[str]) -> str:
    if len(classes) == 1:
        return f"Knows one class: {classes[0]}."
    # One name more fits where "and 1 more" would stand.
    shown = classes if len(classes) <= _CLASSES_SHOWN + 1 else classes[:_CLASSES_SHOWN]
    last = classes[-1] if shown is classes else f"{len(classes) - len(shown):,} more"
    first = shown[:-1] if shown is classes else shown
    return f"Knows {len(classes):,} classes: {', '.join(first)} and {last}."


def _quality(measured: Measured | None) -> str:
    if measured is None:
        return "Nobody has measured yet how good it is."
    split = {"val": "validation "}.get(measured.split, f"{measured.split} ".lstrip())
    number = f"{measured.pictures:,}" if measured.pictures else "the"
    return f"Right on {percent(measured.accuracy)} of {number} {split}pictures of {measured.dataset}."


def _declines(threshold: float | None, num_classes: int) -> str:
    """Nothing where no picture could fall below it: the likeliest of n classes has 1/n at least."""
    if threshold is None or threshold * num_classes <= 1:
        return ""
    share = percent(threshold) if not 0.999 < threshold < 1 else f"{threshold:.4%}".replace("%", " %")
    return f"Declines to answer below {share}."
