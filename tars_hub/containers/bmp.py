"""BMP: header, colour masks, and whether all rows are there."""

from __future__ import annotations

from dataclasses import dataclass

from tars_hub.containers.parts import Flaw, Header, unpack

_INFO_BYTES = {40, 52, 56, 64, 108, 124}  # of the headers of Windows and OS/2 2.x; OS/2 1.x has 12
_PLAIN, _RLE8, _RLE4, _MASKED = 0, 1, 2, 3
_PLAIN_MASKS = {16: (0x7C00, 0x3E0, 0x1F, 0), 32: (0xFF0000, 0xFF00, 0xFF, 0)}
_UNREAD = "a BMP of a kind that OpenCV does not read; save it as PNG"


@dataclass(frozen=True, kw_only=True)
class BmpHeader(Header):
    """A BMP's header.

    Attributes:
        bits: per pixel.
        masks: of red, green, blue and alpha in a 16- or 32-bit pixel; None where OpenCV decodes the file.
        start: where the rows begin, in bytes.
        bottom_up: whether the lowest row comes first.
    """

    bits: int
    masks: tuple[int, int, int, int] | None
    start: int
    bottom_up: bool


def row_bytes(width: int, bits: int) -> int:
    return (width * bits + 31) // 32 * 4


def read(data: bytes) -> BmpHeader:
    """Read the header and check that the rows lie inside the file."""
    start, info = unpack("<II", data, 10)
    if info == 12:
        width, height, _, bits = unpack("<4H", data, 18)
        method, stored, colours = _PLAIN, 0, 0
    elif info in _INFO_BYTES:
        width, height, _, bits, method, stored, _, _, colours = unpack("<iiHHIIiiI", data, 18)
    else:
        raise Flaw("not a picture: it starts like a BMP but has no BMP header")
    if width < 0:
        raise Flaw("damaged: a BMP of negative width")
    masks = _masks(data, info, bits, method)
    if masks is None and (colours > 256 or (bits, method) not in _BY_OPENCV):
        raise Flaw(_UNREAD)
    needed = stored if method in {_RLE8, _RLE4} else row_bytes(width, bits) * abs(height)
    if start < 14 + info or start + needed > len(data):
        raise Flaw("cut short: a BMP with fewer rows than it says")
    return BmpHeader(
        kind="BMP",
        body=data,
        width=width,
        height=abs(height),
        bits=bits,
        masks=masks,
        start=start,
        bottom_up=height > 0,
    )


_BY_OPENCV = {(1, _PLAIN), (4, _PLAIN), (8, _PLAIN), (24, _PLAIN), (8, _RLE8), (4, _RLE4)}


def _masks(data: bytes, info: int, bits: int, method: int) -> tuple[int, int, int, int] | None:
    """OpenCV reads 16- and 32-bit pixels by fixed masks and takes unused bits for alpha, so these are read here."""
    if bits not in _PLAIN_MASKS or method not in {_PLAIN, _MASKED}:
        return None
    if method == _PLAIN:
        return _PLAIN_MASKS[bits]
    red, green, blue = unpack("<3I", data, 54)
    alpha = unpack("<I", data, 66)[0] if info >= 56 and info != 64 else 0
    if not all(_contiguous(mask, bits) for mask in (red, green, blue, alpha)) or not red or not green or not blue:
        raise Flaw(_UNREAD)
    return red, green, blue, alpha


def _contiguous(mask: int, bits: int) -> bool:
    """Whether a mask is one run of at most 16 bits inside the pixel, or empty."""
    low = mask & -mask
    return mask == 0 or (mask < 1 << bits and (mask + low) & mask == 0 and mask < low << 16)
