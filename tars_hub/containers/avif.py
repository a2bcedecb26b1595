"""AVIF: the boxes that name size, depth and orientation (ISO/IEC 14496-12, 23008-12, AV1 Image File Format)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tars_hub.containers.parts import MAX_BLOCKS, Flaw, Header, too_many, unpack

_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}

# Where to look into: box, or the file → (bytes before its own boxes, boxes of interest in it).
_PARENTS = {
    b"": (0, {b"meta", b"moov", b"mdat"}),
    b"meta": (4, {b"iprp", b"idat"}),
    b"iprp": (0, {b"ipco"}),
    b"ipco": (0, {b"ispe", b"av1C", b"irot", b"imir"}),
    b"moov": (0, {b"trak"}),
    b"trak": (0, {b"tkhd"}),
}
# (quarter turns anticlockwise, mirror axis or None) → EXIF's orientation; AVIF turns first and mirrors after.
_ORIENTATIONS = {
    (0, None): 1,
    (0, 1): 2,
    (2, 0): 2,
    (2, None): 3,
    (0, 0): 4,
    (2, 1): 4,
    (1, 0): 5,
    (3, 1): 5,
    (3, None): 6,
    (3, 0): 7,
    (1, 1): 7,
    (1, None): 8,
}


@dataclass(frozen=True, kw_only=True)
class AvifHeader(Header):
    """An AVIF's header; `depth` is in bits per sample. Width and height are of the largest picture in it."""

    depth: int


def read(data: bytes) -> AvifHeader:
    """Check that all boxes are there and read the properties of the pictures in them."""
    _check_brand(data)
    sizes: list[tuple[int, int]] = []
    first: dict[bytes, int] = {}
    for kind, start, end in _wanted(data):
        if kind == b"ispe":
            sizes.append(unpack(">II", data, start + 4))
        elif kind == b"tkhd":
            width, height = unpack(">II", data, max(start, end - 8))  # 16.16 fixed point
            sizes.append((width >> 16, height >> 16))
        else:
            first.setdefault(kind, unpack("B", data, start + (2 if kind == b"av1C" else 0))[0])
    if not sizes:
        raise Flaw("damaged: an AVIF that does not say its size")
    if not {b"mdat", b"idat"} & first.keys():
        raise Flaw("cut short: an AVIF without its pixels")
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    mirror = first[b"imir"] & 1 if b"imir" in first else None
    return AvifHeader(
        kind="AVIF",
        body=data,
        width=width,
        height=height,
        orientation=_ORIENTATIONS[first.get(b"irot", 0) & 3, mirror],
        depth=_depth(first.get(b"av1C", 0)),
    )


def _check_brand(data: bytes) -> None:
    (length,) = unpack(">I", data, 0)
    brands = {data[at : at + 4] for at in (8, *range(16, min(length, 256), 4))}
    if brands & _BRANDS:
        return
    what = "HEIC picture" if brands & _HEIC_BRANDS else "video or other media file"
    advice = "; save it as JPEG or PNG" if brands & _HEIC_BRANDS else ""
    raise Flaw(f"a {what}, which OpenCV does not read{advice}")


def _depth(flags: int) -> int:
    if flags & 0x40:
        return 12 if flags & 0x20 else 10
    return 8


def _wanted(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(name, start of the content, its end) of every box that says something about the pixels."""
    queue = [(b"", 0, len(data))]
    count = 0
    while queue:
        parent, start, end = queue.pop()
        skipped, interest = _PARENTS[parent]
        for kind, inner, inner_end in _boxes(data, start + skipped, end):
            count += 1
            if count > MAX_BLOCKS:
                raise too_many("boxes")
            if kind in interest and kind in _PARENTS:
                queue.append((kind, inner, inner_end))
            elif kind in interest:
                yield kind, inner, inner_end


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    while at != end:
        size, kind = unpack(">I4s", data, at)
        start = at + 8
        if size == 1:  # a length too large for 32 bits follows
            (size,) = unpack(">Q", data, start)
            start += 8
        size = size or end - at  # 0: up to the end
        if size < start - at or at + size > end:
            raise Flaw("cut short: an AVIF box runs past the end")
        yield kind, start, at + size
        at += size
