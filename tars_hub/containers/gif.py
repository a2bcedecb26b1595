"""GIF: a walk over its blocks, and a copy with the first frame alone (GIF89a specification)."""

from __future__ import annotations

from dataclasses import dataclass

from tars_hub.containers.parts import MAX_BLOCKS, Flaw, Header, too_many, unpack

# OpenCV takes 4 µs for each reset of the code table, so a row of them would hold it for hours. Counting them takes a
# second for 7 MB, so it is left out where they cannot do harm.
MAX_RESETS = 250_000
_HARMLESS_BYTES = 1 << 18
MAX_FRAME_BYTES = 32 << 20

_EXTENSION, _IMAGE, _TRAILER, _CONTROL = 0x21, 0x2C, 0x3B, 0xF9


@dataclass(frozen=True)
class _Frame:
    """Where a frame and its compressed pixels start and end, and the screen it needs, in pixels."""

    start: int
    codes: int
    end: int
    width: int
    height: int


def read(data: bytes) -> Header:
    """Walk to the trailer, over all frames."""
    screen = unpack("<HHB", data, 6)
    tables_end = 13 + _table_bytes(screen[2])
    frame, transparent = _walk(data, tables_end)
    _check_codes(data, frame)
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
    return _Frame(at, codes, end, left + width, top + height)


def _check_codes(data: bytes, frame: _Frame) -> None:
    """Refuse compressed pixels that would take far longer than others."""
    if frame.end - frame.codes > MAX_FRAME_BYTES:
        raise Flaw(f"too large: a GIF frame of more than {MAX_FRAME_BYTES} bytes")
    if frame.end - frame.codes > _HARMLESS_BYTES and _resets(data, frame) > MAX_RESETS:
        raise too_many("resets")


def _resets(data: bytes, frame: _Frame) -> int:
    """How often the codes start anew; a code's width grows with the table, up to 12 bits."""
    (depth,) = unpack("B", data, frame.codes)
    clear = 1 << depth
    bits = available = count = 0
    width, table = depth + 1, clear + 1
    for byte in _unblocked(data, frame.codes + 1):
        bits |= byte << available
        available += 8
        while available >= width:
            code = bits & ((1 << width) - 1)
            bits >>= width
            available -= width
            table += 1
            if code == clear:
                count += 1
                width, table = depth + 1, clear + 1
            elif table == 1 << width and width < 12:
                width += 1
    return count


def _unblocked(data: bytes, at: int) -> bytes:
    """The content of a row of sub-blocks."""
    parts = []
    while data[at]:
        parts.append(data[at + 1 : at + 1 + data[at]])
        at += data[at] + 1
    return b"".join(parts)


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
