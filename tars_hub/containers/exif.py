"""How a camera was held: the orientation in EXIF, and in XMP where EXIF has none."""

from __future__ import annotations

import re

from tars_hub.containers.parts import Flaw, unpack

ORIENTATION_TAG = 0x0112
_WHOLE_NUMBERS = {1: "B", 3: "H", 4: "I"}  # TIFF's BYTE, SHORT and LONG
_IN_XMP = re.compile(rb"tiff:Orientation(?:=\"|>)([0-9])")


def orientation(exif: bytes | None, xmp: bytes | None = None) -> int:
    """1 to 8; 1 where nothing is said, or nothing that makes sense."""
    value = None if exif is None else _in_exif(exif.removeprefix(b"Exif\0\0"))
    if value is None and xmp is not None:
        found = _IN_XMP.search(xmp)
        value = int(found[1]) if found else None
    return valid(value)


def valid(value: object) -> int:
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _in_exif(tiff: bytes) -> int | None:
    """The tag of the first directory of a TIFF structure; None where it is missing or out of reach."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return None
    try:
        (directory,) = unpack(order + "I", tiff, 4)
        (count,) = unpack(order + "H", tiff, directory)
        for index in range(count):
            at = directory + 2 + 12 * index
            tag, kind = unpack(order + "HH", tiff, at)
            if tag == ORIENTATION_TAG:
                return int(unpack(order + _WHOLE_NUMBERS[kind], tiff, at + 8)[0]) if kind in _WHOLE_NUMBERS else None
    except Flaw:  # a broken note on the picture does not break the picture
        pass
    return None
