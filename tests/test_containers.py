"""tars_hub.containers: what a file says of itself, and whether all of it is there."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from tars_hub import containers
from tars_hub.containers import Flaw, Header, exif, gif, jpeg
from tars_hub.containers.png import SIGNATURE
from tests.pictures import FILES, encode, encode_tiff, flipped, gif_of_codes, photo, png, png_chunks, png_of, turned

MAX_PIXELS = 1_000_000
KINDS = {"jpeg": "JPEG", "png": "PNG", "gif": "GIF", "webp": "WebP", "tiff": "TIFF", "bmp": "BMP", "avif": "AVIF"}


def inspect(data: bytes) -> Header:
    return containers.inspect(data, MAX_PIXELS)


def chunk_of_exif(orientation: int, *, order: str = ">", kind: str = "H") -> bytes:
    start = b"MM\0*" if order == ">" else b"II*\0"
    value = struct.pack(order + kind, orientation).ljust(4, b"\0")
    tag = struct.pack(order + "HHI", 0x0112, {"B": 1, "H": 3, "I": 4, "f": 11}[kind], 1) + value
    return start + struct.pack(order + "IH", 8, 1) + tag + bytes(4)


@pytest.mark.parametrize("name", FILES)
def test_says_kind_and_size(name: str) -> None:
    header = inspect(FILES[name]())
    assert header.kind == KINDS.get(name.split("-", maxsplit=1)[0], "PNM")
    assert (header.width, header.height) == ((3, 2) if name == "ppm-text" else (23, 17))


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "tiff", "tiff-exif", "avif"])
def test_says_orientation(name: str) -> None:
    assert inspect(FILES[name]()).orientation == 6


@pytest.mark.parametrize("name", sorted(FILES.keys() - {"ppm-text"}))  # whose samples are counted when they are decoded
def test_every_cut_is_refused(name: str) -> None:
    data = FILES[name]()
    for length in range(len(data)):
        with pytest.raises(Flaw):
            inspect(data[:length])


@pytest.mark.parametrize("name", ["jpeg", "png", "gif", "webp", "tiff", "bmp", "ppm", "pbm"])
def test_bytes_after_the_end_do_not_matter(name: str) -> None:
    data = FILES[name]()
    assert inspect(data + b"more of something").width == inspect(data).width


@pytest.mark.parametrize("within", [64, 1 << 20])
@pytest.mark.parametrize("name", FILES)
def test_flipped_bits_raise_nothing_else(name: str, within: int) -> None:
    for damaged in flipped(FILES[name](), 200, name, within=within):
        with suppress(Flaw):
            inspect(damaged)


class TestSizeIsCheckedFirst:
    """A header that claims more than is allowed is refused before a pixel is decoded."""

    SIDE = 60_000

    def jpeg(self) -> bytes:
        data = encode(photo(), "JPEG")
        at = data.index(b"\xff\xc0") + 5
        return data[:at] + struct.pack(">HH", self.SIDE, self.SIDE) + data[at + 4 :]

    def png(self) -> bytes:
        return png(self.SIDE, self.SIDE, 8, 2, [bytes(9)])

    def gif_screen(self) -> bytes:
        data = encode(photo(), "GIF")
        return data[:6] + struct.pack("<HH", self.SIDE, self.SIDE) + data[10:]

    def gif_frame(self) -> bytes:
        data = encode(photo(), "GIF")
        at = data.index(b"\x2c\0\0\0\0") + 5
        return data[:at] + struct.pack("<HH", self.SIDE, self.SIDE) + data[at + 4 :]

    def webp_lossy(self) -> bytes:
        data = encode(photo(), "WEBP")
        at = data.index(b"\x9d\x01\x2a") + 3
        return data[:at] + struct.pack("<HH", 16383, 16383) + data[at + 4 :]

    def webp_lossless(self) -> bytes:
        data = encode(photo(), "WEBP", lossless=True)
        at = data.index(b"VP8L") + 9
        return data[:at] + struct.pack("<I", 0x0FFF_FFFF) + data[at + 4 :]

    def webp_canvas(self) -> bytes:
        data = FILES["webp-alpha"]()
        at = data.index(b"VP8X") + 12
        return data[:at] + b"\xff\xff\x00\xff\xff\x00" + data[at + 6 :]

    def tiff(self) -> bytes:
        data = encode_tiff(np.zeros((64, 16), np.uint8), "minisblack", compression="zlib")
        return _patched_tag(data, 256, self.SIDE)

    def tiff_tile(self) -> bytes:
        data = encode_tiff(np.zeros((16, 16), np.uint8), "minisblack", tile=(16, 16), compression="zlib")
        return _patched_tag(_patched_tag(data, 322, self.SIDE), 323, self.SIDE)

    def bigtiff(self) -> bytes:
        data = encode_tiff(np.zeros((64, 16), np.uint8), "minisblack", bigtiff=True, compression="zlib")
        at = data.index(struct.pack("<HHQ", 256, 4, 1)) + 12
        return data[:at] + struct.pack("<I", self.SIDE) + data[at + 4 :]

    def webp_with_a_second_canvas(self) -> bytes:
        data = self.webp_lossy() + b"VP8X" + struct.pack("<I", 10) + bytes(10)
        return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]

    def bmp(self) -> bytes:
        data = encode(photo(), "BMP")
        return data[:18] + struct.pack("<ii", 4096, -4096) + data[26:] + bytes(4096 * 4096 * 3)

    def avif(self) -> bytes:
        data = encode(photo(), "AVIF")
        at = data.index(b"ispe") + 8
        return data[:at] + struct.pack(">II", self.SIDE, self.SIDE) + data[at + 8 :]

    def pnm(self) -> bytes:
        return b"P4 4096 4096\n" + bytes(4096 * 512)

    @pytest.mark.parametrize(
        "build",
        [
            *(jpeg, png, gif_screen, gif_frame, webp_lossy, webp_lossless, webp_canvas, webp_with_a_second_canvas),
            *(tiff, tiff_tile, bigtiff, bmp, avif, pnm),
        ],
    )
    def test_refused(self, build: Callable[[TestSizeIsCheckedFirst], bytes]) -> None:
        with pytest.raises(Flaw, match=r"too large: .* pixels, and 1000000 are allowed"):
            inspect(build(self))

    def test_no_side_is_longer_than_opencv_allows(self) -> None:
        with pytest.raises(Flaw, match="a side may have 1048576"):
            containers.inspect(b"P5 1048577 1 255\n" + bytes(1048577), 1 << 30)

    def test_nothing_wide(self) -> None:
        with pytest.raises(Flaw, match="no width"):
            inspect(b"P5 0 9 255\n")


def _patched_tag(data: bytes, tag: int, value: int) -> bytes:
    for kind in (3, 4):
        start = struct.pack("<HHI", tag, kind, 1)
        if start in data:
            at = data.index(start)
            return data[:at] + struct.pack("<HHII", tag, 4, 1, value) + data[at + 12 :]
    raise AssertionError(tag)


class TestOrientation:
    @pytest.mark.parametrize("order", "<>")
    @pytest.mark.parametrize("kind", "BHI")
    def test_kinds_of_number(self, order: str, kind: str) -> None:
        assert exif.orientation(b"Exif\0\0" + chunk_of_exif(8, order=order, kind=kind)) == 8

    @pytest.mark.parametrize(
        "note",
        [
            b"",
            b"II*\0",
            b"II*\0\xff\xff\xff\xff",
            b"no exif",
            chunk_of_exif(0),
            chunk_of_exif(9),
            chunk_of_exif(3, kind="f"),
        ],
    )
    def test_nonsense_means_upright(self, note: bytes) -> None:
        assert exif.orientation(note) == 1

    def test_xmp_speaks_where_exif_is_silent(self) -> None:
        note = b'<x tiff:Orientation="3"/>'
        assert exif.orientation(None, note) == 3
        assert exif.orientation(chunk_of_exif(6), note) == 6
        assert exif.orientation(b"", b"<tiff:Orientation>8</tiff:Orientation>") == 8

    def test_jpeg_xmp(self) -> None:
        assert inspect(encode(photo(), "JPEG", xmp=b'<x tiff:Orientation="5"/>')).orientation == 5

    def test_webp_xmp(self) -> None:
        assert inspect(encode(photo(), "WEBP", xmp=b'<x tiff:Orientation="5"/>')).orientation == 5

    def test_tiff_xmp(self) -> None:
        note = b'<x tiff:Orientation="5"/>'
        data = encode_tiff(np.zeros((4, 4), np.uint8), "minisblack", extratags=[(700, 1, len(note), note)])
        assert inspect(data).orientation == 5

    @pytest.mark.parametrize(
        "chunk",
        [
            (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b'<x tiff:Orientation="7"/>'),
            (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b'<x tiff:Orientation="7"/>')),
            (b"eXIf", chunk_of_exif(7)),
            (b"tEXt", b"Raw profile type exif\0\nexif\n  9\n" + chunk_of_exif(7).hex("\n", 36).encode()),
            (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n  9\n" + chunk_of_exif(7).hex().encode())),
        ],
    )
    def test_png_notes(self, chunk: tuple[bytes, bytes]) -> None:
        assert inspect(png(1, 1, 8, 0, [b"\0"], chunk)).orientation == 7

    @pytest.mark.parametrize(
        "chunk",
        [
            (b"tEXt", b"Raw profile type exif\0\nexif\n9\nxyz"),
            (b"zTXt", b"Raw profile type exif\0\0no zlib"),
            (b"eXIf", b"M"),
        ],
    )
    def test_broken_png_notes(self, chunk: tuple[bytes, bytes]) -> None:
        assert inspect(png(1, 1, 8, 0, [b"\0"], chunk)).orientation == 1

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_avif_turns_and_mirrors(self, orientation: int) -> None:
        assert inspect(encode(photo(), "AVIF", exif=turned(orientation))).orientation == orientation


class TestForeign:
    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"", "empty"),
            (b"hello", "not a picture"),
            (
                b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
                "a HEIC picture, .* save it as JPEG or PNG",
            ),
            (b"\0\0\0\x18ftypisom\0\0\0\0mp41isom", "a video"),
            (b"\xff\x0a123", "a JPEG XL picture"),
            (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
            (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
            (b'<?xml version="1.0"?>\n<svg xmlns="x">', "an SVG picture"),
            (b"%PDF-1.7", "a PDF document"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
            (b"<!DOCTYPE html><html>", "a web page"),
            (b"8BPS\0\1", "a Photoshop picture"),
            (b"\0\0\1\0\1\0", "a Windows icon"),
            (b"BM, a text that starts so", "not a picture"),
        ],
    )
    def test_is_named(self, data: bytes, reason: str) -> None:
        with pytest.raises(Flaw, match=reason):
            inspect(data)


class TestPng:
    def test_only_pixels_reach_the_decoder(self) -> None:
        header = inspect(FILES["png-animated"]())
        assert {kind for kind, _ in png_chunks(header.body)} == {b"IHDR", b"IDAT", b"IEND"}

    def test_wrong_checksum(self) -> None:
        data = bytearray(encode(photo(), "PNG"))
        data[data.index(b"IDAT") + 20] ^= 1
        with pytest.raises(Flaw, match="checksum of its IDAT"):
            inspect(bytes(data))

    def test_wrong_checksum_of_a_note_does_not_matter(self) -> None:
        data = bytearray(png(1, 1, 8, 0, [b"\0"], (b"tEXt", b"Comment\0hello")))
        data[data.index(b"hello")] ^= 1
        assert inspect(bytes(data)).width == 1

    def test_unknown_necessary_chunk(self) -> None:
        with pytest.raises(Flaw, match="CgBI"):
            inspect(png_of([(b"CgBI", b""), *png_chunks(encode(photo(), "PNG"))]))

    @pytest.mark.parametrize(("depth", "colour"), [(3, 0), (4, 2), (16, 3), (8, 5)])
    def test_impossible_depth(self, depth: int, colour: int) -> None:
        with pytest.raises(Flaw, match="colour type"):
            inspect(png(1, 1, depth, colour, [bytes(8)]))

    def test_header_comes_first(self) -> None:
        with pytest.raises(Flaw, match="start with its header"):
            inspect(png_of([(b"tEXt", b"a\0b"), *png_chunks(encode(photo(), "PNG"))]))


class TestJpeg:
    def test_thumbnail_is_no_end(self) -> None:
        """The end marker of a thumbnail in EXIF must not be taken for the picture's."""
        thumbnail = encode(photo(8, 8), "JPEG")
        exif_block = turned(1)
        data = encode(photo(), "JPEG", exif=exif_block.tobytes() + thumbnail)
        assert thumbnail in data
        with pytest.raises(Flaw, match="cut short"):
            inspect(data[:-2])

    def test_repeated_scans_are_limited(self) -> None:
        data = encode(photo(), "JPEG", progressive=True)
        scan = data[data.rindex(b"\xff\xda") : -2]
        needed = jpeg.MAX_SCANNED_PIXELS // (1000 * 1000) + 1
        at = data.index(b"\xff\xc2") + 5
        large = data[:at] + struct.pack(">HH", 1000, 1000) + data[at + 4 : -2]
        with pytest.raises(Flaw, match="scans"):
            inspect(large + scan * needed + b"\xff\xd9")

    def test_fill_bytes_and_restarts(self) -> None:
        data = encode(photo(), "JPEG", restart_marker_blocks=1)
        at = data.index(b"\xff\xdb")
        assert inspect(data[:at] + b"\xff" * 100 + data[at:]).width == 41

    def test_long_rows_of_ff_end(self) -> None:
        data = encode(photo(), "JPEG")[:-2] + b"\xff" * 5_000_000
        with pytest.raises(Flaw, match="cut short"):
            inspect(data)

    def test_lossless(self) -> None:
        data = encode(photo(), "JPEG").replace(b"\xff\xc0", b"\xff\xc3", 1)
        with pytest.raises(Flaw, match="lossless"):
            inspect(data)

    def test_without_a_frame(self) -> None:
        with pytest.raises(Flaw, match="without a picture"):
            inspect(b"\xff\xd8\xff\xfe\0\2\xff\xd9")


class TestGif:
    def test_resets_without_end(self) -> None:
        """OpenCV would take an hour over these."""
        clear_codes = (sum(256 << 9 * index for index in range(8))).to_bytes(9, "little")
        with pytest.raises(Flaw, match="resets"):
            inspect(gif_of_codes(clear_codes * (gif.MAX_RESETS // 8 + 1), 8, 8))

    def test_resets_that_a_picture_needs(self) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (700, 700)).astype(np.uint8)
        data = encode(Image.fromarray(noise), "GIF")
        assert len(data) > 500_000
        assert inspect(data).width == 700

    def test_frame_of_endless_data(self) -> None:
        with pytest.raises(Flaw, match="too large: a GIF frame"):
            inspect(gif_of_codes(bytes(gif.MAX_FRAME_BYTES + 1), 8, 8))

    def test_first_frame_alone(self) -> None:
        one, many = inspect(FILES["gif"]()), inspect(FILES["gif-animated"]())
        assert abs(len(one.body) - len(many.body)) < 50

    def test_screen_grows_with_the_frame(self) -> None:
        data = bytearray(FILES["gif"]())
        data[6:10] = struct.pack("<HH", 5, 40)
        header = inspect(bytes(data))
        assert (header.width, header.height) == (23, 40)

    def test_without_a_frame(self) -> None:
        with pytest.raises(Flaw, match="without a picture"):
            inspect(b"GIF89a\1\0\1\0\0\0\0;")


class TestTiff:
    @pytest.mark.parametrize("order", "<>")
    def test_circle_of_directories_ends(self, order: str) -> None:
        data = bytearray(encode_tiff(np.zeros((4, 4), np.uint8), "minisblack", byteorder=order))
        (first,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, first)
        struct.pack_into(order + "I", data, first + 2 + 12 * count, first)
        assert inspect(bytes(data)).width == 4

    def test_later_pages_must_be_there_too(self) -> None:
        data = FILES["tiff-pages"]()
        (first,) = struct.unpack_from("<I", data, 4)
        (count,) = struct.unpack_from("<H", data, first)
        (second,) = struct.unpack_from("<I", data, first + 2 + 12 * count)
        with pytest.raises(Flaw, match="cut short"):
            inspect(data[: max(second, first) + 8])

    def test_strips_on_top_of_each_other(self) -> None:
        strips, size = 4096, 1 << 20
        data = encode_tiff(np.zeros((strips, 8), np.uint8), "minisblack", rowsperstrip=1, compression="zlib")
        header = data.index(struct.pack("<HHI", 279, 3, strips))
        places = data.index(struct.pack("<HHI", 273, 4, strips))
        tables = struct.pack(f"<{strips}I", *[len(data)] * strips) + struct.pack(f"<{strips}I", *[size] * strips)
        data = data[:header] + struct.pack("<HHII", 279, 4, strips, len(data) + size + 4 * strips) + data[header + 12 :]
        data = data[:places] + struct.pack("<HHII", 273, 4, strips, len(data) + size) + data[places + 12 :]
        with pytest.raises(Flaw, match="on top of each other"):
            inspect(data + bytes(size) + tables)

    def test_offsets_that_wrap_around(self) -> None:
        data = encode_tiff(np.zeros((64, 64), np.uint8), "minisblack", bigtiff=True)
        at = data.index(struct.pack("<HHQ", 273, 16, 1)) + 12
        with pytest.raises(Flaw, match="run past the end"):
            inspect(data[:at] + b"\xf8" + b"\xff" * 7 + data[at + 8 :])

    def test_too_few_samples(self) -> None:
        data = encode_tiff(np.zeros((64, 64), np.uint8), "minisblack")
        with pytest.raises(Flaw, match="fewer samples"):
            inspect(_patched_tag(data, 279, 64 * 63))

    def test_missing_strips(self) -> None:
        data = encode_tiff(np.zeros((64, 64), np.uint8), "minisblack", rowsperstrip=64)
        with pytest.raises(Flaw, match="strips or tiles missing"):
            inspect(_patched_tag(data, 278, 8))

    @pytest.mark.parametrize(("tag", "value"), [(259, 6), (259, 50000), (262, 32803), (277, 5), (258, 24)])
    def test_kinds_that_are_not_read(self, tag: int, value: int) -> None:
        with pytest.raises(Flaw, match="does not read"):
            inspect(_patched_tag(encode_tiff(np.zeros((4, 4), np.uint8), "minisblack"), tag, value))

    def test_signed_bytes(self) -> None:
        with pytest.raises(Flaw, match="does not read"):
            inspect(encode_tiff(np.zeros((4, 4), np.int8), "minisblack"))

    def test_planes_of_deep_samples(self) -> None:
        with pytest.raises(Flaw, match="does not read"):
            inspect(encode_tiff(np.zeros((3, 4, 4), np.uint16), "rgb", planarconfig="separate"))


def test_signature_is_the_known_one() -> None:
    assert encode(photo(), "PNG").startswith(SIGNATURE)
