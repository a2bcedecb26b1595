"""WebP: a walk over its RIFF chunks (WebP container specification)."""

from __future__ import annotations

from collections.abc import Iterator

from tars_hub.containers import exif
from tars_hub.containers.parts import MAX_BLOCKS, Flaw, Header, too_many, unpack

_PICTURES = {b"VP8 ", b"VP8L", b"ANMF"}


def read(data: bytes) -> Header:
    """Check that all chunks are there and read the size of the canvas."""
    (size,) = unpack("<I", data, 4)
    if size + 8 > len(data):
        raise Flaw("cut short: a WebP that is smaller than it says")
    places: dict[bytes, tuple[int, int]] = {}
    for kind, start, end in _chunks(data, size + 8):
        places.setdefault(kind, (start, end))
    if not _PICTURES & places.keys():
        raise Flaw("damaged: a WebP without a picture in it")
    width, height = _size(data)
    notes = {kind: data[slice(*places[kind])] for kind in (b"EXIF", b"XMP ") if kind in places}
    orientation = exif.orientation(notes.get(b"EXIF"), notes.get(b"XMP "))
    return Header(kind="WebP", body=data, width=width, height=height, orientation=orientation)


def _chunks(data: bytes, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(name, start of the content, its end)."""
    at = 12
    for _ in range(MAX_BLOCKS):
        if at >= end:
            return
        kind, length = unpack("<4sI", data, at)
        start = at + 8
        if start + length > end:
            raise Flaw("cut short: a WebP chunk runs past the end")
        yield kind, start, start + length
        at = start + length + length % 2
    raise too_many("chunks")


def _size(data: bytes) -> tuple[int, int]:
    """(width, height): the first chunk is the canvas or, where there is none, the only picture."""
    kind = data[12:16]
    if kind == b"VP8X":
        low_width, high_width, low_height, high_height = unpack("<HBHB", data, 24)
        return 1 + low_width + (high_width << 16), 1 + low_height + (high_height << 16)
    if kind == b"VP8L":
        (bits,) = unpack("<I", data, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = unpack("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise Flaw("damaged: a WebP that starts with neither a canvas nor a picture")
