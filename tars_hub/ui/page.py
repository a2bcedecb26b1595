"""The page: its head and its tabs. The way to a model is `arrival`'s, each tab's inside its own file's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import gradio as gr

from tars_hub.exhibits import Models
from tars_hub.ui.arrival import Arrival, about, slider
from tars_hub.ui.desk import Desk
from tars_hub.ui.endpoint import endpoint
from tars_hub.ui.from_code import code_room
from tars_hub.ui.handed import Page
from tars_hub.ui.inputs import NumberShown
from tars_hub.ui.live import live_room
from tars_hub.ui.look import script
from tars_hub.ui.many import many_room
from tars_hub.ui.one_picture import one_picture
from tars_hub.ui.picker import picker

_KEEP_UPLOADS_S = 3600
_QUEUE_PLACES = 64


def build_page(models: Models, *, examples: Sequence[Path] = (), mcp: bool = False) -> gr.Blocks:
    """The page about one model, or about any of a hub's: first the one its address names, then those picked.

    Args:
        examples: pictures offered under the answer of the default model.
        mcp: the endpoint is a tool for language models, too, and the page says so.

    Raises:
        PictureError: an example cannot be read.
    """
    first = models.first
    title = f"{first.name} · Tars Hub" if first else "Tars Hub"
    page = Page(title=title, analytics_enabled=False, delete_cache=(_KEEP_UPLOADS_S, _KEEP_UPLOADS_S))
    with page:
        page.load(None, js=script("page"))
        arrival = _lay_out(Desk(models), examples, mcp=mcp)
        if arrival is not None:
            arrival.by_address(page)
            arrival.by_picker()
    page.queue(max_size=_QUEUE_PLACES, api_open=False)
    return page


def _lay_out(desk: Desk, examples: Sequence[Path], *, mcp: bool) -> Arrival | None:
    """All there is to see; below a blank head the style sheet hides it."""
    first = desk.models.first
    with gr.Row(elem_classes="tars-head"):
        head = gr.HTML(about(first), apply_default_css=False, elem_classes="tars-about")
        with gr.Column(elem_classes="tars-choices", min_width=0):
            picks = picker() if first is None else None
            shown = NumberShown(step=1, label="Classes shown", buttons=[], elem_classes="tars-shown", **slider(first))
    key = gr.Textbox("", visible=False)
    with gr.Tabs(elem_classes="tars-rooms"):
        with gr.Tab("One picture"):
            drawings = first.predictor.config.drawings if first else None
            one = one_picture(desk, key, shown, examples=examples, drawings=drawings)
        with gr.Tab("Live camera"):
            live_room()
        with gr.Tab("Many pictures"):
            many_room()
        with gr.Tab("Use from code"):
            code_room(beside_hub=first is None, mcp=mcp)
    endpoint(desk, one.picture)
    return None if picks is None else Arrival(desk, head, picks, shown, key, one)
