"""The ways to hand over a picture: a box to drop it in, a pad to draw on, examples to click."""

from __future__ import annotations

import base64
import binascii
from abc import ABCMeta
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.component_meta import ComponentMeta
from gradio.data_classes import ImageData
from gradio.processing_utils import save_file_to_cache

from tars_hub import preprocess
from tars_hub.config import Preprocess
from tars_hub.quiet import cv2

PAD_PX = 560
PEN_PX = 36  # of the same share of the pad as a felt pen on a note
_THUMBNAIL_PX = 192  # shown at half of it, for dense screens
_DATA_URL = ";base64,"


@dataclass(frozen=True)
class Upload:
    """A visitor's picture, untouched.

    Attributes:
        picture: the file's path in the upload folder, or its bytes.
        name: what the visitor calls it.
    """

    picture: Path | bytes
    name: str


class _Plain(ComponentMeta):
    """Gradio's metaclass writes a .pyi file beside every module that defines a component; not here."""

    def __new__(mcs, name: str, bases: tuple[type, ...], attrs: dict[str, Any]) -> _Plain:
        return ABCMeta.__new__(mcs, name, bases, attrs)


class PictureBox(gr.Image, metaclass=_Plain):
    """Gradio's picture box, which hands on the file instead of pixels.

    Gradio's own reading turns 16-bit PNGs white and drops transparency; ours is the one the model
    was trained with.
    """

    is_template = True

    def preprocess(self, payload: ImageData | None) -> Upload | None:  # type: ignore[override]  # a file, not pixels
        if payload is None:
            return None
        name = payload.orig_name or Path(payload.path or "picture").name
        if payload.path is not None:
            return Upload(self._sent(payload.path), name)
        return Upload(_data_url_bytes(payload.url or ""), name)

    def _sent(self, path: str) -> Path:
        """A file that a visitor sent, and no other: Gradio looks only at paths whose sender calls them files."""
        file = Path(path.replace("\0", "?")).resolve()
        if not file.is_relative_to(Path(self.GRADIO_CACHE).resolve()):
            raise gr.Error("send the picture itself; files of this machine are not read", print_exception=False)
        return file

    def postprocess(self, value: Path | None) -> ImageData | None:  # type: ignore[override]  # an example's file
        if value is None:
            return None
        # A copy: Gradio serves nothing from the folders that examples come from, and should not.
        return ImageData(path=save_file_to_cache(value, self.GRADIO_CACHE), orig_name=value.name)

    async def async_move_resource_to_block_cache(self, url_or_file_path: str | Path | None) -> str | None:
        """Take files only: the server fetches nothing from an address that a caller names."""
        if str(url_or_file_path).lower().startswith(("http://", "https://")):
            raise gr.Error("send the picture itself; addresses are not fetched", print_exception=False)
        return await super().async_move_resource_to_block_cache(url_or_file_path)

    def example_payload(self) -> Any:  # noqa: ANN401  # Gradio's signature
        return {"path": "picture.jpg", "meta": {"_type": "gradio.FileData"}}

    def example_value(self) -> Any:  # noqa: ANN401  # Gradio's signature
        return None


class DrawingPad(gr.HTML, metaclass=_Plain):
    """White paper and a dark pen; each stroke hands over the whole drawing as a PNG.

    Gradio's Sketchpad wants its pen picked before the first stroke, scales the pen with the zoom and
    keeps drawings on the server that nobody asked about.
    """

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  # handed on
        super().__init__(html_template=_PAD_HTML, js_on_load=_PAD_JS, apply_default_css=False, **options)

    def preprocess(self, payload: str | None) -> Upload | None:  # type: ignore[override]  # a drawing, not HTML
        return Upload(_data_url_bytes(payload), "drawing") if payload else None


class NumberShown(gr.Slider, metaclass=_Plain):
    """How many classes an answer names: a wish, which `Desk` brings within what the model has.

    Gradio's own refuses what lies beyond the ends, and those may have moved since the browser sent it: the page
    turned to a model of fewer classes.
    """

    is_template = True

    def preprocess(self, payload: object) -> float | None:  # type: ignore[override]  # whatever a caller sends
        return payload if isinstance(payload, int | float) else None


def example_strip(examples: Sequence[Path], **options: Any) -> gr.HTML:  # noqa: ANN401  # handed on
    """Thumbnails; a click carries the `index` of the one clicked."""
    buttons = "".join(_thumbnail(index, path) for index, path in enumerate(examples))
    strip = f'<section class="tars-examples" aria-label="Examples"><h2>Examples</h2><div>{buttons}</div></section>'
    return gr.HTML(
        strip, js_on_load=_EXAMPLES_JS, apply_default_css=False, elem_classes="tars-examples-strip", **options
    )


def _data_url_bytes(url: str) -> bytes:
    """The bytes in a data URL; none, which is no picture, where it is malformed."""
    try:
        return base64.b64decode(url.partition(_DATA_URL)[2], validate=True)
    except binascii.Error:
        return b""


def _thumbnail(index: int, path: Path) -> str:
    pixels = preprocess.load(path, Preprocess(crop_size=_THUMBNAIL_PX, resize_size=_THUMBNAIL_PX))
    jpeg = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1].tobytes()
    source = f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
    name = escape(path.name)
    return (
        f'<button type="button" data-index="{index}" aria-label="Example {name}" title="{name}">'
        f'<img src="{source}" alt=""></button>'
    )


_PAD_HTML = f"""\
<div class="tars-pad">
  <canvas width="{PAD_PX}" height="{PAD_PX}" role="img" aria-label="Pad to draw on"></canvas>
  <button type="button">Clear</button>
</div>"""

# The value is changed at the end of a stroke, never within one: one question a stroke.
_PAD_JS = f"""
const canvas = element.querySelector("canvas");
const pen = canvas.getContext("2d");
const wipe = () => {{ pen.fillStyle = "#fff"; pen.fillRect(0, 0, canvas.width, canvas.height); }};
const point = (event) => {{
  const box = canvas.getBoundingClientRect();
  const scale = canvas.width / box.width;
  return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
}};
let drawing = false;
const draw = (event) => {{
  if (!drawing) return;
  pen.lineTo(...point(event));
  pen.stroke();
}};
const lift = () => {{
  if (!drawing) return;
  drawing = false;
  props.value = canvas.toDataURL("image/png");
}};
wipe();
Object.assign(pen, {{ lineWidth: {PEN_PX}, lineCap: "round", lineJoin: "round", strokeStyle: "#111" }});
canvas.addEventListener("pointerdown", (event) => {{
  if (event.button !== 0) return;
  canvas.setPointerCapture(event.pointerId);
  drawing = true;
  pen.beginPath();
  pen.moveTo(...point(event));
  draw(event);
}});
canvas.addEventListener("pointermove", draw);
canvas.addEventListener("pointerup", lift);
canvas.addEventListener("pointercancel", lift);
element.querySelector("button").addEventListener("click", () => {{ wipe(); props.value = null; }});
"""

_EXAMPLES_JS = """
element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) trigger("click", { index: Number(button.dataset.index) });
});
"""
