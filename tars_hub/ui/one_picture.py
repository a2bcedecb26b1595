"""The tab for one picture: ways to hand it over, the answer, and where the model looked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from tars_hub.ui.answer import answer_card
from tars_hub.ui.desk import Desk
from tars_hub.ui.explaining import explained
from tars_hub.ui.inputs import DrawingPad, PictureBox, Upload, example_strip
from tars_hub.ui.look import script
from tars_hub.ui.looked import looked_card

# Many at once, so that they meet in a batch of the model; it is `Desk` that bounds what they take.
MODEL: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 16}
_EXPLAIN: dict[str, Any] = {"concurrency_id": "explain", "concurrency_limit": 1}
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
_BOX_PX = 400
PICTURE, DRAW = "picture", "draw"


@dataclass(frozen=True)
class OnePicture:
    """The parts of the tab that the rest of the page turns to.

    Attributes:
        way: which of picture and pad is meant: PICTURE or DRAW.
        ways: the tabs of the two; None for a model that is not for drawings.
        drawing: the tab of the pad.
        strip: the examples; None where there are none.
        turned: a change of it asks again about the picture that is there.
    """

    picture: PictureBox
    way: gr.Textbox
    ways: gr.Tabs | None
    drawing: gr.Tab | None
    strip: gr.HTML | None
    turned: gr.Textbox


def one_picture(
    desk: Desk, key: gr.Textbox, shown: gr.Slider, *, examples: Sequence[Path], drawings: bool | None
) -> OnePicture:
    """
    Args:
        key: of the model that is asked, as `Desk.card` takes it.
        shown: how many classes an answer names.
        drawings: whether there is a pad; None leaves it to the model that the visitor comes for.
    """
    way, turned = gr.Textbox(PICTURE, visible=False), gr.Textbox("", visible=False)
    with gr.Row(elem_classes="tars-room"):
        with gr.Column():
            picture, pad, ways, drawing = _ways(way, drawings)
        with gr.Column():
            card, looks, looked = _answer_parts()
    room = _Room(desk, [picture, pad, way, key], shown, card)
    room.answer([picture.change, pad.change, way.change, turned.change, shown.input])
    room.explain(looks, looked)
    strip = _examples(examples, picture, visible=drawings is not None)
    return OnePicture(picture, way, ways, drawing, strip, turned)


def _ways(way: gr.Textbox, drawings: bool | None) -> tuple[PictureBox, DrawingPad, gr.Tabs | None, gr.Tab | None]:
    """The box and, where a model may be one of drawings, the pad beside it."""
    if drawings is False:
        return _box(), DrawingPad(visible=False), None, None
    with gr.Tabs(elem_classes="tars-ways") as ways:
        with gr.Tab("Picture", id=PICTURE) as pictures:
            picture = _box()
        with gr.Tab("Draw", id=DRAW, visible=bool(drawings)) as drawing, gr.Column(elem_classes="tars-sheet"):
            pad = DrawingPad()
    for tab, name in ((pictures, PICTURE), (drawing, DRAW)):
        tab.select(None, None, way, js=f"() => '{name}'", **QUIET)
    return picture, pad, ways, drawing


def _box() -> PictureBox:
    return PictureBox(
        sources=["upload", "webcam", "clipboard"],
        label="Picture",
        show_label=False,
        height=_BOX_PX,
        buttons=[],
        placeholder="Drop a picture here, click to choose one, or paste it",
        elem_classes="tars-picture",
    )


def _answer_parts() -> tuple[gr.HTML, gr.Checkbox, gr.HTML]:
    plain: dict[str, Any] = {"apply_default_css": False}
    scripts = script("card") + script("answer") + script("trouble")
    card = gr.HTML(answer_card(None, run=0), js_on_load=scripts, elem_classes="tars-card", **plain)
    looks = gr.Checkbox(False, label="Show where the model looked", container=False, elem_classes="tars-looks")
    looked = gr.HTML(looked_card(None, run=0), js_on_load=script("looked"), elem_classes="tars-looked", **plain)
    return card, looks, looked


@dataclass(frozen=True)
class _Room:
    """
    Attributes:
        asked: what makes a question: the box, the pad, which of the two is meant, and the model's key.
    """

    desk: Desk
    asked: list[Any]
    shown: gr.Slider
    card: gr.HTML

    def answer(self, triggers: Sequence[Any]) -> None:
        """`always_last`, for all of them together: one question an action, and the card ends with the newest."""

        def answer(
            picture: Upload | None, pad: Upload | None, way: str, key: str, shown: float | None, request: gr.Request
        ) -> str:
            return self.desk.card(_meant(picture, pad, way), shown, key, request, explains=True)

        options = {**MODEL, **QUIET}
        gr.on(triggers, answer, [*self.asked, self.shown], self.card, trigger_mode="always_last", **options)

    def explain(self, looks: gr.Checkbox, looked: gr.HTML) -> None:
        """A press on a class shows what speaks for it; with the box ticked, each new answer shows it of its first."""

        def look(
            picture: Upload | None, pad: Upload | None, way: str, key: str, ticked: bool, request: gr.Request
        ) -> str:
            return explained(self.desk, _meant(picture, pad, way) if ticked else None, "", key, request)

        def press(
            picture: Upload | None, pad: Upload | None, way: str, key: str, event: gr.EventData, request: gr.Request
        ) -> tuple[bool, str]:
            return True, explained(self.desk, _meant(picture, pad, way), str(event.label), key, request)

        options = {**_EXPLAIN, **QUIET, "trigger_mode": "always_last"}
        for listen in (looks.input, self.card.answered):
            listen(look, [*self.asked, looks], looked, **options)
        self.card.explain(press, self.asked, [looks, looked], **options)


def _meant(picture: Upload | None, pad: Upload | None, way: str) -> Upload | None:
    return pad if way == DRAW else picture


def _examples(examples: Sequence[Path], picture: PictureBox, *, visible: bool) -> gr.HTML | None:
    if not examples:
        return None

    def choose(event: gr.EventData) -> Path:
        return dict(enumerate(examples))[event.index]

    strip = example_strip(examples, visible=visible)
    strip.click(choose, None, picture, **QUIET)
    return strip
