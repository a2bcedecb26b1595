"""PIL images to pixels, bit for bit as from the file that they came from. PIL itself is imported by whoever has one."""

from __future__ import annotations

import os
import sys
import threading
from typing import IO, TYPE_CHECKING, TypeGuard

import numpy as np

from tars_hub import decode, samples
from tars_hub.containers import Flaw, check_size, exif, inspect, is_read
from tars_hub.quiet import quiet
from tars_hub.samples import Pixels

if TYPE_CHECKING:
    from PIL.Image import Image

_PLACE_IN_FILE = threading.Lock()  # threads may share a lazy image
_FORMATS = {"AVIF", "BMP", "GIF", "JPEG", "MPO", "PNG", "PPM", "TIFF", "WEBP"}
_WITH_KEY = {"1", "L", "RGB"}  # modes in which info["transparency"] is the one value that is transparent
_AS_STORED = {"1", "L", "LA", "RGB", "RGBA", "F"}


def is_image(candidate: object) -> TypeGuard[Image]:
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(candidate, module.Image)


def name_of(image: Image) -> str:
    filename = getattr(image, "filename", "")
    return os.fsdecode(filename) if isinstance(filename, (str, bytes, os.PathLike)) and filename else "image"


def decode_image(image: Image, *, min_side: int | None, max_pixels: int) -> decode.Decoded:
    """Decode a PIL image.

    One that was opened and not yet loaded is decoded from its file, any other taken by its pixels.

    Raises:
        Flaw: it cannot be loaded, or means nothing in RGB.
    """
    data = _file_behind(image)
    if data is not None:
        header = inspect(data, max_pixels)
        if {header.width, header.height} == set(image.size):  # else PIL was asked for a smaller draft
            return decode.decode_inspected(header, min_side=min_side)
    check_size(*image.size, image.width * image.height, max_pixels)
    try:
        with quiet():
            image.load()
        pixels = _pixels(image)
    except Flaw:
        raise
    except Exception as error:  # PIL's plugins raise anything
        raise Flaw(f"PIL cannot load it ({error})") from error
    return decode.Decoded.whole(decode.upright(pixels, _orientation(image)))


def _file_behind(image: Image) -> bytes | None:
    """The bytes of the file that a lazy image would be loaded from; None where they would not give its pixels."""
    file = getattr(image, "fp", None)
    if file is None or not getattr(image, "tile", None) or image.format not in _FORMATS or image.tell() != 0:
        return None
    try:
        with _PLACE_IN_FILE:
            data = _all_of(file)
    except (OSError, ValueError) as error:  # ValueError: a closed file
        raise Flaw(f"its file cannot be read ({error})") from error
    return data if is_read(data) else None


def _all_of(file: IO[bytes]) -> bytes:
    """The content of an open file, which stays where it is."""
    before = file.tell()
    try:
        file.seek(0, os.SEEK_END)
        size = file.tell()
        if size > decode.MAX_FILE_BYTES:
            raise decode.too_many_bytes(size)
        file.seek(0)
        return bytes(file.read(size))
    finally:
        file.seek(before)


def _pixels(image: Image) -> Pixels:
    """Its pixels in RGB, not yet upright."""
    key = image.info.get("transparency")
    if image.mode.startswith("I"):
        numbers = samples.to_16_bit(np.asarray(image))
        return samples.to_rgb(samples.keyed(numbers, (key,)) if isinstance(key, int) else numbers)
    if image.mode == "CMYK":
        return samples.from_cmyk(np.asarray(image))
    if image.mode == "LAB":
        return decode.from_lab(np.asarray(image))
    return samples.to_rgb(np.asarray(image.convert(_plain_mode(image.mode, key))))


def _plain_mode(mode: str, key: object) -> str:
    """A mode whose numbers are grey or RGB, with or without alpha."""
    if mode in {"P", "PA", "RGBa"} or (key is not None and mode in _WITH_KEY):
        return "RGBA"
    if mode == "La":
        return "LA"
    return mode if mode in _AS_STORED else "RGB"


def _orientation(image: Image) -> int:
    try:
        return exif.valid(image.getexif().get(exif.ORIENTATION_TAG))
    except Exception:  # a broken note on the picture does not break the picture
        return 1
