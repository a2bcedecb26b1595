"""Pictures whose bytes are the samples themselves: PNM, and BMP with 16 or 32 bits a pixel.

OpenCV takes 8-bit PNM's numbers for the samples whatever their white is, and BMP's unused bits for alpha.
"""

from __future__ import annotations

import re

import numpy as np

from tars_hub import samples
from tars_hub.containers import Flaw
from tars_hub.containers.bmp import BmpHeader, row_bytes
from tars_hub.containers.pnm import PnmHeader
from tars_hub.samples import Pixels, Samples


def masked_bmp(header: BmpHeader) -> Pixels:
    """A BMP whose pixels are numbers with a mask for each colour → (H, W, 3) RGB."""
    stride = row_bytes(header.width, header.bits)
    rows = np.frombuffer(header.body, np.uint8, stride * header.height, header.start).reshape(header.height, stride)
    words = rows.view(f"<u{header.bits // 8}")[:: -1 if header.bottom_up else 1, : header.width]
    return samples.to_rgb(np.stack([_field(words, mask) for mask in header.masks or () if mask], axis=2))


def pnm(header: PnmHeader) -> Pixels:
    """A PNM, text or binary → (H, W, 3) RGB."""
    numbers = _text(header) if header.text else _binary(header)
    if header.bitmap:
        return samples.to_rgb((1 - numbers).astype(np.bool_).reshape(header.height, header.width))
    numbers = numbers.reshape(header.height, header.width, header.channels)
    new_top = 65535 if header.top > 255 and header.channels == 1 else 255  # PIL keeps the depth of grey pictures alone
    return samples.to_rgb(numbers if header.top == new_top else samples.rescale(numbers, header.top, new_top))


def _field(words: Samples, mask: int) -> Samples:
    """The bits of a mask, spread over 0..255 and rounded down as PIL does."""
    shift = (mask & -mask).bit_length() - 1
    top = mask >> shift
    return samples.by_rows(lambda rows: (rows.astype(np.uint32) >> shift & top) * 255 // top, words)


def _binary(header: PnmHeader) -> Samples:
    if header.bitmap:
        stride = (header.width + 7) // 8
        rows = np.frombuffer(header.body, np.uint8, stride * header.height, header.start).reshape(header.height, stride)
        return np.unpackbits(rows, axis=1, count=header.width)
    count = header.width * header.height * header.channels
    return np.frombuffer(header.body, ">u2" if header.top > 255 else np.uint8, count, header.start)


def _text(header: PnmHeader) -> Samples:
    text = re.sub(rb"#[^\r\n]*", b" ", header.body[header.start :])
    if re.fullmatch(rb"[01\s]*" if header.bitmap else rb"[\d\s]*", text) is None:
        raise Flaw("damaged: a PNM with something else than digits in it")
    if header.bitmap:
        numbers: Samples = np.frombuffer(b"".join(text.split()), np.uint8) - np.uint8(ord("0"))
    else:
        numbers = np.fromstring(text.decode("ascii"), np.uint32, sep=" ")
    count = header.width * header.height * header.channels
    if len(numbers) < count:
        raise Flaw("cut short: a PNM with fewer samples than it says")
    if numbers[:count].max() > header.top:
        raise Flaw(f"damaged: a PNM with samples above its white, {header.top}")
    return numbers[:count].astype(np.uint8 if header.top < 256 else np.uint16)
