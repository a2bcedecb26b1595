"""From the numbers of any kind of picture to 8-bit RGB. Integer arithmetic, the same for files, arrays and PIL images.

Works through large pictures some rows at a time, so that what is needed besides the result stays small.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tars_hub.containers import Flaw

Pixels = npt.NDArray[np.uint8]
Samples = npt.NDArray[Any]

_PIXELS_AT_ONCE = 1 << 20


def to_rgb(samples: Samples) -> Pixels:
    """(H, W) or (H, W, 1 to 4) of any kind of number → (H, W, 3) uint8, alpha blended on white.

    One channel is grey, two are grey and alpha, three RGB, four RGB and alpha. bool is black and white, uint16 goes to
    65535, floats from 0 to 1; other whole numbers must lie in 0..255. The result is a new array.

    Raises:
        Flaw: numbers outside of these, or of another kind.
    """
    numbers = to_8_bit(samples)
    if numbers.ndim == 2:
        numbers = numbers[..., None]
    return by_rows(lambda rows: rows, numbers, 3) if numbers.shape[2] % 2 else blend(numbers)


def to_8_bit(samples: Samples) -> Pixels:
    """Any kind of number → uint8 of the same shape; see to_rgb."""
    kind, width = samples.dtype.kind, samples.dtype.itemsize
    if samples.dtype == np.uint8:
        return samples
    if kind == "f":
        return by_rows(_from_unit, samples)
    if kind == "u" and width == 2:
        return by_rows(_from_16_bit, samples)
    if kind in "biu":
        numbers: Pixels = _within(samples, 255).astype(np.uint8) * np.uint8(255 if kind == "b" else 1)
        return numbers
    raise Flaw(f"numbers of type {samples.dtype}; give uint8, uint16, bool, or floats from 0 to 1")


def to_16_bit(samples: Samples) -> Samples:
    """Whole numbers in 0..65535, as files with 32 bits a sample hold them, as uint16; or a Flaw."""
    return _within(samples, 65535).astype(np.uint16)


def rescale(samples: Samples, top: int, new_top: int) -> Samples:
    """0..top → 0..new_top, rounded to even as PIL does for PNM; more than top counts as top."""
    table = np.rint(np.arange(top + 1) / top * new_top).astype(np.uint8 if new_top < 256 else np.uint16)
    return by_rows(lambda rows: table[np.minimum(rows, top)], samples, kind=table.dtype)


def blend(pixels: Pixels) -> Pixels:
    """(H, W, 2 or 4), the last channel alpha → (H, W, 3) over white, to the nearest whole number."""

    def mix(rows: Samples) -> Samples:
        alpha = rows[..., -1:].astype(np.uint16)
        mixed: Samples = (rows[..., :-1] * alpha + (255 - alpha) * np.uint16(255) + np.uint16(127)) // np.uint16(255)
        return mixed

    return by_rows(mix, pixels, 3)


def keyed(samples: Samples, key: tuple[int, ...]) -> Samples:
    """(H, W) or (H, W, 3) → the same with an alpha channel: transparent where a pixel is the key, else opaque."""
    colour = samples if samples.ndim == 3 else samples[..., None]

    def add_alpha(rows: Samples) -> Samples:
        opaque = (rows != np.array(key)).any(axis=2, keepdims=True)
        return np.concatenate((rows, opaque * np.iinfo(rows.dtype).max), axis=2)

    return by_rows(add_alpha, colour, colour.shape[2] + 1, samples.dtype)


def unpremultiplied(pixels: Pixels) -> Pixels:
    """(H, W, 2 or 4) whose colours were multiplied by the last channel → as if they had not been."""

    def divide(rows: Samples) -> Samples:
        alpha = np.maximum(rows[..., -1:], 1).astype(np.uint16)
        colour = np.minimum(rows[..., :-1] * np.uint16(255) // alpha, 255)
        return np.concatenate((colour, rows[..., -1:]), axis=2)

    return by_rows(divide, pixels)


def from_cmyk(inks: Pixels) -> Pixels:
    """(H, W, 4) amounts of ink → RGB, by the formula that OpenCV uses for JPEG."""

    def mix(rows: Samples) -> Samples:
        paper = 255 - rows[..., 3:].astype(np.uint16)
        mixed: Samples = paper - (rows[..., :3] * paper >> np.uint16(8))
        return mixed

    return by_rows(mix, inks, 3)


def by_rows(
    change: Callable[[Samples], Samples],
    samples: Samples,
    channels: int | None = None,
    kind: npt.DTypeLike = np.uint8,
) -> Samples:
    """Change all rows, some at a time, to so many channels (None: as they are) of a kind of number."""
    result = np.empty(samples.shape if channels is None else (*samples.shape[:2], channels), kind)
    step = max(1, _PIXELS_AT_ONCE // samples.shape[1])
    for start in range(0, len(samples), step):
        result[start : start + step] = change(samples[start : start + step])
    return result


def _from_16_bit(rows: Samples) -> Samples:
    """Divide by 257, to the nearest whole number."""
    narrow: Samples = (rows.astype(np.uint32) * 255 + 32895) >> 16
    return narrow


def _from_unit(rows: Samples) -> Samples:
    if not (rows.min() >= 0 and rows.max() <= 1):  # also refuses "not a number"
        raise Flaw("floats outside of 0..1; divide by the value of white first")
    wide: Samples = np.rint(rows.astype(np.promote_types(rows.dtype, np.float32)) * 255)
    return wide


def _within(samples: Samples, top: int) -> Samples:
    low, high = samples.min(), samples.max()
    if low < 0 or high > top:
        raise Flaw(f"whole numbers from {low} to {high}; they must lie in 0..{top}")
    return samples
