"""A look at a picture's bytes before they are decoded: format, size, orientation, and whether all of it is there.

Decoders return half a picture for a file that was cut short, and ask for the memory that a header claims; so nothing
reaches them before this has been over it. Knows no OpenCV and no pixels.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tars_hub.containers import avif, bmp, gif, jpeg, png, pnm, tiff, webp
from tars_hub.containers.parts import Flaw, Header

__all__ = ["MAX_SIDE", "Flaw", "Header", "check_size", "inspect", "is_read"]

MAX_SIDE = 1 << 20  # pixels; OpenCV's own limit
_HEAD_BYTES = 1024

_READERS: tuple[tuple[re.Pattern[bytes], Callable[[bytes], Header]], ...] = (
    (re.compile(rb"\xff\xd8\xff"), jpeg.read),
    (re.compile(re.escape(png.SIGNATURE)), png.read),
    (re.compile(rb"GIF8[79]a"), gif.read),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), webp.read),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), tiff.read),
    (re.compile(rb"....ftyp", re.DOTALL), avif.read),
    (re.compile(rb"P[1-6][\s#]"), pnm.read),
    (re.compile(rb"BM.{12}[\x0c(4@8l|]\0\0\0", re.DOTALL), bmp.read),
)
_OTHER_PICTURES = (
    (re.compile(rb"\xff\x0a|\0\0\0\x0cJXL "), "JPEG XL"),
    (re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"), "JPEG 2000"),
    (re.compile(rb"8BPS"), "Photoshop"),
    (re.compile(rb"\0\0[\1\2]\0"), "Windows icon"),
    (re.compile(rb"\x76\x2f\x31\x01"), "OpenEXR"),
    (re.compile(rb"#\?R(?:ADIANCE|GBE)"), "Radiance HDR"),
    (re.compile(rb"P[7fF]\s"), "PAM or PFM"),
    (re.compile(rb"qoif"), "QOI"),
    (re.compile(rb"(?s)\s*<.*<svg|\s*<svg"), "SVG"),
)
_NO_PICTURES = (
    (re.compile(rb"%PDF-"), "a PDF document, not a picture; save its page as PNG"),
    (
        re.compile(rb"version https://git-lfs"),
        "a Git LFS pointer, not the picture itself; run `git lfs pull` where it came from",
    ),
    (re.compile(rb"(?i)\s*<(?:!doctype html|html|head|body)"), "a web page, not a picture"),
    (re.compile(rb"PK\x03\x04"), "a ZIP archive, not a picture"),
)


def inspect(data: bytes, max_pixels: int) -> Header:
    """Read what a file says of itself, checking that it is whole.

    Args:
        data: the file.
        max_pixels: the most that may be decoded.

    Raises:
        Flaw: it is empty, no picture, of a format that is not read, cut short, damaged, or larger than allowed.
    """
    if not data:
        raise Flaw("empty, no byte in it")
    head = data[:_HEAD_BYTES]
    read = _reader(head)
    if read is None:
        raise Flaw(_foreign(head))
    header = read(data)
    check_size(header.width, header.height, header.area, max_pixels)
    return header


def is_read(data: bytes) -> bool:
    """Whether it starts like a format that is read here."""
    return _reader(data[:_HEAD_BYTES]) is not None


def check_size(width: int, height: int, area: int, max_pixels: int) -> None:
    if width < 1 or height < 1:
        raise Flaw("damaged: it has no width or no height")
    if area > max_pixels:
        raise Flaw(f"too large: {width} × {height} pixels, and {max_pixels} are allowed")
    if max(width, height) > MAX_SIDE:
        raise Flaw(f"too large: {width} × {height} pixels, and a side may have {MAX_SIDE}")


def _reader(head: bytes) -> Callable[[bytes], Header] | None:
    return next((read for pattern, read in _READERS if pattern.match(head)), None)


def _foreign(head: bytes) -> str:
    for pattern, name in _OTHER_PICTURES:
        if pattern.match(head):
            article = "an" if name[0] in "OS" else "a"
            return f"{article} {name} picture, which OpenCV does not read; save it as JPEG or PNG"
    for pattern, reason in _NO_PICTURES:
        if pattern.match(head):
            return reason
    return "not a picture: it starts like no picture format"
