"""The panel under an answer: the crop that the model saw, and over it what spoke for a class. From data to HTML."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tars_hub.errors import TarsError
from tars_hub.quiet import cv2

if TYPE_CHECKING:
    from tars_hub.explain import Heat
    from tars_hub.samples import Pixels

STRENGTH = 70  # % of the heat's opacity at first; as in looked.css, for the moment before the script runs
_EXACT_PX = 128  # up to this side the crop is shown pixel by pixel
_CROP_PX = 640  # larger ones are made smaller; a dense screen shows no more
_HEAT_PX = 256  # it is smooth
_HOTTEST = 0.82  # of the colour map: its orange stands out on white paper too, its last yellow does not


@dataclass(frozen=True)
class Seen:
    """
    Attributes:
        pixels: (S, S, 3) uint8 RGB, the prepared picture.
        heat: what spoke for the class.
        label: the class.
    """

    pixels: Pixels
    heat: Heat
    label: str


def looked_card(seen: Seen | TarsError | None, *, run: int) -> str:
    """The panel for one class, for what went wrong, or for nothing asked yet.

    Everything comes out escaped. `data-state` is empty, shown or error; `data-run` is `run` and `data-label`
    the class. Every state has the same skeleton, which the page patches in place; looked.js lives beside it.
    """
    if seen is None:
        return _card("empty", run)
    if isinstance(seen, TarsError):
        return _card("error", run, said=str(seen))
    name = f"“{seen.label}”"
    if not seen.heat.weights.any():
        said, alt = f"No place in the picture spoke for {name}.", "The part of the picture that the model saw."
        return _card("shown", run, label=seen.label, said=said, picture=_picture(alt, _crop(seen.pixels)))
    said = f"Where it looked for {name}: bright places spoke for it."
    alt = f"The part of the picture that the model saw, with the places that spoke for {name} coloured."
    both = _crop(seen.pixels) + _image("tars-heat", ".png", _coloured(seen.heat.weights))
    return _card("shown", run, label=seen.label, said=said, picture=_picture(alt, both) + _SLIDER)


_SLIDER = (
    '<label class="tars-strength"><span>Strength of the colours</span>'
    f'<input type="range" min="0" max="100" step="5" value="{STRENGTH}"></label>'
)


def _card(state: str, run: int, *, label: str = "", said: str = "", picture: str = "") -> str:
    return (
        f'<section class="tars-seen" aria-label="Where the model looked" data-state="{state}" data-run="{run}" '
        f'data-label="{escape(label)}"><p aria-live="polite">{escape(said)}</p>{picture}</section>'
    )


def _picture(alt: str, images: str) -> str:
    return f'<div class="tars-view" role="img" aria-label="{escape(alt)}">{images}</div>'


def _crop(pixels: Pixels) -> str:
    exact = pixels.shape[0] <= _EXACT_PX
    bgr = cv2.cvtColor(_at_most(pixels, _CROP_PX), cv2.COLOR_RGB2BGR)
    return _image("tars-crop tars-exact" if exact else "tars-crop", ".png" if exact else ".jpg", bgr)


def _coloured(weights: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(S, S) of 0..1 to (T, T, 4) BGRA, T <= S: the hotter, the brighter and the less transparent."""
    heat = _at_most(weights, _HEAT_PX).clip(0, 1)
    colours = cv2.applyColorMap(np.rint(255 * _HOTTEST * heat).astype(np.uint8), cv2.COLORMAP_INFERNO)
    return np.dstack([colours, np.rint(255 * heat).astype(np.uint8)])


def _at_most(numbers: NDArray[Any], side: int) -> NDArray[Any]:
    return numbers if numbers.shape[0] <= side else cv2.resize(numbers, (side, side), interpolation=cv2.INTER_AREA)


def _image(name: str, suffix: str, pixels: NDArray[Any]) -> str:
    kind = {".png": "png", ".jpg": "jpeg"}[suffix]
    data = base64.b64encode(cv2.imencode(suffix, pixels)[1].tobytes()).decode()
    return f'<img class="{name}" src="data:image/{kind};base64,{data}" alt="">'
