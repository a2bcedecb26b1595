"""Pictures of figures: they can be opened, hold what they should, and no name disturbs them."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from tars_hub.lettering import drawable, elided, is_drawable, width_px
from tars_hub.plots import confusion_matrix, curves, mosaic
from tars_hub.quiet import cv2

NAMES = [
    "猫",
    "a very long name " * 20,
    "$\\frac{$",
    "Füchse 🦊",
    "كلب",
    "a\nb\tc",
    "हाथी",
    "%s {} _^",
    " ",
    "\x1b[2J",
]
BLUE = (0, 0, 139)


def names(count: int) -> list[str]:
    return [NAMES[index % len(NAMES)] + (f" {index}" if index >= len(NAMES) else "") for index in range(count)]


def opened(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB."""
    found = cv2.imread(str(path))
    assert found is not None
    return np.asarray(found[..., ::-1], np.uint8)


def row(epoch: int, **values: float | None) -> dict[str, float | None]:
    return {
        "epoch": epoch,
        "train_loss": 1 / (epoch + 1),
        "train_top1": 0.5,
        "val_loss": 0.7,
        "val_top1": 0.6,
        **values,
    }


def of_colour(pixels: NDArray[np.uint8], colour: tuple[int, int, int]) -> int:
    return int((np.abs(pixels.astype(int) - colour).max(axis=2) <= 12).sum())


TRAIN, VAL, KEPT = (230, 159, 0), (0, 114, 178), (0, 158, 115)


def test_curves_show_both_parts_and_the_epoch_that_was_kept(tmp_path: Path) -> None:
    history = [row(epoch) for epoch in range(12)]
    curves(tmp_path / "a.png", history, best_epoch=7)
    pixels = opened(tmp_path / "a.png")
    assert pixels.shape == (460, 1180, 3)
    for half in (pixels[:, :590], pixels[:, 590:]):
        assert min(of_colour(half, colour) for colour in (TRAIN, VAL, KEPT)) > 100
    curves(tmp_path / "b.png", history, best_epoch=None)
    assert of_colour(opened(tmp_path / "b.png"), KEPT) == 0


def test_curves_of_one_epoch_still_show_points(tmp_path: Path) -> None:
    curves(tmp_path / "a.png", [row(1)], best_epoch=None)
    assert of_colour(opened(tmp_path / "a.png"), TRAIN) > 60


@pytest.mark.parametrize(
    "history",
    [
        [],
        [row(0, train_loss=None, train_top1=None)],
        [row(0, train_loss=None, train_top1=math.nan), row(1), row(2, val_loss=math.inf, val_top1=None)],
        [{"epoch": 1}],
        [row(epoch, val_loss=0.0, train_loss=0.0) for epoch in range(300)],
        [row(1, train_loss=1e30), row(2)],
    ],
)
def test_curves_with_gaps(tmp_path: Path, history: list[dict[str, float | None]]) -> None:
    curves(tmp_path / "a.png", history, best_epoch=1, metric="f1")
    assert opened(tmp_path / "a.png").shape == (460, 1180, 3)


def test_what_chose_the_epoch_is_drawn_too(tmp_path: Path) -> None:
    history = [row(epoch, val_f1=0.3) for epoch in range(5)]
    curves(tmp_path / "a.png", history, best_epoch=2, metric="f1")
    assert of_colour(opened(tmp_path / "a.png"), (204, 121, 167)) > 100


@pytest.mark.parametrize("size", [1, 2, 10, 25, 26, 40, 300, 1001])
def test_a_confusion_matrix_of_any_size_and_names(tmp_path: Path, size: int) -> None:
    counts = np.diag(np.full(size, 12_345))
    confusion_matrix(tmp_path / "a.png", counts, names(size))
    pixels = opened(tmp_path / "a.png")
    assert max(pixels.shape) < 1600
    dark = np.argwhere(pixels[..., 2].astype(int) - pixels[..., 0] > 60)  # the diagonal, and a part of the bar
    assert len(dark) > 500


def test_the_matrix_is_coloured_by_shares_of_the_row(tmp_path: Path) -> None:
    confusion_matrix(tmp_path / "a.png", np.array([[1000, 0], [1, 1]]), ["a", "b"])
    confusion_matrix(tmp_path / "b.png", np.array([[1000, 0], [0, 0]]), ["a", "b"])
    confusion_matrix(tmp_path / "c.png", np.array([[1000, 0], [0, 2]]), ["a", "b"])
    half, none, whole = (opened(tmp_path / name) for name in ("a.png", "b.png", "c.png"))
    dark = [of_colour(pixels, (8, 48, 107)) for pixels in (half, none, whole)]
    assert dark[2] > 1.8 * dark[0]
    assert of_colour(none, (232, 232, 232)) > 30_000  # a class without pictures
    assert of_colour(whole, (232, 232, 232)) < 1000


def test_a_rare_mistake_among_many_classes_shows(tmp_path: Path) -> None:
    counts = np.diag(np.full(1001, 100))
    confusion_matrix(tmp_path / "a.png", counts, names(1001))
    counts[901, 101] = 5
    confusion_matrix(tmp_path / "b.png", counts, names(1001))
    change = np.abs(opened(tmp_path / "a.png").astype(int) - opened(tmp_path / "b.png")).max(axis=2)
    assert 1 <= (change > 0).sum() <= 60
    assert change.max() > 25


def tile(side: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(skimage.data.astronaut()[:side, 150 : 150 + side])


@pytest.mark.parametrize("side", [1, 28, 32, 64, 100, 224, 512])
def test_a_mosaic_of_any_size_and_names(tmp_path: Path, side: int) -> None:
    mosaic(tmp_path / "a.jpg", [(tile(side), name) for name in NAMES], title="Title $ 猫")
    pixels = opened(tmp_path / "a.jpg")
    assert 1000 < pixels.shape[1] < 1700
    assert (tmp_path / "a.jpg").read_bytes()[:2] == b"\xff\xd8"


def test_small_pictures_are_enlarged_to_crisp_squares(tmp_path: Path) -> None:
    checks = np.indices((32, 32)).sum(axis=0) % 2 * 255
    mosaic(tmp_path / "a.jpg", [(np.repeat(checks[..., None], 3, axis=2).astype(np.uint8), "")])
    shown = opened(tmp_path / "a.jpg")[12 : 12 + 128, 12 : 12 + 128, 0].astype(int)
    middles = shown[1::4, 1::4]
    assert np.abs(middles - checks).max() < 25


@pytest.mark.parametrize("count", [0, 1, 8, 9])
def test_a_mosaic_has_as_many_rows_as_it_needs(tmp_path: Path, count: int) -> None:
    mosaic(tmp_path / "a.jpg", [(tile(32), "x")] * count, title="Title")
    assert opened(tmp_path / "a.jpg").shape[0] == 12 + 34 + math.ceil(count / 8) * (128 + 12 + 17)


def test_captions_never_reach_the_next_picture(tmp_path: Path) -> None:
    for caption in ("W" * 300, "truth →\n" + "W" * 300, "猫" * 300):
        mosaic(tmp_path / "a.jpg", [(np.full((32, 32, 3), 255, np.uint8), caption)] * 3)
        gaps = opened(tmp_path / "a.jpg")[12 + 128 + 3 :]
        assert gaps.min() < 100
        for column in (1, 2):
            assert gaps[:, column * 140 + 2 : column * 140 + 10].min() > 200


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        folder = tmp_path / name
        folder.mkdir()
        curves(folder / "1.png", [row(epoch) for epoch in range(5)], best_epoch=2)
        confusion_matrix(folder / "2.png", np.eye(12, dtype=np.int64), names(12))
        mosaic(folder / "3.jpg", [(tile(40), "x")] * 5)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["1.png", "2.png", "3.jpg"]


def test_no_global_state_of_matplotlib_is_touched() -> None:
    code = "import sys, tars_hub.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])


def test_letters_that_no_font_has_become_boxes() -> None:
    assert drawable("a\nb") == "a b"
    assert drawable("e\u0301") == "é"
    assert drawable("x\U000e0001\x1b\u200b\U0010ffff") == "x□"
    assert is_drawable("Füchse □ собака")
    assert not is_drawable("🦊")


@pytest.mark.parametrize("most", [5, 40, 100])
def test_text_is_cut_in_its_middle_until_it_fits(most: float) -> None:
    text = "Pembroke Welsh corgi, variety 12"
    cut = elided(text, most, 8, 120)
    assert cut == "…" or width_px(cut, 8, 120) <= most
    if most >= 40:
        head, tail = cut.split("…")
        assert text.startswith(head)
        assert text.endswith(tail)
        assert head
        assert tail
    assert elided("short", 100, 8, 120) == "short"
