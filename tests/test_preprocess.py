"""tars_hub.preprocess: from any picture to pixels and tensors, and one error for all that is none."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import skimage.data
import torch
from PIL import Image, ImageFile, ImageOps
from sklearn.datasets import load_sample_images
from torchvision.transforms import CenterCrop, Compose, Normalize, Resize, ToTensor

from tars_hub.config import Crop, Interpolation, Preprocess
from tars_hub.decode import MAX_FILE_BYTES
from tars_hub.errors import PictureError
from tars_hub.preprocess import PICTURE_SUFFIXES, decode, fit, is_picture_name, load, resize, to_tensor
from tars_hub.samples import from_cmyk, unpremultiplied
from tests import pictures
from tests.pictures import (
    FILES,
    encode,
    encode_tiff,
    far,
    grey_16_bit,
    loaded,
    on_white,
    opened,
    photo,
    turned,
)

IMAGENET = Preprocess()
ENCODERS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
RANDOM = np.random.default_rng(7)


def tensor_of(picture: Any, preprocess: Preprocess = IMAGENET) -> torch.Tensor:
    return to_tensor(load(picture, preprocess), preprocess)


class TestSources:
    """The same picture, however it comes."""

    @pytest.mark.parametrize("name", FILES)
    def test_same_tensor_from_path_bytes_image_and_array(self, name: str, tmp_path: Path) -> None:
        data = FILES[name]()
        path = tmp_path / "Bild – 図 ñ.bin"
        path.write_bytes(data)
        from_path = tensor_of(path)
        with Image.open(path) as lazy:
            sources = [str(path), data, bytearray(data), memoryview(data), lazy, loaded(data), decode(data)]
            for source in sources:
                assert torch.equal(tensor_of(source), from_path), type(source)

    def test_array_of_pixels_as_pil_has_them(self) -> None:
        data = encode(photo(), "PNG")
        assert torch.equal(tensor_of(np.asarray(opened(data))), tensor_of(data))

    @pytest.mark.parametrize("picture", [skimage.data.chelsea, skimage.data.rocket, *load_sample_images().images])
    def test_photographs(self, picture: Callable[[], npt.NDArray[np.uint8]] | npt.NDArray[np.uint8]) -> None:
        image = Image.fromarray(picture() if callable(picture) else picture)
        for data in (encode(image, "JPEG", quality=90), encode(image, "JPEG", subsampling=0), encode(image, "WEBP")):
            assert far(decode(data), np.asarray(opened(data))) == 0

    def test_lazy_image_keeps_its_place_and_stays_lazy(self) -> None:
        file = io.BytesIO(encode(photo(), "PNG"))
        image = Image.open(file)
        before = file.tell()
        decode(image)
        assert (file.tell(), bool(image.tile)) == (before, True)
        assert far(np.asarray(image), np.asarray(photo())) == 0

    def test_large_lazy_jpeg_is_as_from_its_file(self) -> None:
        data = encode(photo(2000, 1500), "JPEG")
        assert torch.equal(tensor_of(opened(data)), tensor_of(data))

    def test_draft_is_taken_by_its_pixels(self) -> None:
        image = opened(encode(photo(800, 600), "JPEG"))
        image.draft("RGB", (200, 150))
        assert decode(image).shape == (150, 200, 3)

    @pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
    def test_first_frame_of_files_and_current_frame_of_images(self, kind: str) -> None:
        frames = [photo().quantize(32), photo().rotate(180).quantize(32)]
        data = encode(frames[0].convert("RGB"), kind, save_all=True, append_images=[frames[1].convert("RGB")])
        assert far(decode(data), on_white(opened(data))) == 0
        image = opened(data)
        image.seek(1)
        assert far(decode(image), on_white(image)) == 0
        assert far(decode(image), decode(data)) > 50

    def test_format_that_only_pil_reads(self) -> None:
        assert far(decode(opened(encode(photo(), "TGA"))), np.asarray(photo())) == 0

    def test_file_of_a_lazy_image_that_was_closed(self, tmp_path: Path) -> None:
        path = tmp_path / "cat.png"
        photo().save(path)
        with path.open("rb") as file:
            image = Image.open(file)
        with pytest.raises(PictureError, match="cannot"):
            decode(image)

    def test_lazy_image_of_a_broken_file_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "cat.jpg"
        path.write_bytes(encode(photo(), "JPEG")[:-40])
        with Image.open(path) as image, pytest.raises(PictureError, match="cut short") as caught:
            decode(image)
        assert caught.value.name == str(path)


class TestModes:
    """What is in a file or a PIL image, as PIL itself shows it on white."""

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr", "HSV"])
    def test_images(self, mode: str) -> None:
        image = pictures.as_modes()[mode]
        assert far(decode(image), on_white(image)) == 0

    @pytest.mark.parametrize("mode", ["I", "I;16", "I;16B", "F"])
    def test_deep_images(self, mode: str) -> None:
        assert far(decode(pictures.as_modes()[mode]), on_white(photo().convert("L"))) == 0

    def test_premultiplied_grey(self) -> None:
        modes = pictures.as_modes()
        assert far(decode(modes["La"]), on_white(modes["La"].convert("LA"))) == 0

    def test_lab_without_colour_is_grey(self) -> None:
        found = decode(pictures.as_modes()["LAB"]).astype(int)
        assert np.ptp(found, axis=2).max() <= 2
        assert np.ptp(found) > 200

    def test_cmyk(self) -> None:
        image = photo().convert("CMYK")
        assert far(decode(image), np.asarray(image.convert("RGB"))) <= 1

    @pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
    def test_cmyk_files(self, kind: str) -> None:
        inks = RANDOM.integers(0, 256, (31, 41, 4)).astype(np.uint8)
        data = encode(Image.fromarray(inks, "CMYK"), kind, quality=95)
        assert far(decode(data), np.asarray(opened(data).convert("RGB"))) <= 2
        assert far(decode(data), decode(loaded(data))) == 0

    @pytest.mark.parametrize(("kind", "key"), [("PNG", 3), ("PNG", bytes(range(0, 256, 4))), ("GIF", 3)])
    def test_transparent_palettes(self, kind: str, key: int | bytes) -> None:
        data = encode(photo().quantize(64), kind, transparency=key)
        assert far(decode(data), on_white(opened(data))) == 0
        assert far(decode(data), decode(loaded(data))) == 0

    @pytest.mark.parametrize("mode", ["1", "L", "RGB"])
    def test_transparent_colour(self, mode: str) -> None:
        image = photo().convert(mode)
        data = encode(image, "PNG", transparency=0 if mode == "1" else image.getpixel((3, 3)))
        assert far(decode(data), on_white(opened(data))) == 0
        assert far(decode(data), decode(loaded(data))) == 0
        assert far(decode(data), decode(image)) > 0

    @pytest.mark.parametrize("depth", [1, 2, 4])
    def test_few_bits_of_grey(self, depth: int) -> None:
        rows = [bytes(RANDOM.integers(0, 256, 6).astype(np.uint8)) for _ in range(9)]
        plain = pictures.png(48 // depth, 9, depth, 0, rows)
        keyed = pictures.png(48 // depth, 9, depth, 0, rows, (b"tRNS", b"\0\1"))
        expected = on_white(opened(plain)).copy()
        assert far(decode(plain), expected) == 0
        expected[expected == 255 // (2**depth - 1)] = 255
        assert far(decode(keyed), expected) == 0

    def test_16_bit_grey_with_a_transparent_value(self) -> None:
        wide = grey_16_bit()
        wide[3, 4] = 12345
        data = pictures.png(41, 31, 16, 0, [row.astype(">u2").tobytes() for row in wide], (b"tRNS", b"\x30\x39"))
        found = decode(data)
        assert found[3, 4].tolist() == [255, 255, 255]
        assert far(found, decode(loaded(data))) == 0
        wide[3, 4] = 65535
        assert far(found, decode(wide)) == 0

    def test_16_bit_colour_with_a_transparent_value(self) -> None:
        wide = RANDOM.integers(0, 65536, (4, 5, 3)).astype(np.uint16)
        rows = [row.astype(">u2").tobytes() for row in wide]
        data = pictures.png(5, 4, 16, 2, rows, (b"tRNS", wide[1, 2].astype(">u2").tobytes()))
        wide[1, 2] = 65535
        assert far(decode(data), decode(wide)) == 0

    def test_every_16_bit_value_is_rounded(self) -> None:
        wide = np.arange(65536, dtype=np.uint16).reshape(256, 256)
        expected = np.rint(wide / 257).astype(int)
        assert far(decode(wide)[..., 0], expected) == 0
        for kind in ("PNG", "TIFF"):
            assert far(decode(encode(Image.fromarray(wide), kind))[..., 1], expected) == 0

    def test_every_alpha_of_every_grey(self) -> None:
        grey, alpha = np.meshgrid(np.arange(256), np.arange(256))
        expected = np.floor((grey * alpha + 255 * (255 - alpha)) / 255 + 0.5)
        assert far(decode(np.dstack((grey, alpha)).astype(np.uint8))[..., 0], expected) == 0

    @pytest.mark.parametrize("depth", [10, 12])
    def test_deep_avif(self, depth: int) -> None:
        cv2 = pytest.importorskip("cv2")
        wide = RANDOM.integers(0, 1 << depth, (31, 41, 4)).astype(np.uint16)
        for samples in (wide, np.ascontiguousarray(wide[..., :3]), np.ascontiguousarray(wide[..., 0])):
            data = cv2.imencode(".avif", samples, [cv2.IMWRITE_AVIF_DEPTH, depth])[1].tobytes()
            assert far(decode(data), on_white(opened(data))) <= 1

    def test_small_first_frame(self) -> None:
        data = bytearray(encode(photo().quantize(32), "GIF"))
        at = data.index(b"\x2c\0\0\0\0") + 1
        data[6:10], data[at : at + 4] = b"\x33\0\x28\0", b"\4\0\5\0"
        data[11] = 200  # a background colour beyond the table
        found = decode(bytes(data))
        assert found.shape == (40, 51, 3)
        assert far(found, on_white(opened(bytes(data)))) == 0


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


class TestOrientation:
    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("kind", ENCODERS)
    def test_all_formats_and_sources(self, kind: str, orientation: int) -> None:
        data = encode(photo(), kind, exif=turned(orientation))
        upright = on_white(opened(data))
        assert upright.shape == ((31, 41, 3) if orientation < 5 else (41, 31, 3))
        for source in (data, opened(data), loaded(data)):
            assert far(decode(source), upright) == 0

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_16_bit_tiff(self, orientation: int) -> None:
        data = encode(Image.fromarray(grey_16_bit()), "TIFF", tiffinfo={274: orientation})
        upright = np.asarray(opened(data)).astype(np.uint16)
        assert far(decode(data), decode(upright)) == 0

    def test_image_that_was_turned_already(self) -> None:
        image = ImageOps.exif_transpose(opened(encode(photo(), "JPEG", exif=turned(6))))
        assert far(decode(image), np.asarray(image)) == 0

    def test_reduced(self) -> None:
        data = encode(photo(400, 300), "JPEG", exif=turned(6))
        assert decode(data, min_side=70).shape == (100, 75, 3)

    def test_broken_exif_of_an_image(self) -> None:
        image = photo()
        image.info["exif"] = b"Exif\0\0nonsense"
        assert far(decode(image), np.asarray(photo())) == 0


class TestArrays:
    RGB = np.asarray(photo())

    @pytest.mark.parametrize("shape", [(), (1,)])
    def test_grey(self, shape: tuple[int, ...]) -> None:
        grey = self.RGB[..., 0]
        assert far(decode(grey.reshape(*grey.shape, *shape)), np.dstack([grey] * 3)) == 0

    @pytest.mark.parametrize(
        "array",
        [
            RGB / 255,
            (RGB / 255).astype(np.float32),
            RGB.astype(int),
            RGB.astype(np.uint16) * 257,
            RGB.astype(">u2") * 257,
        ],
    )
    def test_kinds_of_number(self, array: npt.NDArray[Any]) -> None:
        assert far(decode(array), self.RGB) == 0

    def test_half_precision(self) -> None:
        assert far(decode((self.RGB / 255).astype(np.float16)), self.RGB) <= 1

    def test_bool(self) -> None:
        assert decode(np.array([[True, False]])).tolist() == [[[255] * 3, [0] * 3]]

    def test_odd_layouts(self) -> None:
        wide = np.zeros((62, 41, 5), np.uint8)
        wide[::2, ::-1, 1:4] = self.RGB
        view = wide[::2, ::-1, 1:4]
        view.flags.writeable = False
        assert far(decode(view), self.RGB) == 0
        assert far(load(view, Preprocess(crop="squash")), load(self.RGB, Preprocess(crop="squash"))) == 0
        assert far(decode(np.asfortranarray(self.RGB)), self.RGB) == 0

    def test_result_is_the_callers_own(self) -> None:
        array = self.RGB.copy()
        decode(array)[:] = 0
        assert far(array, self.RGB) == 0

    @pytest.mark.parametrize(
        ("array", "reason"),
        [
            (np.zeros((3, 8, 8), np.uint8), r"shape \(3, 8, 8\)"),
            (np.zeros((1, 8, 8, 3), np.uint8), "shape"),
            (np.zeros(8, np.uint8), "shape"),
            (np.zeros((0, 8, 3), np.uint8), "no width or no height"),
            (np.zeros((8, 0), np.uint8), "no width or no height"),
            (np.full((2, 2), 1.5), "outside of 0..1"),
            (np.full((2, 2), -0.1), "outside of 0..1"),
            (np.full((2, 2), np.nan), "outside of 0..1"),
            (np.full((2, 2), np.inf), "outside of 0..1"),
            (np.full((2, 2), 256), "0..255"),
            (np.full((2, 2), -1, np.int8), "0..255"),
            (np.zeros((2, 2), complex), "type complex"),
            (np.array([["a"]]), "type"),
            (np.array([[None]]), "type object"),
            (np.zeros((1000, 2000), np.uint8), "too large"),
        ],
    )
    def test_refused(self, array: npt.NDArray[Any], reason: str) -> None:
        with pytest.raises(PictureError, match=reason) as caught:
            decode(array, max_pixels=1_000_000)
        assert caught.value.name == "array"


class TestRefused:
    """One error, with the name and the reason."""

    @pytest.mark.parametrize(
        ("make", "reason"),
        [
            (Path.exists, "no such file"),
            (Path.mkdir, "a folder"),
            (os.mkfifo, "a pipe or device"),
            (lambda path: path.write_bytes(b""), "empty"),
            (lambda path: path.write_text("hello"), "not a picture"),
            (lambda path: path.symlink_to(path), "cannot be read"),
        ],
    )
    def test_paths(self, make: Callable[[Path], object], reason: str, tmp_path: Path) -> None:
        path = tmp_path / "cat.jpg"
        make(path)
        with pytest.raises(PictureError, match=reason) as caught:
            decode(path)
        assert str(caught.value).startswith(f"{path}: ")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_unreadable(self, tmp_path: Path) -> None:
        path = tmp_path / "cat.jpg"
        path.touch(mode=0)
        with pytest.raises(PictureError, match="Permission denied"):
            decode(path)

    def test_device(self) -> None:
        with pytest.raises(PictureError, match="a pipe or device"):
            decode(os.devnull)

    def test_impossible_name(self) -> None:
        with pytest.raises(PictureError, match="cannot be read"):
            decode("a\0b.jpg")

    def test_large_file(self, tmp_path: Path) -> None:
        path = tmp_path / "cat.jpg"
        with path.open("wb") as file:
            file.truncate(MAX_FILE_BYTES + 1)
        with pytest.raises(PictureError, match="too large: 536870913 bytes"):
            decode(path)

    @pytest.mark.parametrize("thing", [None, 12, ["cat.jpg"], object()])
    def test_other_things(self, thing: Any) -> None:
        with pytest.raises(PictureError, match="give a path"):
            decode(thing)

    def test_large_image(self) -> None:
        with pytest.raises(PictureError, match="image: too large"):
            decode(Image.new("1", (2000, 1000)), max_pixels=1_000_000)

    def test_empty_image(self) -> None:
        with pytest.raises(PictureError, match="no width"):
            decode(Image.new("RGB", (0, 5)))

    @pytest.mark.parametrize("value", [-1, 70_000])
    def test_numbers_that_are_no_grey(self, value: int) -> None:
        with pytest.raises(PictureError, match=r"0\.\.65535"):
            decode(Image.new("I", (2, 2), value))

    def test_image_that_pil_cannot_load(self) -> None:
        with pytest.raises(PictureError, match="PIL cannot load it"):
            decode(Image.open(io.BytesIO(encode(photo(), "TGA")[:500])))

    @pytest.mark.parametrize("name", FILES)
    def test_random_damage(self, name: str, capfd: pytest.CaptureFixture[str]) -> None:
        """Cuts raise, flipped bits raise or do not, and nothing is printed by any library."""
        data = FILES[name]()
        last = len(data) - (name == "ppm-text")  # 2 of 26 is a number too
        for length in RANDOM.integers(0, last, 60):
            with pytest.raises(PictureError):
                decode(data[:length])
        for damaged in pictures.flipped(data, 150, name):
            with suppress(PictureError):
                assert decode(damaged, max_pixels=1_000_000).dtype == np.uint8
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize("content", [b"", b"\0" * 40, b"x\x9c"])
    def test_pixels_missing_under_right_checksums(self, content: bytes, capfd: pytest.CaptureFixture[str]) -> None:
        chunks = pictures.png_chunks(encode(photo(), "PNG"))
        data = pictures.png_of((kind, content if kind == b"IDAT" else inner) for kind, inner in chunks)
        with pytest.raises(PictureError, match="damaged"):
            decode(data)
        assert capfd.readouterr() == ("", "")

    def test_decoder_that_sees_another_size_than_the_header(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tars_hub.decode._imread", lambda *_: np.zeros((9, 9, 3), np.uint8))
        with pytest.raises(PictureError, match="disagree on its size"):
            decode(encode(photo(), "PNG"))

    @pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors in /proc")
    def test_no_descriptor_is_left_open(self, tmp_path: Path) -> None:
        before = len(list(Path("/proc/self/fd").iterdir()))
        for path in (tmp_path, tmp_path / "none.jpg", Path(os.devnull)):
            with pytest.raises(PictureError):
                decode(path)
        assert len(list(Path("/proc/self/fd").iterdir())) == before

    def test_error_travels_between_processes(self) -> None:
        script = (
            "import pickle\n"
            "from tars_hub.errors import PictureError\n"
            "from tars_hub.preprocess import decode\n"
            "try:\n    decode(b'hello')\n"
            "except PictureError as error:\n    print(pickle.loads(pickle.dumps(error)))\n"
        )
        assert _python(script) == "bytes: not a picture: it starts like no picture format"


class TestReduced:
    DATA = encode(photo(1000, 808), "JPEG", quality=90)

    @pytest.mark.parametrize(
        ("min_side", "shape"),
        [
            (None, (808, 1000)),
            (405, (808, 1000)),
            (404, (404, 500)),
            (203, (404, 500)),
            (202, (202, 250)),
            (102, (202, 250)),
            (101, (101, 125)),
            (1, (101, 125)),
        ],
    )
    def test_never_below_what_is_needed(self, min_side: int | None, shape: tuple[int, int]) -> None:
        assert decode(self.DATA, min_side=min_side).shape == (*shape, 3)

    def test_only_jpeg(self) -> None:
        assert decode(encode(photo(400, 300), "PNG"), min_side=20).shape == (300, 400, 3)

    @pytest.mark.parametrize("crop", ["center", "squash", "pad"])
    @pytest.mark.parametrize("size", [(1000, 808), (1001, 809), (1003, 1607), (1539, 1024), (900, 4001), (1603, 1601)])
    def test_shows_the_same_as_the_whole(self, size: tuple[int, int], crop: Crop) -> None:
        """Half a pixel of shift would show as 1.3 levels."""
        preprocess = Preprocess(crop_size=96, resize_size=100, crop=crop)
        across, down = np.meshgrid(np.linspace(0, 255, size[0]), np.linspace(0, 255, size[1]))
        image = Image.fromarray(np.dstack((across, down, down)).astype(np.uint8))
        data = encode(image, "JPEG", subsampling=0, quality=100)
        whole = decode(data)
        assert decode(data, min_side=200).shape < whole.shape
        assert far(load(data, preprocess), load(whole, preprocess)) <= 1

    @pytest.mark.parametrize("size", [(1539, 1024), (2255, 1500)])
    def test_is_cut_where_the_whole_is(self, size: tuple[int, int]) -> None:
        """By the sizes of the reduced picture, rounded again, the cut would lie up to a pixel beside."""
        cat = Image.fromarray(skimage.data.chelsea())  # type: ignore[no-untyped-call]
        data = encode(cat.resize(size), "JPEG", quality=90)
        found, expected = load(data, IMAGENET).astype(int), load(decode(data), IMAGENET).astype(int)
        assert 0 < np.abs(found - expected).mean() < 1.5

    def test_cmyk(self) -> None:
        data = encode(photo(400, 300).convert("CMYK"), "JPEG")
        assert decode(data, min_side=70).shape == (75, 100, 3)


class TestFit:
    @pytest.mark.parametrize(
        "size", [(500, 375), (375, 500), (257, 256), (256, 256), (100, 90), (640, 427), (1001, 333)]
    )
    def test_centre_lies_where_torchvision_has_it(self, size: tuple[int, int]) -> None:
        across, down = np.meshgrid(np.linspace(0, 255, size[0]), np.linspace(0, 255, size[1]))
        pixels = np.dstack((across, down, down)).astype(np.uint8)
        reference = Compose([Resize(256), CenterCrop(224)])(Image.fromarray(pixels))
        assert far(fit(pixels, IMAGENET), np.asarray(reference)) <= 3

    @pytest.mark.parametrize("crop", ["center", "squash", "pad"])
    @pytest.mark.parametrize("shape", [(1, 100_000), (100_000, 1), (1, 1), (3, 5_000), (2, 7), (5_000, 3), (90_000, 2)])
    def test_extreme_shapes(self, shape: tuple[int, int], crop: Crop) -> None:
        pixels = np.full((*shape, 3), 77, np.uint8)
        found = fit(pixels, Preprocess(crop=crop))
        assert found.shape == (224, 224, 3)
        assert (found[111, 111] == 77).all()

    def test_middle_of_a_long_picture(self) -> None:
        for length in (20, 21):
            strip = np.zeros((1, length, 3), np.uint8)
            strip[0, (length - 1) // 2 : length // 2 + 1] = 255
            found = fit(strip, Preprocess(crop_size=8, resize_size=8))[0, :, 0].astype(int)
            assert found.tolist() == found[::-1].tolist()
            assert found.min() > 140

    def test_squash(self) -> None:
        pixels = np.zeros((40, 20, 3), np.uint8)
        pixels[:, 10:] = 200
        found = fit(pixels, Preprocess(crop_size=10, resize_size=10, crop="squash"))
        assert found[:, :5].max() == 0
        assert found[:, 5:].min() == 200

    @pytest.mark.parametrize(("shape", "inside"), [((20, 40), np.s_[2:7, :]), ((40, 20), np.s_[:, 2:7])])
    def test_pad(self, shape: tuple[int, int], inside: tuple[slice, slice]) -> None:
        expected = np.full((10, 10, 3), [124, 116, 104], np.uint8)
        expected[inside] = 0
        found = fit(np.zeros((*shape, 3), np.uint8), Preprocess(crop_size=10, resize_size=10, crop="pad"))
        assert far(found, expected) == 0

    def test_result_holds_nothing_else(self) -> None:
        assert fit(np.asarray(photo(900, 300)), IMAGENET).flags.c_contiguous


class TestResize:
    def test_shrinking_averages(self) -> None:
        pixels = np.array([[[0], [100]], [[50], [250]]], np.uint8)
        assert resize(pixels, 1, 1, "bilinear").ravel().tolist() == [100]

    @pytest.mark.parametrize(("interpolation", "most"), [("bilinear", 255), ("bicubic", 270)])
    def test_enlarging_interpolates(self, interpolation: Interpolation, most: int) -> None:
        pixels = np.array([[[0.0]], [[255.0]]], np.float32)
        found = resize(np.repeat(pixels, 3, axis=2), 1, 9, interpolation)
        assert found.shape == (9, 1, 3)
        assert (found.max() > 255) == (most > 255)

    @pytest.mark.parametrize("size", [(7, 300), (300, 7)])
    def test_one_side_shrinks_and_the_other_grows(self, size: tuple[int, int]) -> None:
        found = resize(np.asarray(photo(100, 100)), *size, "bilinear")
        assert found.shape == (size[1], size[0], 3)
        assert found.mean() == pytest.approx(np.asarray(photo(100, 100)).mean(), abs=2)

    def test_nothing_to_do(self) -> None:
        pixels = np.asarray(photo())
        assert resize(pixels, 41, 31, "bicubic") is pixels


class TestTensor:
    @pytest.mark.parametrize("writeable", [True, False])
    def test_as_torchvision(self, writeable: bool) -> None:
        pixels = load(photo(300, 250), IMAGENET)
        reference = Compose([ToTensor(), Normalize(IMAGENET.mean, IMAGENET.std)])(pixels.copy())
        pixels.flags.writeable = writeable
        found = to_tensor(pixels, IMAGENET)
        assert found.is_contiguous()
        assert torch.equal(found, reference)

    def test_single_pixel_that_may_not_be_written(self) -> None:
        pixels = np.zeros((1, 1, 3), np.uint8)
        pixels.flags.writeable = False
        found = to_tensor(pixels, Preprocess(crop_size=1, resize_size=1, mean=(0, 0, 0), std=(1, 1, 1)))
        assert found.shape == (3, 1, 1)


def test_many_threads() -> None:
    """Broken and whole pictures at once give what they give one after another."""
    files = [make() for make in FILES.values()]
    files += [data[: len(data) // 2] for data in files]

    def outcome(data: bytes) -> object:
        try:
            return load(data, IMAGENET).tobytes()
        except PictureError as error:
            return str(error)

    alone = [outcome(data) for data in files]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(outcome, files * 4))
    assert together == alone * 4


def test_threads_may_share_a_lazy_image(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    photo(300, 200).save(path)
    with Image.open(path) as image, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: decode(image).tobytes(), range(64)))
    assert set(found) == {photo(300, 200).tobytes()}


def test_pil_cannot_let_half_a_file_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(PictureError, match="cut short"):
        decode(opened(encode(photo(), "PNG")[:-60]))


def test_needs_neither_pil_nor_torch() -> None:
    script = "import sys, tars_hub.preprocess; print([name for name in ('PIL', 'torch') if name in sys.modules])"
    assert _python(script) == "[]"


@pytest.mark.parametrize("name", ["a.jpg", "A.JPEG", "dir.d/b.Png", "c.tif", "x.avif", "y.pnm", Path("z.webp")])
def test_picture_names(name: str | Path) -> None:
    assert is_picture_name(name)


@pytest.mark.parametrize(
    "name", ["a.txt", "jpg", ".jpg", ".hidden.jpg", "._cat.jpg", "a.jpg.part", "dir/.x.png", "a.heic"]
)
def test_other_names(name: str) -> None:
    assert not is_picture_name(name)


def test_suffixes_are_lower_case() -> None:
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in PICTURE_SUFFIXES)


def _python(script: str) -> str:
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    return done.stdout.strip()
