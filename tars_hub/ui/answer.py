"""The answer card: from an outcome to HTML. Pure; knows no Gradio, no model, no files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from tars_hub.errors import PictureError, TarsError

if TYPE_CHECKING:
    from tars_hub.predict import Prediction

_LONG = 40  # letters of a class; more are set smaller
SURE = 0.5  # for models without a threshold: below it the other classes together are likelier than the one named


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What stands in small type under an answer.

    Attributes:
        model, device: their names.
        prepare_ms: reading the file and cutting the picture to size, in milliseconds.
        model_ms: the network and its probabilities, in milliseconds.
    """

    model: str
    device: str
    prepare_ms: float
    model_ms: float


def answer_card(
    outcome: Prediction | TarsError | None,
    *,
    run: int,
    facts: Facts | None = None,
    threshold: float | None = None,
    explains: bool = False,
) -> str:
    """The card for an answer, for what went wrong, or for nothing asked yet.

    An answer is unsure where the model declined it; a model without a threshold never does, and SURE
    decides. `threshold` is the model's, 0..1. Where the card `explains`, each class can be pressed.

    Everything comes out escaped. `data-state` is empty, ok, unsure or error; `data-run` is `run`,
    so that whoever waits can tell a new answer from an equal old one. Every state has the same
    skeleton: the page patches it in place, and a screen reader speaks what changed in `tars-said`.
    """
    if outcome is None:
        return _card("empty", run, said=_note("The answer appears here, as soon as there is a picture."))
    if isinstance(outcome, TarsError):
        return _card("error", run, said=_note(_sentence(outcome)))
    state = "unsure" if is_unsure(outcome, threshold) else "ok"
    bars = _bars(outcome.top, explains=explains)
    return _card(state, run, said=_headline(outcome, state, explains=explains), bars=bars, facts=facts)


def is_unsure(answer: Prediction, threshold: float | None) -> bool:
    """As `answer_card` has it."""
    if threshold is None:
        return not answer.probability >= SURE  # so that NaN is unsure
    return answer.declined


def percent(share: float) -> str:
    """0..1 as text with one decimal; what would round to nothing or to certainty says so instead."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{100 * share:.1f} %"


def _card(state: str, run: int, *, said: str, bars: str = "", facts: Facts | None = None) -> str:
    return (
        f'<section class="tars-answer" aria-label="Answer" data-state="{state}" data-run="{run}">'
        f'<div class="tars-said" aria-live="polite" aria-atomic="true">{said}</div>'
        f'<ol class="tars-bars">{bars}</ol>'
        f'<p class="tars-facts">{_facts(facts)}</p>'
        "</section>"
    )


def _note(text: str) -> str:
    return f'<p class="tars-note">{escape(text)}</p>'


def _sentence(error: TarsError) -> str:
    if isinstance(error, PictureError):
        return f"“{error.name}” cannot be read: {error.reason.rstrip('.')}."
    return str(error)


def _headline(answer: Prediction, state: str, *, explains: bool) -> str:
    doubt = _note("Not sure: nearest is") if state == "unsure" else ""
    long = " tars-long" if len(answer.label) > _LONG else ""
    return (
        f'{doubt}<p class="tars-top" {_data(answer.label, answer.probability)}>'
        f'<strong class="tars-label{long}">{_name(answer.label, explains=explains)}</strong> '
        f'<span class="tars-share">{escape(percent(answer.probability))}</span></p>'
    )


def _bars(top: Sequence[tuple[str, float]], *, explains: bool) -> str:
    """The first bar belongs to the headline, which already names its class."""
    if not top:
        return ""
    first = f'<li class="tars-first" aria-hidden="true">{_bar(top[0][1])}</li>'
    return first + "".join(_row(*each, explains=explains) for each in top[1:])


def _row(label: str, probability: float, *, explains: bool) -> str:
    return (
        f'<li class="tars-row" {_data(label, probability)}>'
        f'<span class="tars-label">{_name(label, explains=explains)}</span> '
        f"{_bar(probability)} "
        f'<span class="tars-share">{escape(percent(probability))}</span></li>'
    )


def _name(label: str, *, explains: bool) -> str:
    """A class, which can be pressed to see what speaks for it."""
    text = escape(label)
    return f'<button type="button" class="tars-why" title="Where it looked">{text}</button>' if explains else text


def _bar(probability: float) -> str:
    return f'<span class="tars-bar" aria-hidden="true"><i style="width:{100 * probability:.2f}%"></i></span>'


def _data(label: str, probability: float) -> str:
    return f'data-label="{escape(label)}" data-probability="{probability!r}"'


def _facts(facts: Facts | None) -> str:
    if facts is None:
        return ""
    times = f"prepare {_milliseconds(facts.prepare_ms)} · model {_milliseconds(facts.model_ms)}"
    return escape(f"{facts.model} · {times} · {facts.device}")


def _milliseconds(value: float) -> str:
    return f"{value:.1f} ms" if value < 10 else f"{value:,.0f} ms"
