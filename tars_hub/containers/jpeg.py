"""JPEG: a walk over its segments to the end marker (ITU-T T.81, annex B)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tars_hub.containers import exif
from tars_hub.containers.parts import Flaw, Header, too_many, unpack

# A progressive file may repeat scans that cost a pass over the picture and almost no bytes.
MAX_SCANNED_PIXELS = 4_000_000_000
MAX_SEGMENTS = 100_000

# Bytes between segments are passed over, as libjpeg does; inside a scan FF 00 is data and FF D0 to D7 a restart.
_MARKER = re.compile(rb"\xff[^\x00\xff]")
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_END, _SCAN, _APP1 = 0xD9, 0xDA, 0xE1
_BARE = {0x01, *range(0xD0, 0xD8)}  # markers without a length
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_READ_FRAMES = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}  # sequential and progressive; the rest is lossless or hierarchical
_EXIF = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"


@dataclass
class _Found:
    size: tuple[int, int] | None = None  # width, height
    scans: int = 0
    notes: dict[bytes, bytes] = field(default_factory=dict)


def read(data: bytes) -> Header:
    """Walk to the end marker; bytes after it are no part of the picture."""
    found = _Found()
    at, pattern = 2, _MARKER
    for _ in range(MAX_SEGMENTS):
        match = pattern.search(data, at)
        if match is None:
            raise Flaw("cut short: a JPEG without its end marker")
        marker, at = data[match.end() - 1], match.end()
        if marker == _END:
            return _header(data, found)
        if marker not in _BARE:
            at = _segment(data, marker, at, found)
            pattern = _AFTER_SCAN if marker == _SCAN else _MARKER
    raise too_many("segments")


def _segment(data: bytes, marker: int, at: int, found: _Found) -> int:
    """Note what a segment says and return where it ends."""
    length: int = unpack(">H", data, at)[0]
    end = at + length
    if length < 2 or end > len(data):
        raise Flaw("cut short: a JPEG segment runs past the end")
    if marker in _FRAMES:
        found.size = found.size or _frame(data, marker, at)
    elif marker == _SCAN:
        found.scans += 1
    elif marker == _APP1:
        for prefix in (_EXIF, _XMP):
            if data.startswith(prefix, at + 2):
                found.notes.setdefault(prefix, data[at + 2 + len(prefix) : end])
    return end


def _frame(data: bytes, marker: int, at: int) -> tuple[int, int]:
    bits, height, width = unpack(">BHH", data, at + 2)
    if marker not in _READ_FRAMES or bits != 8:
        raise Flaw("a lossless, hierarchical or 12-bit JPEG, which OpenCV does not read; save it as a plain JPEG")
    return width, height


def _header(data: bytes, found: _Found) -> Header:
    if found.size is None or not found.scans:
        raise Flaw("damaged: a JPEG without a picture in it")
    width, height = found.size
    if width * height * found.scans > MAX_SCANNED_PIXELS:
        raise too_many("scans")
    orientation = exif.orientation(found.notes.get(_EXIF), found.notes.get(_XMP))
    return Header(kind="JPEG", body=data, width=width, height=height, orientation=orientation)
