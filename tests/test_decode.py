"""tars_hub.decode and what lies under it: every kind of picture, right in its pixels or refused with one error."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageOps

from tars_hub.config import Preprocess
from tars_hub.decode import MAX_FILE_BYTES
from tars_hub.errors import PictureError
from tars_hub.preprocess import decode, load
from tests import pictures
from tests.checkout import run_python
from tests.pictures import (
    FILES,
    encode,
    far,
    grey_16_bit,
    loaded,
    on_white,
    opened,
    photo,
    turned,
)

ENCODERS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
RANDOM = np.random.default_rng(7)


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
        assert run_python(script) == "bytes: not a picture: it starts like no picture format"
