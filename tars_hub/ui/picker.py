"""The model picker: what a visitor may open beside a hub, and how they turn the page to it. Layout and lists alone."""

from __future__ import annotations

import json
from dataclasses import asdict
from threading import BoundedSemaphore
from typing import Any

import gradio as gr
from starlette.requests import Request

from tars_hub.bodies import too_much
from tars_hub.ui.desk import Desk, credentials_of, next_run
from tars_hub.ui.look import script

_ASKING = BoundedSemaphore(8)  # lists that are asked of the hub at the same time
_LONGEST = 200  # letters; no model's id has as many


def picker() -> gr.HTML:
    """A button that says which model the page shows, and a panel to search for another and choose its revision.

    Choosing sends the event `select` with `model` and `revision` (`gr.EventData` has both, texts that anybody may
    have written). Its handler answers with this component's value: `chosen` or `refused`; until then the panel says
    "Loading …". The value may be set at any time, as on arrival.
    """
    return gr.HTML(
        "",
        html_template=_HTML,
        js_on_load=script("numbers") + script("picker_list") + script("picker"),
        apply_default_css=False,
        elem_classes="tars-picks",
    )


def chosen(model: str, revision: str) -> str:
    """The picker's value once the page shows this model: the button names it, and the panel closes."""
    return _value(model=model, revision=revision)


def refused(sentence: str) -> str:
    """The picker's value where a model cannot be shown: the panel says why, and the page stays as it is."""
    return _value(error=sentence)


def offered(desk: Desk, request: Request) -> list[Any]:
    """The answer to `GET models`: what the visitor may open, or the revisions of `?model=`; `?search=` narrows.

    Raises:
        RefusedError: too many ask at once.
        TarsError: as `exhibits.Models`.
    """
    model, search = (request.query_params.get(name, "")[:_LONGEST] for name in ("model", "search"))
    if not _ASKING.acquire(blocking=False):
        raise too_much("Many people are looking for models just now; try again soon.")
    try:
        if model:
            return list(desk.models.revisions(model, credentials_of(request)))
        return [asdict(offer) for offer in desk.models.offers(search.strip(), credentials_of(request))]
    finally:
        _ASKING.release()


def _value(**said: str) -> str:
    """Never the same twice: the browser hears of changes alone."""
    return json.dumps({**said, "run": next_run()})


_HTML = """\
<div class="tars-picker">
  <button type="button" class="tars-picker-open" aria-haspopup="dialog" aria-expanded="false"
    aria-controls="tars-picker-panel">
    <span class="tars-picker-what">Model</span>
    <span class="tars-picker-name"></span>
    <svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true"><path d="M2 4l4 4 4-4" fill="none"
      stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round"></path></svg>
  </button>
  <div class="tars-picker-panel" id="tars-picker-panel" role="dialog" aria-label="Choose a model" hidden>
    <div class="tars-picker-models">
      <input type="text" role="combobox" aria-label="Search models" placeholder="Search models" maxlength="200"
        aria-expanded="false" aria-controls="tars-picker-models" aria-autocomplete="list" autocomplete="off"
        autocapitalize="none" spellcheck="false" enterkeyhint="search">
      <ul id="tars-picker-models" role="listbox" aria-label="Models" hidden></ul>
    </div>
    <div class="tars-picker-revisions" hidden>
      <div class="tars-picker-back">
        <button type="button" class="tars-pill" aria-label="Back to all models">Back</button>
        <span></span>
      </div>
      <ul role="listbox" aria-label="Revisions" tabindex="0"></ul>
    </div>
    <p class="tars-picker-note" role="status"></p>
    <p class="tars-picker-alert" role="alert"></p>
  </div>
</div>"""
