"""Random variations of a training picture, in pixels; the network's input is made from them as ever.

Each preset is a row of numbers. "none" is exactly what serving does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from tars_hub.config import MAX_SIDE_PX, Preprocess
from tars_hub.preprocess import fit, resize
from tars_hub.quiet import cv2

Pixels = NDArray[np.uint8]
Ink = NDArray[Any]  # floats, 0 where paper and 1 where ink


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What may happen to a picture.

    Attributes:
        min_area: smallest share of the picture that a random crop keeps; 1 keeps it whole.
        flip: chance of a left-right mirror.
        turn_deg: largest rotation either way, in degrees.
        light: largest relative change of brightness, contrast and saturation.
        drawing: vary stroke, size, place and polarity instead, as written shapes do.
    """

    min_area: float = 1.0
    flip: float = 0.0
    turn_deg: float = 0.0
    light: float = 0.0
    drawing: bool = False


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "none": Preset(),
        "light": Preset(min_area=0.35, flip=0.5),
        "strong": Preset(min_area=0.2, flip=0.5, turn_deg=15.0, light=0.3),
        "drawing": Preset(drawing=True),
    }
)


def source_side(prepare: Preprocess, preset: Preset) -> int | None:
    """Shorter side, in pixels, that a decoded picture needs so that no crop has to be enlarged; None: as fit needs."""
    if preset == PRESETS["none"]:
        return None
    return math.ceil(prepare.resize_size / math.sqrt(preset.min_area))


def vary(pixels: Pixels, prepare: Preprocess, preset: Preset, rng: Generator) -> Pixels:
    """(H, W, 3) uint8 RGB to (S, S, 3) uint8 RGB, varied at random."""
    if preset.drawing:
        return _vary_drawing(pixels, prepare, rng)
    if preset.turn_deg:
        pixels = _turn(pixels, rng.uniform(-preset.turn_deg, preset.turn_deg))
    pixels = _random_crop(pixels, prepare, preset, rng) if preset.min_area < 1 else fit(pixels, prepare)
    if rng.random() < preset.flip:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
    return _relight(pixels, preset.light, rng) if preset.light else pixels


def _random_crop(pixels: Pixels, prepare: Preprocess, preset: Preset, rng: Generator) -> Pixels:
    """A crop of random area and shape, as Inception was trained (Szegedy et al. 2015, arXiv:1409.4842)."""
    size = prepare.crop_size
    if prepare.crop == "pad":
        side = min(max(pixels.shape[:2]), 4 * size, MAX_SIDE_PX)
        pixels = fit(pixels, Preprocess(crop_size=side, resize_size=MAX_SIDE_PX, crop="pad", mean=prepare.mean))
    height, width = pixels.shape[:2]
    area = rng.uniform(preset.min_area, 1.0)
    shape = math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
    if prepare.crop == "squash":  # the whole picture's shape is what the network sees as a square
        crop_w, crop_h = width * math.sqrt(area * shape), height * math.sqrt(area / shape)
    else:
        crop_w, crop_h = math.sqrt(width * height * area * shape), math.sqrt(width * height * area / shape)
    w, h = max(1, min(width, round(crop_w))), max(1, min(height, round(crop_h)))
    x, y = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
    return resize(pixels[y : y + h, x : x + w], size, size, prepare.interpolation)


def _turn(pixels: Pixels, degrees: float) -> Pixels:
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return cast(Pixels, cv2.warpAffine(pixels, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101))


def _relight(pixels: Pixels, amount: float, rng: Generator) -> Pixels:
    brightness, contrast, saturation = rng.uniform(1 - amount, 1 + amount, size=3)
    values = pixels.astype(np.float32) * brightness
    values = (values - values.mean()) * contrast + values.mean()
    grey = values.mean(axis=2, keepdims=True)
    return _to_bytes((values - grey) * saturation + grey)


def _vary_drawing(pixels: Pixels, prepare: Preprocess, rng: Generator) -> Pixels:
    """As other people, pens and scanners would have written it: size, place, slant, stroke, edge, polarity."""
    side = max(48, 2 * prepare.crop_size)  # strokes get thicker and thinner in steps of a pixel: give them some
    ink = _ink(pixels)
    ink = cv2.warpAffine(ink, _pose(ink.shape[1], ink.shape[0], side, rng), (side, side), flags=cv2.INTER_CUBIC)
    ink = _restroke(np.clip(ink, 0, 1), rng)
    small = cv2.resize(ink, (prepare.crop_size, prepare.crop_size), interpolation=cv2.INTER_AREA)
    return _paint(small, rng)


def _ink(pixels: Pixels) -> Ink:
    """(H, W, 3) uint8 to (H, W) float32: 0 where paper, 1 where ink. Paper is what the border shows most of."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ink = np.abs(grey - np.median(border))
    return cast(Ink, ink / max(float(ink.max()), 1e-6))


def _pose(width: int, height: int, side: int, rng: Generator) -> NDArray[np.float64]:
    """(2, 3) matrix from source pixels to a canvas of `side`: slanted, turned, scaled and moved, still inside."""
    turn, slant = np.radians(rng.uniform(-10, 10)), rng.uniform(-0.2, 0.2)
    scale_x, scale_y = rng.uniform(0.5, 1.25) * np.exp(rng.uniform(-0.18, 0.18, size=2)) * side / max(width, height)
    linear = (
        np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        @ np.array([[1.0, slant], [0.0, 1.0]])
        @ np.diag([scale_x, scale_y])
    )
    half = np.abs(linear) @ np.array([0.36 * width, 0.36 * height])  # the shape, without its margin
    room = np.maximum(side / 2 - half, 0.02 * side)
    centre = side / 2 + rng.uniform(-room, room)
    offset = centre - linear @ np.array([width / 2, height / 2])
    return np.column_stack([linear, offset])


def _restroke(ink: Ink, rng: Generator) -> Ink:
    """Another pen: strokes thicker or thinner, edges from blurred to crisp."""
    pixels = int(rng.integers(-2, 4))
    if pixels:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(pixels) + 1, abs(pixels) + 1))
        ink = cv2.dilate(ink, kernel) if pixels > 0 else cv2.erode(ink, kernel)
        ink = ink / max(float(ink.max()), 0.3)
    crispness, edge = np.exp(rng.uniform(np.log(1.0), np.log(12.0))), rng.uniform(0.3, 0.55)
    return cast(Ink, np.clip((ink - edge) * crispness + edge, 0, 1))


def _paint(ink: Ink, rng: Generator) -> Pixels:
    """(S, S) ink to an RGB picture: a dark pen on light paper, or now and then the reverse."""
    light, dark = rng.uniform(170, 255, size=3), rng.uniform(0, 110, size=3)
    if rng.random() < 0.7:  # most paper is white and most ink grey or black
        light, dark = np.full(3, rng.uniform(225, 255)), np.full(3, rng.uniform(0, 80))
    paper, pen = (dark, light) if rng.random() < 0.3 else (light, dark)
    painted = paper + ink[:, :, None] * (pen - paper)
    return _to_bytes(painted + rng.normal(0, rng.uniform(0, 6), size=painted.shape))


def _to_bytes(values: NDArray[Any]) -> Pixels:
    return cast(Pixels, np.clip(np.rint(values), 0, 255).astype(np.uint8))
