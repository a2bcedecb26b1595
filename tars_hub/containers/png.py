"""PNG: a walk over its chunks, and a copy with only those that make pixels (PNG 3rd edition, section 5)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from tars_hub.containers import exif
from tars_hub.containers.parts import MAX_BLOCKS, Flaw, Header, too_many, unpack

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAX_NOTE_BYTES = 1 << 20  # of unpacked text
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}  # by colour type
_GREY, _RGB, _PALETTE = 0, 2, 3
_PIXEL_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_RAW_EXIF = b"Raw profile type exif"  # as ImageMagick keeps it: lines of hexadecimal digits
_XMP = b"XML:com.adobe.xmp"


@dataclass(frozen=True, kw_only=True)
class PngHeader(Header):
    """A PNG's header.

    Attributes:
        depth: bits per sample.
        key: the one grey or RGB value, in samples as stored, that is transparent; OpenCV drops it from grey pictures.
    """

    depth: int
    key: tuple[int, ...] | None


def read(data: bytes) -> PngHeader:
    """Walk to IEND, checking lengths, and checksums where pixels hang on them."""
    chunks = list(_chunks(data))
    if chunks[0][0] != b"IHDR" or chunks[0][2] != 13:
        raise Flaw("damaged: a PNG that does not start with its header")
    width, height, depth, colour = unpack(">IIBB", data, chunks[0][1])
    if depth not in _DEPTHS.get(colour, ()):
        raise Flaw(f"damaged: a PNG of {depth} bits and colour type {colour}")
    pixel_chunks = [chunk for chunk in chunks if chunk[0] in _PIXEL_CHUNKS]
    for chunk in pixel_chunks:
        _check(data, *chunk)
    kept = [chunk for chunk in pixel_chunks if chunk[0] != b"tRNS" or colour == _PALETTE]
    view = memoryview(data)
    return PngHeader(
        kind="PNG",
        width=width,
        height=height,
        orientation=_orientation(data, chunks),
        body=b"".join([SIGNATURE, *(view[start - 8 : start + length + 4] for _, start, length in kept)]),
        depth=depth,
        key=_key(data, pixel_chunks, colour, depth),
    )


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(type, start of the content, its length), IEND last."""
    at = len(SIGNATURE)
    for _ in range(MAX_BLOCKS):
        length, kind = unpack(">I4s", data, at)
        at += 12 + length
        if at > len(data):
            raise Flaw("cut short: a PNG chunk runs past the end")
        if kind not in _PIXEL_CHUNKS and not kind[0] & 0x20:  # an upper-case first letter: needed for the pixels
            raise Flaw(f"a PNG with a {kind.decode('latin-1')!a} chunk, which OpenCV does not read; save it anew")
        yield kind, at - 4 - length, length
        if kind == b"IEND":
            return
    raise too_many("chunks")


def _check(data: bytes, kind: bytes, start: int, length: int) -> None:
    (stored,) = unpack(">I", data, start + length)
    if zlib.crc32(memoryview(data)[start - 4 : start + length]) != stored:
        raise Flaw(f"damaged: the checksum of its {kind.decode()} chunk is wrong")


def _key(data: bytes, chunks: list[tuple[bytes, int, int]], colour: int, depth: int) -> tuple[int, ...] | None:
    samples = {_GREY: 1, _RGB: 3}.get(colour)
    for kind, start, length in chunks:
        if kind == b"tRNS" and samples is not None and length == 2 * samples:
            return tuple(value & ((1 << depth) - 1) for value in unpack(f">{samples}H", data, start))
    return None


def _orientation(data: bytes, chunks: list[tuple[bytes, int, int]]) -> int:
    notes: dict[bytes, bytes] = {}
    for kind, start, length in chunks:
        content = data[start : start + length] if kind in {b"eXIf", b"tEXt", b"zTXt", b"iTXt"} else b""
        if kind == b"eXIf":
            notes.setdefault(b"eXIf", content)
        elif content.startswith((_RAW_EXIF + b"\0", _XMP + b"\0")):
            name, _, rest = content.partition(b"\0")
            if name not in notes:  # a thousand of them would take long to unpack
                notes[name] = _text(kind, rest)
    return exif.orientation(notes.get(b"eXIf") or _unhex(notes.get(_RAW_EXIF)), notes.get(_XMP))


def _text(kind: bytes, rest: bytes) -> bytes:
    """The text of a chunk, from behind its name."""
    packed = kind == b"zTXt"
    if kind == b"iTXt":
        packed, rest = rest[:1] == b"\1", rest[1:]
    if kind != b"tEXt":
        rest = rest[1:]  # the method: always zlib
    if kind == b"iTXt":
        rest = rest.split(b"\0", 2)[-1]  # behind two words on the language
    return _inflate(rest) if packed else rest


def _inflate(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, _MAX_NOTE_BYTES)
    except zlib.error:
        return b""


def _unhex(profile: bytes | None) -> bytes | None:
    """The bytes of a raw profile: a line break, its name, its length, then digits."""
    try:
        return None if profile is None else bytes.fromhex(b"".join(profile.split(b"\n")[3:]).decode("ascii"))
    except ValueError:
        return None
