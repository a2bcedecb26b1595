"""PNM (PBM, PGM, PPM; text and binary): the header, and whether all samples are there."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tars_hub.containers.parts import Flaw, Header

_MAX_HEADER_BYTES = 1 << 16
_GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
_BITMAP = re.compile(rb"P[14]" + _GAP + rb"(\d{1,10})" + _GAP + rb"(\d{1,10})\s")
_OTHER = re.compile(rb"P[2356]" + _GAP + rb"(\d{1,10})" + _GAP + rb"(\d{1,10})" + _GAP + rb"(\d{1,5})\s")


@dataclass(frozen=True, kw_only=True)
class PnmHeader(Header):
    """A PNM's header.

    Attributes:
        channels: 1 or 3.
        text: whether samples are written in digits.
        bitmap: whether samples are bits, 1 for black.
        top: the value of white; 1 for a bitmap.
        start: where the samples begin, in bytes.
    """

    channels: int
    text: bool
    bitmap: bool
    top: int
    start: int


def read(data: bytes) -> PnmHeader:
    """Read the header; of binary samples, check that all are there."""
    variant = data[1] - ord("0")
    bitmap = variant in {1, 4}
    match = (_BITMAP if bitmap else _OTHER).match(data, 0, _MAX_HEADER_BYTES)
    if match is None:
        raise Flaw("cut short, or no picture: it starts like a PNM but has no PNM header")
    numbers = [int(number) for number in match.groups()]
    header = PnmHeader(
        kind="PNM",
        body=data,
        width=numbers[0],
        height=numbers[1],
        channels=3 if variant in {3, 6} else 1,
        text=variant <= 3,
        bitmap=bitmap,
        top=1 if bitmap else numbers[2],
        start=match.end(),
    )
    if not 1 <= header.top <= 65535:
        raise Flaw(f"damaged: a PNM whose white is {header.top}")
    if header.start + _least_bytes(header) > len(data):
        raise Flaw("cut short: a PNM with fewer samples than it says")
    return header


def _least_bytes(header: PnmHeader) -> int:
    """Bytes that the samples take; in text, at least."""
    samples = header.width * header.height * header.channels
    if header.text:
        return samples if header.bitmap else 2 * samples - 1
    if header.bitmap:
        return (header.width + 7) // 8 * header.height
    return samples * (2 if header.top > 255 else 1)
