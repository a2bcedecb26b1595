"""The head of the page: the model's name, what it knows and how good it is. Pure, as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tars_hub.card import Measured
from tars_hub.ui.answer import percent

_CLASSES_SHOWN = 12


def page_header(name: str, classes: Sequence[str], measured: Measured | None) -> str:
    """Title and a line or two; names of models, classes and data sets are anybody's text and stay text."""
    lines = "".join(f"<p>{escape(line)}</p>" for line in (_knows(classes), _quality(measured)))
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
