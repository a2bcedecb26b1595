"""The page: lays out the parts and carries each picture to the Predictor and its answer back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

import gradio as gr

from tars_hub.card import Measured
from tars_hub.errors import PictureError, TarsError
from tars_hub.predict import DEFAULT_TOP_K, Prediction, Predictor
from tars_hub.ui.answer import Facts, answer_card
from tars_hub.ui.header import page_header
from tars_hub.ui.inputs import DrawingPad, ExampleStrip, PictureBox, Upload

MAX_SHOWN = 10

_KEEP_UPLOADS_S = 3600
_QUEUE_PLACES = 64
# Two at a time answer 12 to 13.6 pictures a second where one at a time answers 9.4, on two cores.
_MODEL: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 2}
_BOX_PX = 400

_log = logging.getLogger(__name__)


def build_page(
    predictor: Predictor, *, name: str, measured: Measured | None = None, examples: Sequence[Path] = ()
) -> gr.Blocks:
    """The page about one model.

    Args:
        name: the model's, as visitors know it.
        measured: how good it was found to be; None says that nobody knows.
        examples: pictures offered under the answer.

    Raises:
        PictureError: an example cannot be read.
    """
    desk = _Desk(predictor, name)
    page = gr.Blocks(
        title=f"{name} · Tars Hub", analytics_enabled=False, delete_cache=(_KEEP_UPLOADS_S, _KEEP_UPLOADS_S)
    )
    with page:
        with gr.Row(elem_classes="tars-head"):
            threshold = predictor.calibration.threshold
            header = page_header(name, predictor.config.classes, measured, threshold=threshold)
            gr.HTML(header, apply_default_css=False, elem_classes="tars-about")
            shown = _shown_slider(predictor.config.num_classes)
        if predictor.config.drawings:
            with gr.Tab("Picture"):
                picture = _picture_room(desk, shown, examples)
            with gr.Tab("Draw"):
                _draw_room(desk, shown)
        else:
            picture = _picture_room(desk, shown, examples)
        _endpoint(desk, picture)
        page.load(None, js=_PAGE_JS)
    page.queue(max_size=_QUEUE_PLACES, api_open=False)
    return page


@dataclass
class _Desk:
    """Where pictures are handed in and answers given out.

    Attributes:
        runs: numbers the answers, over all visitors.
    """

    predictor: Predictor
    name: str
    runs: count[int] = field(default_factory=lambda: count(1))

    def card(self, upload: Upload | None, shown: float | None) -> str:
        """The card for a visitor. Never raises: an error shown elsewhere would leave the old answer standing."""
        run = next(self.runs)
        if upload is None:
            return answer_card(None, run=run)
        try:
            answer, facts = self.ask(upload, _within(shown, self.predictor.config.num_classes))
        except TarsError as error:
            return answer_card(error, run=run)
        except Exception:
            _log.exception("no answer about %r", upload.name)
            return answer_card(TarsError("The model failed on this picture; the server's log says why."), run=run)
        return answer_card(answer, run=run, facts=facts, threshold=self.predictor.calibration.threshold)

    def ask(self, upload: Upload, top_k: int) -> tuple[Prediction, Facts]:
        """
        Raises:
            PictureError: under the visitor's name for the picture; its path here is nobody's business.
        """
        started = perf_counter()
        try:
            pixels = self.predictor.prepare(upload.picture)
        except PictureError as error:
            raise PictureError(upload.name, error.reason) from error
        prepared = perf_counter()
        answer = self.predictor.answer([pixels], top_k)[0]
        return answer, Facts(
            model=self.name,
            device=str(self.predictor.device),
            prepare_ms=1000 * (prepared - started),
            model_ms=1000 * (perf_counter() - prepared),
        )


def _within(shown: float | None, num_classes: int) -> int:
    """The number of classes to show; a caller may send what no slider would."""
    return max(1, min(int(shown or DEFAULT_TOP_K), MAX_SHOWN, num_classes))


def _shown_slider(num_classes: int) -> gr.Slider:
    most = min(MAX_SHOWN, num_classes)
    return gr.Slider(
        1,
        max(most, 2),
        value=min(DEFAULT_TOP_K, most),
        step=1,
        label="Classes shown",
        visible=num_classes > 1,
        buttons=[],
        elem_classes="tars-shown",
    )


def _picture_room(desk: _Desk, shown: gr.Slider, examples: Sequence[Path]) -> PictureBox:
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
    _answer_on([picture.change, shown.change], desk, [picture, shown], card)
    if examples:
        strip = ExampleStrip(examples)
        strip.click(_chooser(examples), None, picture, api_visibility="private", show_progress="hidden")
    return picture


def _draw_room(desk: _Desk, shown: gr.Slider) -> None:
    with gr.Row(elem_classes="tars-room"):
        with gr.Column(elem_classes="tars-sheet"):
            pad = DrawingPad()
        with gr.Column():
            card = _card()
    _answer_on([pad.change, shown.change], desk, [pad, shown], card)


def _card() -> gr.HTML:
    return gr.HTML(answer_card(None, run=0), apply_default_css=False, elem_classes="tars-card")


def _answer_on(triggers: Sequence[Any], desk: _Desk, inputs: Sequence[gr.components.Component], card: gr.HTML) -> None:
    """`always_last`: one question an action, and the card ends with the newest."""
    gr.on(
        triggers,
        desk.card,
        list(inputs),
        card,
        trigger_mode="always_last",
        show_progress="hidden",
        api_visibility="private",
        **_MODEL,
    )


def _chooser(examples: Sequence[Path]) -> Callable[[gr.EventData], Path]:
    def choose(event: gr.EventData) -> Path:
        return dict(enumerate(examples))[event.index]

    return choose


def _endpoint(desk: _Desk, picture: PictureBox) -> None:
    """`/classify` for programs: a picture to its best classes; a stable name and shape."""

    def classify(upload: Upload | None) -> list[dict[str, Any]]:
        if upload is None:
            raise gr.Error("there is no picture to classify", print_exception=False)
        try:
            answer, _ = desk.ask(upload, MAX_SHOWN)
        except PictureError as error:
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
