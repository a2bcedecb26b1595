"""Pictures for tests: real photographs in every format and mode, and files built by hand where no encoder would."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import skimage.data
import tifffile
from PIL import Image, ImageOps

from tars_hub.containers.png import SIGNATURE

Pixels = npt.NDArray[np.uint8]


@cache
def _astronaut() -> Image.Image:
    return Image.fromarray(skimage.data.astronaut())  # type: ignore[no-untyped-call]


def photo(width: int = 41, height: int = 31) -> Image.Image:
    """A photograph of this size, RGB, in which no two sides are alike."""
    return _astronaut().crop((100, 0, 400, 300)).resize((width, height))


def with_alpha(image: Image.Image) -> Image.Image:
    """RGBA, with every alpha from 0 to 255 in it."""
    alpha = np.linspace(0, 255, image.width * image.height).astype(np.uint8).reshape(image.height, image.width)
    result = image.convert("RGB")
    result.putalpha(Image.fromarray(alpha))
    return result


def grey_16_bit(width: int = 41, height: int = 31) -> npt.NDArray[np.uint16]:
    return np.random.default_rng(0).integers(0, 65536, (height, width)).astype(np.uint16)


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def encode_tiff(samples: npt.NDArray[Any], photometric: str, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, samples, photometric=photometric, metadata=None, **options)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    """A PIL image that has not been loaded yet."""
    return Image.open(io.BytesIO(data))


def loaded(data: bytes) -> Image.Image:
    image = opened(data)
    image.load()
    return image


def on_white(image: Image.Image) -> Pixels:
    """(H, W, 3), upright, as PIL makes it."""
    rgba = ImageOps.exif_transpose(image).convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    return np.asarray(Image.alpha_composite(white, rgba).convert("RGB"))


def far(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> int:
    """The largest difference between two arrays of one shape."""
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other.astype(int)).max())


def flipped(data: bytes, times: int, seed: str, *, within: int = 1 << 30) -> Iterator[bytes]:
    """The same bytes with 1 to 8 bits or bytes changed at random, so many times over."""
    dice = np.random.default_rng(zlib.crc32(seed.encode()))
    for _ in range(times):
        damaged = bytearray(data)
        for at in dice.integers(0, min(len(data), within), dice.choice((1, 2, 8))):
            damaged[at] = dice.choice((damaged[at] ^ 1 << dice.integers(8), 0, 1, 127, 255))
        yield bytes(damaged)


def png(width: int, height: int, depth: int, colour: int, rows: Iterable[bytes], *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG of these rows; extra chunks go before the pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return png_of([(b"IHDR", header), *extra, (b"IDAT", pixels), (b"IEND", b"")])


def png_of(chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    packed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return SIGNATURE + b"".join(packed)


def png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    chunks, at = [], len(SIGNATURE)
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        chunks.append((kind, data[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


def bmp(samples: npt.NDArray[Any], bits: int, *masks: int, info: int = 40) -> bytes:
    """A bottom-up BMP; masks make it one of bit fields."""
    rows = b"".join(row.tobytes() + bytes(-row.nbytes % 4) for row in samples[::-1])
    height, width = samples.shape[:2]
    header = struct.pack("<IiiHHIIiiII", info, width, height, 1, bits, 3 if masks else 0, len(rows), 0, 0, 0, 0)
    header += struct.pack(f"<{len(masks)}I", *masks)
    header += bytes(max(0, info - len(header)))
    return b"BM" + struct.pack("<IHHI", 14 + len(header) + len(rows), 0, 0, 14 + len(header)) + header + rows


def gif_of_codes(codes: bytes, width: int, height: int) -> bytes:
    """A GIF whose compressed pixels are these bytes."""
    blocks = b"".join(bytes((len(codes[at : at + 255]),)) + codes[at : at + 255] for at in range(0, len(codes), 255))
    screen = struct.pack("<HHBBB", width, height, 0x80 | 7, 0, 0) + bytes(768)
    return b"GIF89a" + screen + struct.pack("<B4HBB", 0x2C, 0, 0, width, height, 0, 8) + blocks + b"\0;"


def _animated(kind: str) -> bytes:
    return encode(photo(23, 17), kind, save_all=True, append_images=[photo(23, 17).rotate(180)])


def _pages() -> bytes:
    page = np.asarray(photo(23, 17))
    return encode_tiff(np.stack([page, 255 - page]), "rgb")


# One small file of each format and way of writing it.
FILES: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: encode(photo(23, 17), "JPEG", exif=turned(6)),
    "jpeg-progressive": lambda: encode(photo(23, 17), "JPEG", progressive=True),
    "jpeg-cmyk": lambda: encode(photo(23, 17).convert("CMYK"), "JPEG"),
    "png": lambda: encode(photo(23, 17), "PNG", exif=turned(6)),
    "png-palette": lambda: encode(photo(23, 17).quantize(16), "PNG", transparency=bytes(range(0, 256, 16))),
    "png-animated": lambda: _animated("PNG"),
    "gif": lambda: encode(photo(23, 17), "GIF"),
    "gif-animated": lambda: _animated("GIF"),
    "webp": lambda: encode(photo(23, 17), "WEBP", exif=turned(6)),
    "webp-lossless": lambda: encode(with_alpha(photo(23, 17)), "WEBP", lossless=True),
    "webp-alpha": lambda: encode(with_alpha(photo(23, 17)), "WEBP"),
    "webp-animated": lambda: _animated("WEBP"),
    "tiff": lambda: encode(photo(23, 17), "TIFF", tiffinfo={274: 6}),
    "tiff-lzw": lambda: encode(photo(23, 17), "TIFF", compression="tiff_lzw"),
    "tiff-jpeg": lambda: encode(photo(23, 17), "TIFF", compression="jpeg"),
    "tiff-fax": lambda: encode(photo(23, 17).convert("1"), "TIFF", compression="group4"),
    "tiff-exif": lambda: encode(photo(23, 17), "TIFF", exif=turned(6)),
    "tiff-big": lambda: encode_tiff(np.asarray(photo(23, 17)), "rgb", bigtiff=True),
    "tiff-big-endian": lambda: encode_tiff(np.asarray(photo(23, 17)), "rgb", byteorder=">"),
    "tiff-pages": _pages,
    "bmp": lambda: encode(photo(23, 17), "BMP"),
    "bmp-palette": lambda: encode(photo(23, 17).quantize(16), "BMP"),
    "avif": lambda: encode(photo(23, 17), "AVIF", exif=turned(6)),
    "avif-alpha": lambda: encode(with_alpha(photo(23, 17)), "AVIF"),
    "ppm": lambda: encode(photo(23, 17), "PPM"),
    "pgm-16-bit": lambda: b"P5 23 17 65535\n" + grey_16_bit(23, 17).astype(">u2").tobytes(),
    "pbm": lambda: encode(photo(23, 17).convert("1"), "PPM"),
    "ppm-text": lambda: b"P3\n# by hand\n3 2\n255\n" + b" ".join(b"%d" % value for value in range(9, 27)),
}


def as_modes() -> dict[str, Image.Image]:
    """One picture in every mode that PIL has."""
    rgb = photo()
    rgba, grey = with_alpha(rgb), rgb.convert("L")
    modes = {mode: rgb.convert(mode) for mode in ("1", "L", "RGB", "RGBX", "CMYK", "YCbCr", "HSV")}
    modes |= {mode: rgba.convert(mode) for mode in ("RGBA", "RGBa", "LA")}
    wide = np.asarray(grey).astype(np.uint16) * 257
    return modes | {
        "P": rgb.quantize(64),
        "PA": rgb.quantize(64).convert("PA"),
        "La": rgba.convert("LA").convert("La"),
        "LAB": Image.fromarray(np.asarray(grey)[..., None] * np.array([1, 0, 0], np.uint8), "LAB"),
        "I": Image.fromarray(wide.astype(np.int32)),
        "I;16": Image.fromarray(wide),
        "I;16B": Image.fromarray(wide.astype(">u2")),
        "F": Image.fromarray(np.asarray(grey).astype(np.float32) / 255),
    }
