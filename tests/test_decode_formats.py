"""tars_hub.decode on whole families of files: every kind of BMP, PNM and TIFF, right in its pixels."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tars_hub.errors import PictureError
from tars_hub.preprocess import decode
from tars_hub.samples import from_cmyk, unpremultiplied
from tests import pictures
from tests.pictures import (
    encode,
    encode_tiff,
    far,
    loaded,
    on_white,
    opened,
)

RANDOM = np.random.default_rng(7)


class TestBmp:
    @pytest.mark.parametrize(
        ("masks", "info"),
        [
            ((), 40),
            ((0xFF0000, 0xFF00, 0xFF), 40),
            ((0xFF0000, 0xFF00, 0xFF, 0), 108),
            ((0xFF0000, 0xFF00, 0xFF, 0xFF000000), 108),
            ((0xFF, 0xFF00, 0xFF0000, 0xFF000000), 124),
            ((0xFF000000, 0xFF0000, 0xFF00), 40),
        ],
    )
    def test_32_bits(self, masks: tuple[int, ...], info: int) -> None:
        words = RANDOM.integers(0, 1 << 32, (31, 41)).astype("<u4")
        data = pictures.bmp(words, 32, *masks, info=info)
        assert far(decode(data), on_white(opened(data))) == 0

    @pytest.mark.parametrize("masks", [(), (0xF800, 0x7E0, 0x1F), (0x7C00, 0x3E0, 0x1F)])
    def test_16_bits(self, masks: tuple[int, ...]) -> None:
        data = pictures.bmp(RANDOM.integers(0, 1 << 16, (31, 41)).astype("<u2"), 16, *masks)
        assert far(decode(data), on_white(opened(data))) == 0

    def test_odd_masks(self) -> None:
        words = np.array([[0x3FF, 0x3FF << 10, 0x3FF << 20]], "<u4")
        data = pictures.bmp(words, 32, 0x3FF, 0x3FF << 10, 0x3FF << 20)
        assert decode(data).tolist() == [[[255, 0, 0], [0, 255, 0], [0, 0, 255]]]

    def test_rows_from_the_top(self) -> None:
        data = bytearray(pictures.bmp(RANDOM.integers(0, 1 << 32, (31, 41)).astype("<u4"), 32))
        upside_down = decode(bytes(data))[::-1]
        data[22:26] = (-31).to_bytes(4, "little", signed=True)
        assert far(decode(bytes(data)), upside_down) == 0


class TestPnm:
    GREY = RANDOM.integers(0, 86, (5, 7))
    COLOUR = RANDOM.integers(0, 86, (5, 7, 3))

    @pytest.mark.parametrize(
        "data",
        [
            b"P5 7 5 85\n" + GREY.astype(np.uint8).tobytes(),
            b"P6\n# by hand\n7 5\n85\n" + COLOUR.astype(np.uint8).tobytes(),
            b"P5 7 5 1000\n" + (GREY * 11).astype(">u2").tobytes(),
            b"P6 7 5 1000\n" + (COLOUR * 11).astype(">u2").tobytes(),
            b"P6 7 5 65535\n" + (COLOUR * 700).astype(">u2").tobytes(),
            b"P2 7 5 85\n" + b" ".join(b"%d" % value for value in GREY.ravel()) + b" # end",
            b"P3 7 5 85\n" + b"\n".join(b"%d" % value for value in COLOUR.ravel()),
            b"P1 7 5\n" + b"".join(b"%d" % (value & 1) for value in GREY.ravel()),
            b"P4 7 5\n" + bytes(range(7, 12)),
        ],
    )
    def test_as_pil(self, data: bytes) -> None:
        image = loaded(data)
        assert far(decode(data), decode(image)) == 0
        if image.mode != "I":
            assert far(decode(data), on_white(image)) == 0

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"P2 2 2 9\n1 2 3", "cut short"),
            (b"P1 2 2\n1 0 1", "cut short"),
            (b"P2 2 1 9\n1 x", "else than digits"),
            (b"P1 2 1\n1 2", "else than digits"),
            (b"P2 2 1 9\n1 10", "above its white"),
            (b"P2 2 1 9\n1 99999999999999999999999", "above its white"),
            (b"P5 2 1 0\n12", "white is 0"),
            (b"P5 2 1 70000\n1234", "white is 70000"),
            (b"P5 2", "no PNM header"),
        ],
    )
    def test_broken(self, data: bytes, reason: str) -> None:
        with pytest.raises(PictureError, match=reason):
            decode(data)


class TestTiff:
    """Kinds that PIL does not write, by tifffile."""

    RGBA = RANDOM.integers(0, 256, (31, 41, 4)).astype(np.uint8)
    DEEP = RANDOM.integers(0, 65536, (31, 41, 4)).astype(np.uint16)
    FLOATS = RANDOM.random((31, 41, 4)).astype(np.float32)

    @pytest.mark.parametrize("options", [{}, {"compression": "zlib", "predictor": True}, {"tile": (32, 32)}])
    @pytest.mark.parametrize("layout", [{}, {"bigtiff": True}, {"byteorder": ">"}])
    @pytest.mark.parametrize(
        ("samples", "photometric", "extra"),
        [
            (RGBA, "rgb", "unassalpha"),
            (DEEP, "rgb", "unassalpha"),
            (DEEP[..., :3], "rgb", None),
            (DEEP[..., 0], "minisblack", None),
            (RGBA[..., :2], "minisblack", "unassalpha"),
        ],
    )
    def test_samples_as_they_are(
        self,
        samples: npt.NDArray[Any],
        photometric: str,
        extra: str | None,
        layout: dict[str, Any],
        options: dict[str, Any],
    ) -> None:
        samples = np.ascontiguousarray(samples)
        extras = {"extrasamples": [extra], "planarconfig": "contig"} if extra else {}
        data = encode_tiff(samples, photometric, **extras, **layout, **options)
        assert far(decode(data), decode(samples)) == 0

    @pytest.mark.parametrize("channels", [1, 3, 4])
    @pytest.mark.parametrize("kind", [np.float32, np.float64])
    def test_floats(self, channels: int, kind: type[np.floating[Any]]) -> None:
        samples = np.squeeze(self.FLOATS[..., :channels]).astype(kind)
        extras = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
        data = encode_tiff(samples, "rgb" if channels > 1 else "minisblack", **extras)
        assert far(decode(data), decode(samples)) == 0

    @pytest.mark.parametrize("kind", [np.int32, np.uint32])
    def test_wide_whole_numbers_are_16_bit(self, kind: type[np.integer[Any]]) -> None:
        grey = np.ascontiguousarray(self.DEEP[..., 0])
        assert far(decode(encode_tiff(grey.astype(kind), "minisblack")), decode(grey)) == 0

    def test_planes(self) -> None:
        planes = np.moveaxis(self.RGBA, 2, 0).copy()
        data = encode_tiff(planes, "rgb", planarconfig="separate", extrasamples=["unassalpha"])
        assert far(decode(data), decode(self.RGBA)) == 0

    def test_fourth_sample_that_is_no_alpha(self) -> None:
        data = encode_tiff(self.RGBA, "rgb", extrasamples=["unspecified"])
        assert far(decode(data), self.RGBA[..., :3]) == 0

    def test_premultiplied(self) -> None:
        alpha = self.RGBA[..., 3:].astype(int)
        samples = np.dstack(((self.RGBA[..., :3] * alpha + 127) // 255, alpha)).astype(np.uint8)
        data = encode_tiff(samples, "rgb", extrasamples=["assocalpha"])
        assert far(decode(data), decode(unpremultiplied(samples))) == 0
        assert far(decode(data), decode(loaded(data))) == 0
        assert far(decode(data), decode(self.RGBA)) <= 1

    @pytest.mark.parametrize("kind", [np.uint8, np.uint16])
    def test_white_is_0(self, kind: type[np.integer[Any]]) -> None:
        samples = self.DEEP[..., 0].astype(kind)
        data = encode_tiff(samples, "miniswhite")
        assert far(decode(data), decode(np.iinfo(kind).max - samples)) == 0

    @pytest.mark.parametrize("kind", [np.uint8, np.uint16])
    def test_cmyk(self, kind: type[np.integer[Any]]) -> None:
        samples = self.RGBA.astype(kind) * (1 if kind is np.uint8 else 257)
        assert far(decode(encode_tiff(samples, "separated")), from_cmyk(self.RGBA)) == 0

    def test_lab(self) -> None:
        lab = np.array([[[255, 0, 0], [128, 60, 0], [128, 196, 0]]], np.uint8)  # white, reddish, greenish
        white, red, green = decode(encode_tiff(lab, "cielab"))[0].tolist()
        assert min(white) > 250
        assert red[0] > red[1]
        assert green[1] > green[0]
        assert far(decode(encode_tiff(lab, "cielab")), decode(loaded(encode_tiff(lab, "cielab")))) == 0

    @pytest.mark.parametrize(
        ("mode", "compression"),
        [*product(("1", "P", "LA", "YCbCr"), ("tiff_lzw", "packbits")), ("YCbCr", "jpeg"), ("1", "group3")],
    )
    def test_as_pil(self, mode: str, compression: str) -> None:
        data = encode(pictures.as_modes()[mode], "TIFF", compression=compression)
        assert far(decode(data), on_white(opened(data))) == 0
