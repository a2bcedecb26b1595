"""The head of the page: the model's name, what it knows and how good it is. Pure, as HTML."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from urllib.parse import quote

from tars_hub.card import Measured
from tars_hub.ui.answer import percent

_CLASSES_SHOWN = 12
_LONGEST_NAME = 60  # letters of a class
_WAY_BACK = '<nav><a href="/">All models</a></nav>'


def page_header(
    name: str,
    classes: Sequence[str],
    measured: Measured | None,
    *,
    threshold: float | None = None,
    revision: str = "",
    key: str = "",
    is_default: bool = False,
) -> str:
    """Title and a line or two; names of models, classes and data sets are anybody's text and stay text.

    Scripts read from `data-key`, `data-model`, `data-revision` and `data-default` which model the page is about.

    Args:
        threshold: the probability, 0..1, below which the model declines to answer; None never declines.
        revision: of a model of the hub that the page lies beside, which the head leads to; empty without a hub.
        key, is_default: as `Exhibit` has them.
    """
    said = (_knows(classes), f"{_quality(measured)} {_declines(threshold, len(classes))}".rstrip())
    lines = "".join(f"<p>{escape(line)}</p>" for line in said)
    data = {"data-key": key, "data-model": name, "data-revision": revision, "data-default": "yes" if is_default else ""}
    if not revision:
        return _header(f"<h1>{escape(name)}</h1>{lines}", data)
    address = escape(f"/{quote(name)}/tree/{quote(revision, safe='')}")
    title = f'<h1><a href="{address}">{escape(name)}</a> <small>{escape(_short(revision))}</small></h1>'
    return _header(f"{_WAY_BACK}{title}{lines}", data)


def blank_header(title: str, sentence: str = "", *, log_in: str = "") -> str:
    """The head beside a hub where there is no model to speak of, or none yet; the page below it does not show.

    Args:
        log_in: address of the hub's form, where logging in could help.
    """
    line = f'<p role="alert">{escape(sentence)}</p>' if sentence else ""
    link = f'<p><a href="{escape(log_in)}">Log in</a></p>' if log_in else ""
    return _header(f"{_WAY_BACK}<h1>{escape(title)}</h1>{line}{link}", {}, kind="tars-header tars-blank")


def _header(inner: str, data: Mapping[str, str], *, kind: str = "tars-header") -> str:
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in data.items())
    return f'<header class="{kind}"{attributes}>{inner}</header>'


def _short(revision: str) -> str:
    return revision[:12] if re.fullmatch("[0-9a-f]{40}", revision) else revision


def _knows(classes: Sequence[str]) -> str:
    if len(classes) == 1:
        return f"Knows one class: {_shortened(classes[0])}."
    # One name more fits where "and 1 more" would stand.
    all_fit = len(classes) <= _CLASSES_SHOWN + 1
    shown = [_shortened(name) for name in (classes if all_fit else classes[:_CLASSES_SHOWN])]
    last = shown.pop() if all_fit else f"{len(classes) - len(shown):,} more"
    return f"Knows {len(classes):,} classes: {', '.join(shown)} and {last}."


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


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
