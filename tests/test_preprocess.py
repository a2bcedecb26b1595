"""tars_hub.preprocess: from any picture to pixels and tensors, and one error for all that is none."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import skimage.data
import torch
from PIL import Image, ImageFile
from sklearn.datasets import load_sample_images
from torchvision.transforms import CenterCrop, Compose, Normalize, Resize, ToTensor

from tars_hub.config import Crop, Interpolation, Preprocess
from tars_hub.errors import PictureError
from tars_hub.preprocess import PICTURE_SUFFIXES, decode, fit, is_picture_name, load, resize, to_tensor
from tests.checkout import run_python
from tests.pictures import (
    FILES,
    encode,
    far,
    loaded,
    on_white,
    opened,
    photo,
)

IMAGENET = Preprocess()


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
    assert run_python(script) == "[]"


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
