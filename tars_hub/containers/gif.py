"""GIF: a walk over its blocks, and a copy with the first frame alone (GIF89a specification)."""

from __future__ import annotations

from dataclasses import dataclass

from tars_hub.containers.parts import MAX_BLOCKS, Flaw, Header, too_many, unpack

# A picture needs at most one 12-bit code a pixel and few resets. OpenCV takes 4 µs for each reset, so an endless row of
# them would hold it for hours; these limits make it half a minute at worst.
_BYTES_PER_PIXEL = 2
_SPARE_BYTES = 1 << 16
MAX_FRAME_BYTES = 8 << 20

_EXTENSION, _IMAGE, _TRAILER, _CONTROL = 0x21, 0x2C, 0x3B, 0xF9


@dataclass(frozen=True)
class _Frame:
    start: int
    end: int
    width: int  # of the screen it needs, in pixels
    height: int


def read(data: bytes) -> Header:
    """Walk to the trailer, over all frames."""
    screen = unpack("<HHB", data, 6)
    tables_end = 13 + _table_bytes(screen[2])
    frame, transparent = _walk(data, tables_end)
    width, height = max(screen[0], frame.width), max(screen[1], frame.height)
    # Background colour 0: what a small first frame leaves free, and always inside the colour table.
    opening = b"GIF89a" + width.to_bytes(2, "little") + height.to_bytes(2, "little") + bytes((screen[2], 0, 0))
    control = b"" if transparent is None else bytes((_EXTENSION, _CONTROL, 4, 1, 0, 0, transparent, 0))
    body = b"".join((opening, data[13:tables_end], control, data[frame.start : frame.end], bytes((_TRAILER,))))
    return Header(kind="GIF", width=width, height=height, body=body)


def _walk(data: bytes, at: int) -> tuple[_Frame, int | None]:
    """The first frame and its transparent colour, once the trailer has been seen."""
    frame, transparent = None, None
    for _ in range(MAX_BLOCKS):
        (block,) = unpack("B", data, at)
        if block == _TRAILER:
            if frame is None:
                raise Flaw("a GIF without a picture in it")
            return frame, transparent
        if block == _EXTENSION:
            if frame is None:
                transparent = _transparent(data, at, transparent)
            at = _skip(data, at + 2)
        elif block == _IMAGE:
            this = _frame(data, at)
            frame, at = frame or this, this.end
        elif block == 0:  # a stray end of block; browsers pass over it too
            at += 1
        else:
            raise Flaw(f"damaged: a GIF block of unknown type {block}")
    raise too_many("blocks")


def _transparent(data: bytes, at: int, before: int | None) -> int | None:
    label, size, flags, _, index = unpack("<BBBHB", data, at + 1)
    return index if label == _CONTROL and size >= 4 and flags & 1 else before


def _frame(data: bytes, at: int) -> _Frame:
    left, top, width, height, flags = unpack("<4HB", data, at + 1)
    codes = at + 10 + _table_bytes(flags)
    end = _skip(data, codes + 1)
    if end - codes > min(width * height * _BYTES_PER_PIXEL + _SPARE_BYTES, MAX_FRAME_BYTES):
        raise Flaw("damaged: a GIF frame with far more data than its pixels need")
    return _Frame(at, end, left + width, top + height)


def _table_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _skip(data: bytes, at: int) -> int:
    """Behind a row of sub-blocks, each led by its length and the last of length 0."""
    try:
        while data[at]:
            at += data[at] + 1
    except IndexError:
        raise Flaw("cut short: a GIF without its trailer") from None
    return at + 1
