"""Labelled photographs for the benchmarks: pieces of clothing, large, in front of real photographs; the same each time.

    python benchmarks/data.py DIR [--train 8000] [--val 1000] [--large 40] [--objects FOLDER]

    DIR/train/CLASS/*.jpg   DIR/val/CLASS/*.jpg     500 x 375, ten classes
    DIR/mixed/CLASS/*.jpg                           as many of 4000 x 3000 as of 500 x 375, of none of the above

The objects are Fashion-MNIST's (Debian: apt-get install dataset-fashion-mnist), `train` from its training part, all
else from its test part; the backgrounds are scikit-image's and scikit-learn's photographs, crops of the same ones in
all parts. So an accuracy here is no other data set's. A picture depends on its part and number alone, not on how many
are made.
"""

from __future__ import annotations

import argparse
import gzip
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # instead of this folder

from tars_hub.quiet import cv2  # noqa: E402  # of this checkout

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

OBJECTS = Path("/usr/share/datasets/fashion-mnist")
TRAIN = 8000  # pictures
CLASSES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
SMALL, LARGE = (500, 375), (4000, 3000)  # (width, height)
_SIDE = 28  # pixels of an object
_TOP_OF_SHADE = 40  # of 255: what is darker than that in an object's surroundings is no part of it
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_PARTS = {"train": 0, "val": 1, "large": 2, "small": 3}
# Those that come with the package; the others would be downloaded.
_SKIMAGE = ("astronaut", "chelsea", "coffee", "hubble_deep_field", "immunohistochemistry", "rocket")
_SAMPLES = ("china.jpg", "flower.jpg")  # scikit-learn's
BACKGROUNDS = _SKIMAGE + _SAMPLES
_CLOTHS = ("brick", "grass", "gravel")


@dataclass(frozen=True)
class Item:
    """One picture to be made."""

    part: str
    number: int
    size: tuple[int, int]
    path: Path


@dataclass(frozen=True)
class Objects:
    """(N, 28, 28) uint8, dark around them, and (N,) class numbers."""

    pixels: Pixels
    labels: Pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR", help="what is there already stays as it is")
    parser.add_argument("--train", type=int, default=TRAIN, metavar="N")
    parser.add_argument("--val", type=int, default=1000, metavar="N")
    parser.add_argument("--large", type=int, default=40, metavar="N", help="and as many small ones beside them")
    parser.add_argument("--objects", type=Path, default=OBJECTS, metavar="FOLDER", help=f"default {OBJECTS}")
    given = parser.parse_args()
    try:
        write(given.folder, train=given.train, val=given.val, large=given.large, objects=given.objects)
    except OSError as error:
        sys.exit(f"data.py: {error}")


def write(folder: Path, *, train: int, val: int, large: int, objects: Path = OBJECTS) -> None:
    """Make what is missing.

    Raises:
        FileNotFoundError: the objects are not there; the message says how they come.
    """
    kept = {"train": read_objects(objects, "train"), "test": read_objects(objects, "t10k")}
    counts = {"train": train, "val": val, "large": large, "small": large}
    items = [item for part, count in counts.items() for item in _items(folder, part, count, kept)]
    items = [item for item in items if not item.path.exists()]
    one = partial(_write_one, objects=kept)
    with ThreadPoolExecutor() as pool, tqdm(total=len(items), unit=" pictures", disable=None) as bar:
        for _ in pool.map(one, items):
            bar.update()


def _items(folder: Path, part: str, count: int, objects: dict[str, Objects]) -> Iterator[Item]:
    inside = folder / (part if part in {"train", "val"} else "mixed")
    size = LARGE if part == "large" else SMALL
    for number in range(count):
        name = CLASSES[_object(objects, part, number)[1]]
        yield Item(part, number, size, inside / name / f"{number:05d}-{part}.jpg")


def read_objects(folder: Path, part: str) -> Objects:
    """`part` is "train" or "t10k". Raises FileNotFoundError."""
    names = (folder / f"{part}-images-idx3-ubyte.gz", folder / f"{part}-labels-idx1-ubyte.gz")
    for name in names:
        if not name.is_file():
            raise FileNotFoundError(f"{name} is missing; apt-get install dataset-fashion-mnist, or --objects FOLDER")
    pixels, labels = (gzip.decompress(name.read_bytes()) for name in names)
    whole = np.frombuffer(pixels, np.uint8, offset=16).reshape(-1, _SIDE, _SIDE)
    return Objects(whole, np.frombuffer(labels, np.uint8, offset=8))


def _object(objects: dict[str, Objects], part: str, number: int) -> tuple[Pixels, int]:
    """An object and its class; `val`, `large` and `small` take theirs from different thirds of the test part."""
    chosen = objects["train" if part == "train" else "test"]
    third = len(chosen.labels) // 3
    start, room = (0, len(chosen.labels)) if part == "train" else ((_PARTS[part] - 1) * third, third)
    at = start + number % room
    return chosen.pixels[at], int(chosen.labels[at])


def _write_one(item: Item, objects: dict[str, Objects]) -> None:
    dice = np.random.default_rng((_PARTS[item.part], item.number))
    picture = draw(_object(objects, item.part, item.number)[0], item.size, dice)
    quality = int(dice.integers(85, 96))
    data: Any = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    item.path.parent.mkdir(parents=True, exist_ok=True)
    half = item.path.with_suffix(".part")
    half.write_bytes(data.tobytes())
    half.replace(item.path)


def draw(thing: Pixels, size: tuple[int, int], dice: np.random.Generator) -> Pixels:
    """An object (28, 28) in front of a photograph → (height, width, 3) uint8 RGB."""
    width, height = size
    picture = background(size, dice)
    side = int(height * dice.uniform(0.65, 0.85))
    left = (width - side) // 2 + int(side * dice.uniform(-0.08, 0.08))
    top = int((height - side) * dice.uniform(0.25, 0.75))
    seen = picture[top : top + side, left : left + side]
    colours, mask = cloth(thing, side, width / SMALL[0], dice)
    seen[...] = (colours * mask + seen * (1 - mask)).astype(np.uint8)
    return grain(picture, dice)


def background(size: tuple[int, int], dice: np.random.Generator) -> Pixels:
    """A piece of a photograph, at most three times enlarged: what is larger than that is mirrored at its sides."""
    whole = photograph(BACKGROUNDS[dice.integers(len(BACKGROUNDS))])
    scale = dice.uniform(1.0, 3.0)
    width, height = (int(np.ceil(side / scale)) for side in size)
    missing = [max(0, need - have + 8) for need, have in zip((height, width), whole.shape[:2], strict=True)]
    wide = np.pad(whole, ((0, missing[0]), (0, missing[1]), (0, 0)), "symmetric")
    top, left = (int(dice.integers(have - need)) for have, need in zip(wide.shape[:2], (height, width), strict=True))
    piece = wide[top : top + height, left : left + width]
    if dice.random() < 0.5:
        piece = piece[:, ::-1]
    found: Pixels = cv2.resize(np.ascontiguousarray(piece), size, interpolation=cv2.INTER_CUBIC)
    return found


def cloth(thing: Pixels, side: int, scale: float, dice: np.random.Generator) -> tuple[Floats, Floats]:
    """An object enlarged, in a colour and of a cloth → (side, side, 3) 0..255 and its mask (side, side, 1) 0..1."""
    smooth = cv2.resize(thing.astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    body = cv2.morphologyEx((thing > _TOP_OF_SHADE).astype(np.float32), cv2.MORPH_CLOSE, _CROSS)
    mask = np.clip(3 * cv2.resize(body, (side, side), interpolation=cv2.INTER_CUBIC) - 1, 0, 1)
    weave = photograph(_CLOTHS[dice.integers(len(_CLOTHS))])[..., :1].astype(np.float32) / 128 - 1
    weave = cv2.resize(weave, None, fx=max(1.0, scale / 3), fy=max(1.0, scale / 3))
    need = max(0, side - min(weave.shape))
    weave = np.pad(weave, ((0, need), (0, need)), "symmetric")[:side, :side]
    light = np.clip(smooth * (1 + 0.15 * weave), 0, 255)[..., None]
    colour = dice.uniform(0.35, 1, 3).astype(np.float32)
    return light * (colour / colour.max()), mask[..., None]


def grain(picture: Pixels, dice: np.random.Generator) -> Pixels:
    """A sensor's noise, without which an enlarged photograph has nothing fine in it; light, and another exposure."""
    height, width = picture.shape[:2]
    noise = dice.standard_normal((256, 256), np.float32) * np.float32(dice.uniform(1.5, 4))
    noise = np.tile(noise, (height // 256 + 1, width // 256 + 1))[:height, :width, None]
    gain = np.float32(dice.uniform(0.75, 1.15))
    found: Pixels = np.clip(picture * gain + noise, 0, 255).astype(np.uint8)
    return found


@cache
def photograph(name: str) -> Pixels:
    """(H, W, 3) uint8 RGB."""
    import skimage.data
    from sklearn.datasets import load_sample_image

    give: Callable[[], Pixels] = partial(load_sample_image, name) if name in _SAMPLES else getattr(skimage.data, name)
    found = give()
    return np.dstack([found] * 3) if found.ndim == 2 else found[..., :3]


if __name__ == "__main__":
    main()
