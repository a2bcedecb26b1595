"""What becomes of a picture before the network, as `preprocess.load` does it: in words, in numbers, as Python."""

from __future__ import annotations

from typing import Any

from tars_hub.config import Preprocess

_ENLARGE = {"bilinear": "cv2.INTER_LINEAR", "bicubic": "cv2.INTER_CUBIC"}


def steps(prepare: Preprocess) -> list[str]:
    """What is done, one step after the other."""
    side = prepare.crop_size
    return [
        "decode; turn upright as EXIF says; transparent pixels onto white; RGB, 8 bits a channel",
        *_to_square(prepare),
        f"stack pictures as (N, {side}, {side}, 3) uint8: rows from the top, each pixel red, green, blue, 0 to 255",
    ]


def numbers(prepare: Preprocess) -> dict[str, Any]:
    """The same for programs, and what the file does by itself."""
    return {
        "colour": "RGB",
        "layout": "NHWC",
        "dtype": "uint8",
        "crop": prepare.crop,
        "resize_size": prepare.resize_size if prepare.crop == "center" else None,
        "crop_size": prepare.crop_size,
        "interpolation": {"shrinking": "area", "enlarging": prepare.interpolation},
        "steps": steps(prepare),
        "inside": {"divide_by": 255, "mean": list(prepare.mean), "std": list(prepare.std)},
    }


def lines(prepare: Preprocess) -> str:
    """The source of `prepare(path)`, which gives (S, S, 3) uint8 with OpenCV alone."""
    body = [
        "picture = cv2.cvtColor(cv2.imread(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)",
        "height, width = picture.shape[:2]",
        *_sizes(prepare),
        "picture = cv2.resize(picture, (min(size[0], width), min(size[1], height)), interpolation=cv2.INTER_AREA)",
        f"picture = cv2.resize(picture, size, interpolation={_ENLARGE[prepare.interpolation]})",
        *_cut_or_pad(prepare),
    ]
    return "\n".join(["def prepare(path):", *(f"    {line}" for line in body)])


def _to_square(prepare: Preprocess) -> list[str]:
    side = prepare.crop_size
    way = f"shrink by averaging areas, enlarge {prepare.interpolation}"
    if prepare.crop == "squash":
        return [f"resize to {side} x {side} px, whatever the shape; {way}"]
    if prepare.crop == "pad":
        colour = ", ".join(map(str, _border(prepare)))
        return [
            f"resize, keeping the shape, so that the longer side is {side} px; {way}",
            f"put it in the middle of a square of {side} px in the colour ({colour})",
        ]
    return [
        f"resize, keeping the shape, so that the shorter side is {prepare.resize_size} px; {way}",
        f"cut out the middle {side} x {side} px",
    ]


def _sizes(prepare: Preprocess) -> list[str]:
    side = prepare.crop_size
    if prepare.crop == "squash":
        return [f"size = ({side}, {side})"]
    if prepare.crop == "pad":
        return [f"size = [max(1, round(length * {side} / max(height, width))) for length in (width, height)]"]
    return [f"size = [{prepare.resize_size} * length // min(height, width) for length in (width, height)]"]


def _cut_or_pad(prepare: Preprocess) -> list[str]:
    side = prepare.crop_size
    if prepare.crop == "squash":
        return ["return picture"]
    if prepare.crop == "pad":
        return [
            f"left, top = (({side} - length) // 2 for length in size)",
            f"square = np.full(({side}, {side}, 3), {_border(prepare)}, np.uint8)",
            "square[top : top + size[1], left : left + size[0]] = picture",
            "return square",
        ]
    return [
        f"left, top = (round((length - {side}) / 2) for length in size)",
        f"return picture[top : top + {side}, left : left + {side}]",
    ]


def _border(prepare: Preprocess) -> list[int]:
    return [min(255, max(0, round(channel * 255))) for channel in prepare.mean]
