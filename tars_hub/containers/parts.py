"""What the readers of all formats share: the header they return, the flaw they raise, reads that cannot overrun."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

MAX_BLOCKS = 1_000_000  # chunks, segments, boxes or tags of one file; real pictures have a few thousand at most


class Flaw(Exception):  # noqa: N818  # caught beside the reader and turned into PictureError, which has the name
    """Why some bytes or numbers are no usable picture, without the name of the picture."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a file says of itself before any pixel is decoded.

    Attributes:
        kind: the format's own name, such as "JPEG".
        width, height: as stored, in pixels, before the orientation is applied.
        orientation: EXIF's value, 1 (upright) to 8.
        body: the bytes that the decoder is to be given: the file, or a copy with only what makes pixels.
    """

    kind: str
    body: bytes = field(repr=False)
    width: int
    height: int
    orientation: int = 1

    @property
    def area(self) -> int:
        """Pixels that must fit in memory at once."""
        return self.width * self.height


def unpack(layout: str, data: bytes, at: int) -> tuple[Any, ...]:
    """struct.unpack_from, for an offset that the file itself may have named."""
    try:
        return struct.unpack_from(layout, data, at)
    except struct.error:
        raise Flaw("cut short") from None


def too_many(what: str) -> Flaw:
    return Flaw(f"damaged: it has more {what} than any picture needs")
