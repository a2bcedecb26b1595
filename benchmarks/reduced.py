"""What decoding a large JPEG at a half, a quarter or an eighth of its size changes, and what it saves.

    python benchmarks/reduced.py MODEL [--copies 3] [--objects FOLDER] [--json OUT]

Over photographs of scikit-image and scikit-learn, cropped at random, in several sizes, qualities and subsamplings: as
they are (enlarged), as mosaics in which every pixel is a camera's, and behind the objects that the benchmark's own
MODEL was trained on (benchmarks/models.py). Each picture is decoded in full and in other ways; the table gives how far
that moves the probability of any class, and the prepared pixels, and how many first answers are others. "headroom" is
how many times the needed pixels stay; the library's is 2. As yardsticks: PIL's resize instead of ours, and the picture
saved once more.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # instead of this folder

from benchmarks import data  # noqa: E402
from tars_hub import Predictor, preprocess  # noqa: E402
from tars_hub.calibration import softmax  # noqa: E402
from tars_hub.config import Preprocess  # noqa: E402

Pixels = NDArray[np.uint8]
SIZES = ((1366, 1024), (2048, 1536), (3264, 2448), (4000, 3000))  # (width, height)
HEADROOMS = (1.0, 1.5, 2.0, 3.0)
_ALL = "all"
_QUALITIES = (75, 85, 92, 97)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One picture; see data.background for how a photograph is cut."""

    kind: str
    size: tuple[int, int]
    number: int


@dataclass(frozen=True, kw_only=True)
class Change:
    """What one way of decoding changes, beside decoding in full.

    Attributes:
        largest, p99, median: of the largest change of any class's probability, over pictures.
        others: pictures with another first answer.
        pixels_mean, pixels_largest: of the prepared pictures, in steps of 255.
        ms: median time of decoding and preparing, by size.
    """

    largest: float
    p99: float
    median: float
    others: int
    pixels_mean: float
    pixels_largest: int
    ms: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """All pictures as one way of decoding gives them, (S, S, 3) each, the time it took, and (N, C) probabilities."""

    pictures: list[Pixels]
    seconds: list[float]
    answers: NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="MODEL", help="a model folder")
    parser.add_argument(
        "--copies", type=int, default=3, metavar="N", help="of each photograph, kind and size (default 3)"
    )
    parser.add_argument("--objects", type=Path, default=data.OBJECTS, metavar="FOLDER")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures here as well")
    given = parser.parse_args()
    predictor = Predictor.from_pretrained(given.model)
    found = measure(predictor, cases(given.copies), data.read_objects(given.objects, "t10k"))
    show(found)
    if given.json:
        figures = {kind: {way: asdict(change) for way, change in changes.items()} for kind, changes in found.items()}
        given.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def cases(copies: int) -> list[Case]:
    count = copies * len(data.BACKGROUNDS)
    kinds = ("enlarged", "mosaic", "object")
    return [Case(kind=kind, size=size, number=n) for kind in kinds for size in SIZES for n in range(count)]


def measure(predictor: Predictor, every: list[Case], objects: data.Objects) -> dict[str, dict[str, Change]]:
    """By kind of picture and way of decoding."""
    prepared: dict[str, list[Pixels]] = {}
    seconds: dict[str, list[float]] = {}
    for case in tqdm(every, unit=" pictures", disable=None):
        jpeg = encoded(draw(case, objects), case.number)
        for way, act in ways(predictor.config.preprocess).items():
            begin = time.perf_counter()
            prepared.setdefault(way, []).append(act(jpeg))
            seconds.setdefault(way, []).append(time.perf_counter() - begin)
    seen = {
        way: Seen(pictures=found, seconds=seconds[way], answers=probabilities(predictor, found))
        for way, found in prepared.items()
    }
    rows = {kind: [at for at, case in enumerate(every) if kind in {case.kind, _ALL}] for kind in _kinds(every)}
    sizes = [case.size for case in every]
    return {
        kind: {way: change(seen["full"], one, chosen, sizes) for way, one in seen.items()}
        for kind, chosen in rows.items()
    }


def _kinds(every: list[Case]) -> list[str]:
    return [*dict.fromkeys(case.kind for case in every), _ALL]


def draw(case: Case, objects: data.Objects) -> Pixels:
    """(height, width, 3) uint8 RGB; the same each time."""
    dice = np.random.default_rng((case.number, *case.size, ord(case.kind[0])))
    name = data.BACKGROUNDS[case.number % len(data.BACKGROUNDS)]
    if case.kind == "object":
        return data.draw(objects.pixels[-1 - case.number], case.size, dice)
    if case.kind == "mosaic":
        return mosaic(data.photograph(name), case.size, dice)
    width, height = case.size
    whole = data.photograph(name)
    side = dice.uniform(0.5, 1) * min(whole.shape[0] / height, whole.shape[1] / width)
    need = (int(height * side), int(width * side))
    top, left = (int(dice.integers(have - part + 1)) for have, part in zip(whole.shape[:2], need, strict=True))
    piece = Image.fromarray(whole[top : top + need[0], left : left + need[1]])
    return np.asarray(piece.resize(case.size, Image.Resampling.BICUBIC))


def mosaic(photograph: Pixels, size: tuple[int, int], dice: np.random.Generator) -> Pixels:
    """A photograph at its own size beside its mirror images, until the picture is full."""
    height, width = photograph.shape[:2]
    turned = photograph[:, ::-1] if dice.random() < 0.5 else photograph
    rolled = np.roll(turned, (int(dice.integers(height)), int(dice.integers(width))), (0, 1))
    missing = [(0, max(0, need - have)) for need, have in zip(size[::-1], (height, width), strict=True)]
    return np.pad(rolled, (*missing, (0, 0)), "symmetric")[: size[1], : size[0]]


def encoded(pixels: Pixels, number: int) -> bytes:
    quality, subsampling = _QUALITIES[number % len(_QUALITIES)], (2, 0, 1)[number % 3]
    return _jpeg(pixels, quality, subsampling)


def _jpeg(pixels: Pixels, quality: int, subsampling: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return file.getvalue()


def ways(prepare: Preprocess) -> dict[str, Callable[[bytes], Pixels]]:
    """From a JPEG to a prepared picture."""

    def full(jpeg: bytes) -> Pixels:
        return preprocess.fit(preprocess.decode(jpeg), prepare)

    def reduced(headroom: float) -> Callable[[bytes], Pixels]:
        def act(jpeg: bytes) -> Pixels:
            kept = preprocess._HEADROOM
            try:
                preprocess._HEADROOM = headroom  # type: ignore[assignment]  # what this is about
                return preprocess.load(jpeg, prepare)
            finally:
                preprocess._HEADROOM = kept

        return act

    found = {"full": full, **{f"reduced, headroom {headroom}": reduced(headroom) for headroom in HEADROOMS}}
    found["PIL's resize"] = lambda jpeg: by_pil(jpeg, prepare)
    found["saved again at 95"] = lambda jpeg: full(_jpeg(preprocess.decode(jpeg), 95, 2))
    return found


def by_pil(jpeg: bytes, prepare: Preprocess) -> Pixels:
    """As torchvision's transforms do it."""
    image = Image.open(io.BytesIO(jpeg)).convert("RGB")
    shorter, side = min(image.size), prepare.crop_size
    width, height = (prepare.resize_size * length // shorter for length in image.size)
    left, top = round((width - side) / 2), round((height - side) / 2)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image.crop((left, top, left + side, top + side)))


def probabilities(predictor: Predictor, pictures: list[Pixels]) -> NDArray[np.float32]:
    parts = [predictor.logits(pictures[at : at + 16]) for at in range(0, len(pictures), 16)]
    return softmax(np.concatenate(parts), predictor.calibration.temperature)


def change(full: Seen, other: Seen, rows: list[int], sizes: list[tuple[int, int]]) -> Change:
    """Over these of the pictures."""
    apart = np.abs(full.answers[rows] - other.answers[rows]).max(1)
    pixels = [np.abs(full.pictures[at].astype(int) - other.pictures[at]) for at in rows]
    times = {size: [other.seconds[at] for at in rows if sizes[at] == size] for size in SIZES}
    return Change(
        largest=float(apart.max()),
        p99=float(np.quantile(apart, 0.99)),
        median=float(np.median(apart)),
        others=int((full.answers[rows].argmax(1) != other.answers[rows].argmax(1)).sum()),
        pixels_mean=float(np.mean([one.mean() for one in pixels])),
        pixels_largest=int(max(one.max() for one in pixels)),
        ms={f"{size[0]}x{size[1]}": 1000 * float(np.median(found)) for size, found in times.items() if found},
    )


def show(found: dict[str, dict[str, Change]]) -> None:
    for kind, table in found.items():
        print(f"\n{kind}: change of probability, first answers, pixels; milliseconds by size")
        sizes = list(table["full"].ms)
        print(f"{'':24}{'largest':>9}{'99 %':>9}{'median':>9}{'others':>8}{'pixels':>8}{'worst':>7}" + _columns(sizes))
        for way, one in table.items():
            shares = f"{one.largest:9.4f}{one.p99:9.4f}{one.median:9.5f}{one.others:8}"
            times = _columns([f"{one.ms[size]:.1f}" for size in sizes])
            print(f"{way:24}{shares}{one.pixels_mean:8.2f}{one.pixels_largest:7}{times}")


def _columns(cells: list[str]) -> str:
    return "".join(f"{cell:>11}" for cell in cells)


if __name__ == "__main__":
    main()
