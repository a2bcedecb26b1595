"""From a picture's bytes to pixels, with OpenCV; what it gets wrong for a format is put right beside the call."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tars_hub import raw, samples
from tars_hub.containers import Flaw, Header, inspect
from tars_hub.containers.avif import AvifHeader
from tars_hub.containers.bmp import BmpHeader
from tars_hub.containers.png import PngHeader
from tars_hub.containers.tiff import TiffHeader
from tars_hub.quiet import cv2, quiet
from tars_hub.samples import Pixels, Samples

MAX_FILE_BYTES = 512 << 20
_REDUCED = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}
_COLOR = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
_SWAPPED = {3: [2, 1, 0], 4: [2, 1, 0, 3]}  # BGR to RGB and back, by number of channels
_UNREADABLE = "damaged, or of a kind that this OpenCV does not read"


class Decoded(NamedTuple):
    """Pixels, (H, W, 3) uint8 RGB, upright, and the size of the whole picture, of which they may be a reduced copy."""

    pixels: Pixels
    height: int
    width: int

    @classmethod
    def whole(cls, pixels: Pixels) -> Decoded:
        return cls(pixels, *pixels.shape[:2])


def read_file(path: str | os.PathLike[str]) -> bytes:
    """All bytes of a regular file; a pipe or device would keep its reader waiting.

    Raises:
        Flaw: it is missing, unreadable, no regular file, or larger than MAX_FILE_BYTES.
    """
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags)  # for open() would wait at a pipe
        try:
            size = _size_of_file(descriptor)
            with open(descriptor, "rb", closefd=False) as file:
                return file.read(size)
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        raise Flaw("no such file") from error
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise Flaw(f"cannot be read ({getattr(error, 'strerror', None) or error})") from error


def _size_of_file(descriptor: int) -> int:
    status = os.fstat(descriptor)
    if stat.S_ISDIR(status.st_mode):
        raise Flaw("a folder, not a picture")
    if not stat.S_ISREG(status.st_mode):
        raise Flaw("a pipe or device, not a file")
    if status.st_size > MAX_FILE_BYTES:
        raise too_many_bytes(status.st_size)
    return status.st_size


def too_many_bytes(count: int) -> Flaw:
    return Flaw(f"too large: {count} bytes, and {MAX_FILE_BYTES} are allowed")


def decode_bytes(data: bytes, *, min_side: int | None, max_pixels: int) -> Decoded:
    """Decode a file's bytes; see tars_hub.preprocess.decode.

    Raises:
        Flaw: these bytes are no picture that can be decoded.
    """
    return decode_inspected(inspect(data, max_pixels), min_side=min_side)


def decode_inspected(header: Header, *, min_side: int | None) -> Decoded:
    """As decode_bytes, for bytes that have been inspected."""
    if header.kind == "JPEG":
        pixels = upright(_jpeg(header, min_side), header.orientation)
        size = (header.height, header.width)
        return Decoded(pixels, *(size if header.orientation < 5 else size[::-1]))
    pixels = _BY_KIND[header.kind](header)
    if pixels.shape[:2] != (header.height, header.width) and header.kind != "AVIF":  # which may hold others beside it
        raise Flaw(f"damaged: a {header.kind} whose parts disagree on its size")
    return Decoded.whole(upright(pixels, header.orientation))


def upright(pixels: Samples, orientation: int) -> Samples:
    """Undo how the camera was held, as EXIF tells it (1 to 8)."""
    if orientation in {5, 7}:
        pixels = cv2.transpose(pixels)
    turn = {3: cv2.ROTATE_180, 6: cv2.ROTATE_90_CLOCKWISE, 7: cv2.ROTATE_180, 8: cv2.ROTATE_90_COUNTERCLOCKWISE}
    if orientation in turn:
        return cv2.rotate(pixels, turn[orientation])
    if orientation in {2, 4}:
        return cv2.flip(pixels, 1 if orientation == 2 else 0)
    return pixels


def from_lab(lab: Samples) -> Samples:
    """(H, W, 3) CIE L*a*b* as TIFF stores it, a and b signed → RGB."""
    shifted: Pixels = np.bitwise_xor(lab, np.array([0, 128, 128], np.uint8))
    return cv2.cvtColor(shifted, cv2.COLOR_LAB2RGB)


def _jpeg(header: Header, min_side: int | None) -> Pixels:
    factor = _reduction(header, min_side)
    if factor == 1:
        return _swap(_imread(header.body, _COLOR))
    found = _swap(_imread(header.body, _REDUCED[factor] | cv2.IMREAD_IGNORE_ORIENTATION))
    # A last row or column made mostly of what lies beyond the border would stretch the picture.
    height, width = ((2 * side + factor) // (2 * factor) for side in (header.height, header.width))
    return np.ascontiguousarray(found[:height, :width])


def _reduction(header: Header, min_side: int | None) -> int:
    """By how much to divide the sides so that the shorter is not below `min_side`: 1, 2, 4 or 8."""
    shorter = min(header.width, header.height)
    if min_side is None:
        return 1
    return next((factor for factor in _REDUCED if shorter >= min_side * factor), 1)


def _imread(data: bytes, flags: int) -> Samples:
    """OpenCV's own samples, BGR; a Flaw where it has none to give."""
    try:
        with quiet():
            found: Samples | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise Flaw(_UNREADABLE) from error
    if found is None:
        raise Flaw(_UNREADABLE)
    return found


def _imdecode(data: bytes) -> Samples:
    """All samples at their full depth, RGB(A) order; (H, W) or (H, W, C)."""
    return _swap(_imread(data, cv2.IMREAD_UNCHANGED))


def _swap(found: Samples) -> Samples:
    """BGR(A) → RGB(A)."""
    if found.ndim == 2:
        return found
    channels = found.shape[2]
    if channels not in _SWAPPED:
        raise Flaw(f"a picture of {channels} channels")
    if found.dtype == np.uint8:
        return cv2.cvtColor(found, cv2.COLOR_BGR2RGB if channels == 3 else cv2.COLOR_BGRA2RGBA)
    return found[..., _SWAPPED[channels]]


def _png(header: PngHeader) -> Pixels:
    found = _imdecode(header.body)
    if header.key is None:
        return samples.to_rgb(found)
    step = 255 // ((1 << header.depth) - 1) if header.depth < 8 else 1  # OpenCV has spread 1, 2 and 4 bits over 0..255
    return samples.to_rgb(samples.keyed(found, tuple(value * step for value in header.key)))


def _as_is(header: Header) -> Pixels:
    return samples.to_rgb(_imdecode(header.body))


def _bmp(header: BmpHeader) -> Pixels:
    return raw.masked_bmp(header) if header.masks else _swap(_imread(header.body, _COLOR))


def _avif(header: AvifHeader) -> Pixels:
    found = _imdecode(header.body)
    if found.dtype == np.uint8:
        return samples.to_rgb(found)
    numbers = samples.rescale(found, (1 << header.depth) - 1, 255)
    if numbers.ndim == 2:
        return samples.to_rgb(numbers)
    colour = _swap(_imread(header.body, _COLOR))  # libavif's own way to 8 bits: PIL's too
    return colour if numbers.shape[2] == 3 else samples.blend(np.dstack((colour, numbers[..., 3])))


def _tiff(header: TiffHeader) -> Pixels:
    if header.plain:
        return _swap(_imread(header.body, _COLOR))
    found = _imdecode(header.body)
    if header.model == "grey-alpha":
        found = _split(found, header)
    if found.dtype.kind == "i" or (found.dtype.itemsize > 2 and found.dtype.kind == "u"):
        found = samples.to_16_bit(found)
    if header.inverted:
        found = 1 - found if found.dtype.kind == "f" else 65535 - found
    numbers = samples.to_8_bit(found)
    if header.model == "cmyk":
        return samples.from_cmyk(numbers)
    if header.model == "lab":
        return from_lab(numbers)
    if header.alpha == "premultiplied":
        numbers = samples.unpremultiplied(numbers)
    elif header.alpha == "none" and numbers.ndim == 3 and numbers.shape[2] in {2, 4}:
        numbers = numbers[..., :-1]
    return samples.to_rgb(numbers)


def _split(words: Samples, header: TiffHeader) -> Samples:
    """(H, W) 16-bit words, each a grey and an alpha byte in the file's order → (H, W, 2)."""
    pairs = words.astype(header.order + "u2")[..., None].view(np.uint8)
    return np.cumsum(pairs, axis=1, dtype=np.uint8) if header.differences else pairs


_BY_KIND: dict[str, Callable[[Any], Pixels]] = {
    "AVIF": _avif,
    "BMP": _bmp,
    "GIF": _as_is,
    "PNG": _png,
    "PNM": raw.pnm,
    "TIFF": _tiff,
    "WebP": _as_is,
}
