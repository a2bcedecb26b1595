"""Pictures to tensors: decode, resize and crop, normalise. The only way in, for training and answering alike.

    tensor = to_tensor(load("cat.jpg", config.preprocess), config.preprocess)       # (3, S, S) float32

A path, its bytes, a PIL image and a NumPy array of the same pixels give the same tensor, bit for bit. One exception: a
JPEG four times as large as needed is decoded at a half, a quarter or an eighth of its size, which an array, or a PIL
image that is already loaded, no longer allows; those differ a little.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tars_hub import pillow, samples
from tars_hub.config import Interpolation, Preprocess
from tars_hub.containers import Flaw, check_size
from tars_hub.decode import MAX_FILE_BYTES, Decoded, decode_bytes, read_file, too_many_bytes
from tars_hub.errors import PictureError
from tars_hub.quiet import cv2
from tars_hub.samples import Pixels, Samples

if TYPE_CHECKING:
    import PIL.Image
    import torch

__all__ = [
    "MAX_PIXELS",
    "PICTURE_SUFFIXES",
    "Picture",
    "decode",
    "fit",
    "is_picture_name",
    "load",
    "resize",
    "to_tensor",
]

Picture: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | np.ndarray | PIL.Image.Image"

MAX_PIXELS = 200_000_000
_HEADROOM = 2  # load keeps twice the pixels that it needs of a reduced JPEG; with fewer, details are lost
_MAX_ASPECT = 4  # of what is resized before a centre crop
PICTURE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".webp", ".tif", ".tiff"),
        *(".bmp", ".dib", ".avif", ".pbm", ".pgm", ".ppm", ".pnm"),
    }
)
_ENLARGE = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}


def is_picture_name(path: str | os.PathLike[str]) -> bool:
    """Whether a file's name is one of a picture; hidden files' are not."""
    name = os.path.basename(path)  # noqa: PTH119  # asked about millions of names, and ten times as fast
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES  # noqa: PTH122


def decode(picture: Picture, *, min_side: int | None = None, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Any picture → (H, W, 3) uint8 RGB, upright, alpha blended on white; the first frame of an animation.

    Args:
        picture: a path; the bytes of a file; a PIL image; or an array: (H, W) or (H, W, 1) grey, (H, W, 2) grey and
            alpha, (H, W, 3) RGB, (H, W, 4) RGB and alpha, of uint8, uint16 (white is 65535), bool, floats from 0 to 1,
            or other whole numbers from 0 to 255.
        min_side: pixels of the shorter side that are needed. A JPEG at least twice that is decoded at 1/2, 1/4 or 1/8
            of its size, never below it. None decodes in full.
        max_pixels: the most that a picture may have, checked before it is decoded.

    Raises:
        PictureError: no picture, cut short, damaged, too large, or of a kind that is not read.
    """
    return _decode(picture, min_side, max_pixels).pixels


def load(picture: Picture, preprocess: Preprocess, *, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Any picture → (S, S, 3) uint8 RGB, S = crop_size; see decode and fit.

    Raises:
        PictureError: as decode.
    """
    needed = preprocess.resize_size if preprocess.crop == "center" else preprocess.crop_size
    pixels, height, width = _decode(picture, needed * _HEADROOM, max_pixels)
    return _fit(pixels, height, width, preprocess)


def fit(pixels: Pixels, preprocess: Preprocess) -> Pixels:
    """(H, W, 3) uint8 → (S, S, 3) uint8, S = crop_size, by the crop mode.

    "center" rounds as torchvision's Resize and CenterCrop do.
    """
    height, width = pixels.shape[:2]
    return _fit(pixels, height, width, preprocess)


def resize(pixels: Samples, width: int, height: int, interpolation: Interpolation) -> Samples:
    """(H, W, C) → (height, width, C) of the same type.

    Shrinking averages areas, enlarging interpolates; where one side shrinks and the other grows, it shrinks first. The
    array itself comes back where nothing changes.
    """
    old_height, old_width = pixels.shape[:2]
    smaller = (min(width, old_width), min(height, old_height))
    if smaller != (old_width, old_height):
        pixels = cv2.resize(pixels, smaller, interpolation=cv2.INTER_AREA)
    if smaller != (width, height):
        pixels = cv2.resize(pixels, (width, height), interpolation=_ENLARGE[interpolation])
    return pixels


def to_tensor(pixels: Pixels, preprocess: Preprocess) -> torch.Tensor:
    """(S, S, 3) uint8 RGB → (3, S, S) float32, normalised by mean and std."""
    import torch  # here, so that pictures can be prepared without it

    planes = torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32, order="C"))
    mean, std = (torch.tensor(numbers).view(3, 1, 1) for numbers in (preprocess.mean, preprocess.std))
    return planes.div_(255).sub_(mean).div_(std)


def _decode(picture: Picture, min_side: int | None, max_pixels: int) -> Decoded:
    try:
        return _decode_any(picture, min_side, max_pixels)
    except Flaw as flaw:
        raise PictureError(_name(picture), str(flaw)) from flaw
    except MemoryError as error:
        raise PictureError(_name(picture), "needs more memory than there is") from error


def _decode_any(picture: Picture, min_side: int | None, max_pixels: int) -> Decoded:
    if isinstance(picture, (str, os.PathLike)):
        return decode_bytes(read_file(picture), min_side=min_side, max_pixels=max_pixels)
    if isinstance(picture, (bytes, bytearray, memoryview)):
        if memoryview(picture).nbytes > MAX_FILE_BYTES:
            raise too_many_bytes(memoryview(picture).nbytes)
        return decode_bytes(bytes(picture), min_side=min_side, max_pixels=max_pixels)
    if isinstance(picture, np.ndarray):
        return Decoded.whole(_from_array(np.asarray(picture), max_pixels))
    if pillow.is_image(picture):
        return pillow.decode_image(picture, min_side=min_side, max_pixels=max_pixels)
    raise Flaw("not a picture; give a path, a file's bytes, a NumPy array or a PIL image")


def _name(picture: object) -> str:
    if isinstance(picture, (str, os.PathLike)):
        return os.fsdecode(picture)
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return "bytes"
    if isinstance(picture, np.ndarray):
        return "array"
    return pillow.name_of(picture) if pillow.is_image(picture) else type(picture).__name__


def _from_array(array: Samples, max_pixels: int) -> Pixels:
    if array.ndim not in {2, 3} or array.shape[2:] not in {(), (1,), (2,), (3,), (4,)}:
        raise Flaw(f"an array of shape {array.shape}; give (H, W), (H, W, 3) or (H, W, 4)")
    height, width = array.shape[:2]
    check_size(width, height, width * height, max_pixels)
    return samples.to_rgb(array)


def _fit(pixels: Pixels, height: int, width: int, preprocess: Preprocess) -> Pixels:
    """As fit, for what may be a reduced copy of a picture of this size: what is seen of it is the same."""
    size = preprocess.crop_size
    if preprocess.crop == "squash":
        return resize(pixels, size, size, preprocess.interpolation)
    if preprocess.crop == "pad":
        return _pad(pixels, height, width, preprocess)
    height, width = height - 2 * _cut(height, width), width - 2 * _cut(width, height)
    shorter, scale_to = min(height, width), preprocess.resize_size
    middle = _middle(pixels)
    resized = resize(middle, scale_to * width // shorter, scale_to * height // shorter, preprocess.interpolation)
    top, left = (round((side - size) / 2) for side in resized.shape[:2])
    return np.ascontiguousarray(resized[top : top + size, left : left + size])


def _middle(pixels: Pixels) -> Pixels:
    """The middle of a picture that is much longer than wide: the rest would only be cut off after it was resized."""
    height, width = pixels.shape[:2]
    top, left = _cut(height, width), _cut(width, height)
    return pixels[top : height - top, left : width - left]


def _cut(side: int, other: int) -> int:
    """Pixels to leave out at each end of a side."""
    return max(0, side - _MAX_ASPECT * other) // 2


def _pad(pixels: Pixels, height: int, width: int, preprocess: Preprocess) -> Pixels:
    """Shrink or enlarge to fit the square whole, in the middle of a border in the mean colour."""
    size = preprocess.crop_size
    new_height, new_width = (max(1, round(side * size / max(height, width))) for side in (height, width))
    square = np.empty((size, size, 3), np.uint8)
    square[...] = [round(channel * 255) for channel in preprocess.mean]
    resized = resize(pixels, new_width, new_height, preprocess.interpolation)
    top, left = (size - new_height) // 2, (size - new_width) // 2
    square[top : top + new_height, left : left + new_width] = resized
    return square
