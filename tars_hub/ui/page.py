"""The page: lays out the parts and carries each picture to the desk and its answer back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from tars_hub.errors import ModelNotFoundError, TarsError
from tars_hub.exhibits import Exhibit, Models
from tars_hub.predict import DEFAULT_TOP_K
from tars_hub.ui.answer import answer_card
from tars_hub.ui.desk import MAX_SHOWN, Desk, answer_of, login_address
from tars_hub.ui.header import blank_header, page_header
from tars_hub.ui.inputs import DrawingPad, PictureBox, Upload, example_strip

_KEEP_UPLOADS_S = 3600
_QUEUE_PLACES = 64
# Two at a time answer 12 to 13.6 pictures a second where one at a time answers 9.4, on two cores.
_MODEL: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 2}
# Who arrives may have to wait until a model is loaded; others, whose model is there, should not wait behind them.
_ARRIVAL: dict[str, Any] = {"concurrency_id": "arrival", "concurrency_limit": 8}
_BOX_PX = 400

_log = logging.getLogger(__name__)


def build_page(models: Models, *, examples: Sequence[Path] = ()) -> gr.Blocks:
    """The page about one model, or about any of a hub's, whichever its address names.

    Args:
        examples: pictures offered under the answer of the default model.

    Raises:
        PictureError: an example cannot be read.
    """
    desk = Desk(models)
    title = f"{models.first.name} · Tars Hub" if models.first else "Tars Hub"
    page = gr.Blocks(title=title, analytics_enabled=False, delete_cache=(_KEEP_UPLOADS_S, _KEEP_UPLOADS_S))
    with page:
        parts = _lay_out(desk, models.first, examples)
        page.load(None, js=_PAGE_JS)
        if models.first is None:
            _fill_in_on_arrival(page, desk, parts)
    page.queue(max_size=_QUEUE_PLACES, api_open=False)
    return page


@dataclass(frozen=True)
class _Parts:
    """What differs from model to model.

    Attributes:
        key: of the model that the other parts are about; the browser keeps it, so each tab has its own.
        drawing: the way to hand over a picture that is for drawings alone.
    """

    about: gr.HTML
    shown: gr.Slider
    key: gr.Textbox
    drawing: gr.Tab | None = None
    strip: gr.HTML | None = None


def _lay_out(desk: Desk, first: Exhibit | None, examples: Sequence[Path]) -> _Parts:
    """All there is to see; below a blank header the style sheet hides it."""
    with gr.Row(elem_classes="tars-head"):
        about = gr.HTML(_about(first), apply_default_css=False, elem_classes="tars-about")
        shown = gr.Slider(step=1, label="Classes shown", buttons=[], elem_classes="tars-shown", **_slider(first))
    key = gr.Textbox("", visible=False)
    room = _Room(desk, shown, key)
    if first is not None and not first.predictor.config.drawings:
        strip = _picture_room(room, examples)
        return _Parts(about, shown, key, strip=strip)
    with gr.Tabs(elem_classes="tars-ways"):
        with gr.Tab("Picture"):
            strip = _picture_room(room, examples)
        with gr.Tab("Draw", visible=first is not None) as drawing:
            _draw_room(room)
    return _Parts(about, shown, key, drawing, strip)


def _fill_in_on_arrival(page: gr.Blocks, desk: Desk, parts: _Parts) -> None:
    """Turn each visitor's page to the model that its address names."""
    sometimes = [part for part in (parts.drawing, parts.strip) if part is not None]

    def arrive(request: gr.Request) -> dict[Any, Any]:
        try:
            exhibit = desk.exhibit(request)
        except TarsError as error:
            log_in = login_address(request) if isinstance(error, ModelNotFoundError) else ""
            return {parts.about: blank_header("Nothing to try here", str(error), log_in=log_in)}
        except Exception:
            _log.exception("no page about %s", request.query_params)
            return {parts.about: blank_header("Nothing to try here", "The model failed; the server's log says why.")}
        seen = {parts.drawing: exhibit.predictor.config.drawings, parts.strip: exhibit.is_default}
        return {
            parts.about: _about(exhibit),
            parts.shown: gr.update(**_slider(exhibit)),
            parts.key: exhibit.key,
            **{part: gr.update(visible=seen[part]) for part in sometimes},
        }

    outputs = [parts.about, parts.shown, parts.key, *sometimes]
    arrived = page.load(arrive, None, outputs, show_progress="hidden", api_visibility="private", **_ARRIVAL)
    arrived.then(None, parts.key, None, js=_TITLE_JS, api_visibility="private")


def _about(exhibit: Exhibit | None) -> str:
    if exhibit is None:
        return blank_header("Opening the model…")
    return page_header(
        exhibit.name,
        exhibit.predictor.config.classes,
        exhibit.measured,
        threshold=exhibit.predictor.calibration.threshold,
        revision=exhibit.revision,
    )


def _slider(exhibit: Exhibit | None) -> dict[str, Any]:
    if exhibit is None:  # Gradio checks by these where it has forgotten a visitor's own
        return {"minimum": 1, "maximum": MAX_SHOWN, "value": DEFAULT_TOP_K, "visible": False}
    num_classes = exhibit.predictor.config.num_classes
    most = min(MAX_SHOWN, num_classes)
    return {"minimum": 1, "maximum": max(most, 2), "value": min(DEFAULT_TOP_K, most), "visible": num_classes > 1}


@dataclass(frozen=True)
class _Room:
    """What both ways to hand over a picture share.

    Attributes:
        shown: how many classes an answer names.
        key: of the model that is asked, as `Desk.card` takes it.
    """

    desk: Desk
    shown: gr.Slider
    key: gr.Textbox

    def answer(self, way: PictureBox | DrawingPad, card: gr.HTML) -> None:
        """`always_last`: one question an action, and the card ends with the newest."""
        gr.on(
            [way.change, self.shown.input],
            self.desk.card,
            [way, self.shown, self.key],
            card,
            trigger_mode="always_last",
            show_progress="hidden",
            api_visibility="private",
            **_MODEL,
        )


def _picture_room(room: _Room, examples: Sequence[Path]) -> gr.HTML | None:
    with gr.Row(elem_classes="tars-room"):
        with gr.Column():
            picture = PictureBox(
                sources=["upload", "webcam", "clipboard"],
                label="Picture",
                show_label=False,
                height=_BOX_PX,
                buttons=[],
                placeholder="Drop a picture here, click to choose one, or paste it",
                elem_classes="tars-picture",
            )
        with gr.Column():
            card = _card()
    room.answer(picture, card)
    _endpoint(room.desk, picture)
    if not examples:
        return None
    strip = example_strip(examples, visible=room.desk.models.first is not None)
    strip.click(_chooser(examples), None, picture, api_visibility="private", show_progress="hidden")
    return strip


def _draw_room(room: _Room) -> None:
    with gr.Row(elem_classes="tars-room"):
        with gr.Column(elem_classes="tars-sheet"):
            pad = DrawingPad()
        with gr.Column():
            card = _card()
    room.answer(pad, card)


def _card() -> gr.HTML:
    return gr.HTML(answer_card(None, run=0), apply_default_css=False, elem_classes="tars-card")


def _chooser(examples: Sequence[Path]) -> Callable[[gr.EventData], Path]:
    def choose(event: gr.EventData) -> Path:
        return dict(enumerate(examples))[event.index]

    return choose


def _endpoint(desk: Desk, picture: PictureBox) -> None:
    """`/classify` for programs: a picture to its best classes; a stable name and shape.

    It takes the picture alone, since Gradio refuses calls with fewer inputs than there are. Beside a hub the
    address of the call names the model: `…/call/classify?model=OWNER/NAME&revision=REVISION`.
    """

    def classify(upload: Upload | None, request: gr.Request) -> list[dict[str, Any]]:
        if upload is None:
            raise gr.Error("there is no picture to classify", print_exception=False)
        try:
            answer, _ = answer_of(desk.exhibit(request), upload, MAX_SHOWN)
        except TarsError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return [{"label": label, "score": score} for label, score in answer.top]

    gr.Button(visible=False).click(
        classify,
        picture,
        gr.JSON(visible=False),
        api_name="classify",
        api_description="The ten likeliest classes of a picture, best first.",
        **_MODEL,
    )


_TITLE_JS = """
(key) => {
  if (key) document.title = `${key.split("@")[0]} · Tars Hub`;
}
"""

# Gradio pastes only after a click on its button, and leaves a file that the browser cannot show as a broken picture.
_PAGE_JS = """
() => {
  const pasted = (event) => [...(event.clipboardData?.files ?? [])].find((file) => file.type.startsWith("image/"));
  document.addEventListener("paste", (event) => {
    const file = pasted(event);
    const box = document.querySelector(".tars-picture .upload-container");
    if (!file || !box?.offsetParent) return;
    const transfer = new DataTransfer();
    transfer.items.add(file);
    box.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
    event.preventDefault();
  });
  const mark = (unseen) => (event) => {
    if (event.target.matches?.(".tars-picture img")) {
      event.target.closest(".tars-picture").classList.toggle("tars-unseen", unseen);
    }
  };
  document.addEventListener("error", mark(true), true);
  document.addEventListener("load", mark(false), true);
}
"""
