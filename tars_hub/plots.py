"""Pictures of figures: curves, the confusion matrix, a mosaic of labelled pictures. Drawn without a display.

matplotlib's objects are used, never pyplot and its global state. The same input gives the same bytes, with one
version of matplotlib and one set of fonts. Class names are strangers' text: they are never read as mathematics.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from tars_hub.files import replacing
from tars_hub.lettering import drawable, elided, fonts, is_drawable, width_px
from tars_hub.quiet import cv2

_DPI = 120
# Okabe & Ito's colours, told apart by colour-blind eyes too.
_TRAIN, _VAL, _CHOSEN, _BEST = "#E69F00", "#0072B2", "#CC79A7", "#009E73"
_ABSENT = "#E8E8E8"  # a class without a picture
_MARKED_EPOCHS = 40  # more points than these run into one another
_COUNTED_CLASSES = 25  # up to here the cells have room for numbers
_LABELS = 50  # names that an axis has room for
_LABEL_PX = 180  # the longest of them
_MATRIX_PX = 1000
_LABEL_PT, _COUNT_PT, _CAPTION_PT, _TITLE_PT = 8.0, 8.0, 8.0, 11.0
_TILE_PX, _LARGEST_TILE_PX = 128, 192  # the least and the largest side of a picture in a mosaic
_GAP_PX, _LINE_PX, _TITLE_PX = 12, 17, 34
_TITLE_WIDTH_PX = 520  # room for it, also above a single picture
_FRAME = 215
_JPEG_QUALITY = 92

Row = Mapping[str, float | None]
Pixels = NDArray[np.uint8]


def curves(path: Path, history: Sequence[Row], *, best_epoch: int | None, metric: str = "top1") -> None:
    """Draw loss and accuracy by epoch as a PNG.

    Args:
        history: rows with `epoch`, `train_loss`, `val_loss`, `train_top1`, `val_top1`; None and NaN leave gaps.
        best_epoch: the one that was kept; marked.
        metric: what chose it; drawn as well where rows have `val_METRIC`.
    """
    figure = _figure(1180, 460)
    left, right = figure.subplots(1, 2)
    _draw(left, history, {"train_loss": ("training", _TRAIN), "val_loss": ("validation", _VAL)})
    shares = {"train_top1": ("training", _TRAIN), "val_top1": ("validation", _VAL)}
    _draw(
        right, history, shares if metric == "top1" else shares | {f"val_{metric}": (f"validation, {metric}", _CHOSEN)}
    )
    right.yaxis.set_major_formatter(PercentFormatter(1.0))
    right.set_ylim(top=min(right.get_ylim()[1], 1.01))
    _mark(left, history, best_epoch, None)
    _mark(right, history, best_epoch, f"val_{metric}")
    for axes, title in ((left, "Loss"), (right, "Accuracy")):
        axes.set_title(title, loc="left", fontsize=_TITLE_PT)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize=9)
    _write(path, ".png", _pixels(figure))


def confusion_matrix(path: Path, counts: NDArray[np.int64], classes: Sequence[str]) -> None:
    """Draw (C, C) counts as a PNG, rows the truth, columns the answers, coloured by share of the row.

    Numbers stand in the cells up to 25 classes. Above 50 only some classes are named; above 1,000 cells are put
    together, and the strongest shows. A row without pictures is grey.
    """
    size, counted = len(classes), len(classes) <= _COUNTED_CLASSES
    cell_px = min(160.0, max(40.0, 480 / size)) if counted else max(20.0, 960 / size) if size <= _LABELS else 0.0
    side = cell_px * size or _MATRIX_PX
    names = {index: _label(index, classes[index]) for index in range(0, size, math.ceil(size / _LABELS))}
    longest = max(width_px(name, _LABEL_PT, _DPI) for name in names.values())
    turn = 90 if cell_px < 40 else 45 if longest > cell_px - 8 else 0
    figure = _figure(side + longest + 190, side + 70 + longest * math.sin(math.radians(turn)))
    axes = figure.subplots()
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.where(totals > 0, counts / np.maximum(totals, 1), np.nan)
    step = math.ceil(size / _MATRIX_PX)
    edge = math.ceil(size / step) * step - 0.5
    # Where there is no room for numbers, a rare mistake has to show by its colour.
    norm = PowerNorm(1.0 if counted else 0.5, vmin=0, vmax=1)
    colours = colormaps["Blues"].with_extremes(bad=_ABSENT)
    image = axes.imshow(
        _merged(shares, step), cmap=colours, norm=norm, interpolation="nearest", extent=(-0.5, edge, edge, -0.5)
    )
    ticks = [0, 0.25, 0.5, 0.75, 1] if counted else [0, 0.05, 0.25, 0.5, 1]
    bar = figure.colorbar(image, ax=axes, shrink=0.6, format=PercentFormatter(1.0), ticks=ticks)
    bar.set_label("share of the row", fontsize=9)
    bar.ax.tick_params(labelsize=_LABEL_PT)
    _name_axes(axes, names, turn)
    if counted:
        _write_counts(axes, counts, shares)
    _write(path, ".png", _pixels(figure))


def mosaic(path: Path, tiles: Sequence[tuple[Pixels, str]], *, title: str = "", columns: int = 8) -> None:
    """Put pictures in rows, each with its caption below, as a JPEG.

    Args:
        tiles: (S, S, 3) uint8 RGB and what to say of it. A caption that is too wide breaks at its newline, and is cut
            in the middle where that does not help; without need the newline is a space.
        columns: pictures in a row.
    """
    sides = [pixels.shape[0] for pixels, _ in tiles]
    side = _shown_side(max(sides, default=_TILE_PX))
    columns = max(1, min(columns, len(tiles)))
    captions = [_wrapped(caption, side) for _, caption in tiles]
    cell = side + _GAP_PX + _LINE_PX * max(map(len, captions), default=0), side + _GAP_PX
    top = _GAP_PX + (_TITLE_PX if title else 0)
    height = top + math.ceil(len(tiles) / columns) * cell[0]
    width = max(_GAP_PX + columns * cell[1], _TITLE_WIDTH_PX if title else 0)
    corners = [(top + at // columns * cell[0], _GAP_PX + at % columns * cell[1]) for at in range(len(tiles))]
    figure = _figure(width, height)
    _letter(figure, _GAP_PX, 12, elided(drawable(title), width - 2 * _GAP_PX, _TITLE_PT, _DPI), _TITLE_PT)
    for (y, x), lines in zip(corners, captions, strict=True):
        for number, line in enumerate(lines):
            _letter(figure, x, y + side + 3 + number * _LINE_PX, line, _CAPTION_PT)
    sheet = _pixels(figure)
    for (y, x), (pixels, _) in zip(corners, tiles, strict=True):
        sheet[y - 1 : y + side + 1, x - 1 : x + side + 1] = _FRAME  # a white picture ends somewhere too
        sheet[y : y + side, x : x + side] = _enlarged(pixels, side)
    _write(path, ".jpg", sheet)


def _draw(axes: Axes, history: Sequence[Row], lines: Mapping[str, tuple[str, str]]) -> None:
    epochs = [_number(row, "epoch") for row in history]
    marker = "o" if len(history) <= _MARKED_EPOCHS else None
    for key, (label, colour) in lines.items():
        values = [_number(row, key) for row in history]
        if not all(map(math.isnan, values)):
            axes.plot(epochs, values, color=colour, label=label, marker=marker, markersize=4, linewidth=1.8)
    axes.set_xlabel("epoch", fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if len(history) == 1:
        axes.set_xlim(epochs[0] - 1, epochs[0] + 1)
    axes.tick_params(labelsize=9)
    axes.grid(color="#DDDDDD", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _mark(axes: Axes, history: Sequence[Row], epoch: int | None, key: str | None) -> None:
    rows = [row for row in history if row.get("epoch") == epoch]
    if rows:
        value = _number(rows[0], key) if key else math.nan
        label = f"kept: epoch {epoch}" + ("" if math.isnan(value) else f", {value:.1%}")
        axes.axvline(float(rows[0]["epoch"] or 0), color=_BEST, linestyle="--", linewidth=1.4, label=label)


def _number(row: Row, key: str) -> float:
    value = row.get(key)
    return math.nan if value is None else float(value)


def _merged(shares: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    """The strongest of each block of step × step cells; NaN where all are."""
    starts = np.arange(0, len(shares), step)
    merged: NDArray[np.float64] = np.fmax.reduceat(np.fmax.reduceat(shares, starts, axis=0), starts, axis=1)
    return merged


def _name_axes(axes: Axes, names: Mapping[int, str], turn: int) -> None:
    style: dict[str, Any] = {"fontfamily": fonts(), "fontsize": _LABEL_PT, "parse_math": False}
    place = {0: ("center", "top"), 45: ("right", "top"), 90: ("right", "center")}[turn]
    across: dict[str, Any] = {"ha": place[0], "va": place[1], "rotation": turn, "rotation_mode": "anchor"}
    axes.set_xticks(list(names), list(names.values()), **across, **style)
    axes.set_yticks(list(names), list(names.values()), **style)
    axes.set_xlabel("answer")
    axes.set_ylabel("truth")
    axes.tick_params(length=2)


def _label(index: int, name: str) -> str:
    """A name as far as it can be drawn; with its number where letters are missing."""
    text = drawable(name) if is_drawable(name) else f"{index}: {drawable(name)}"
    return elided(text, _LABEL_PX, _LABEL_PT, _DPI)


def _write_counts(axes: Axes, counts: NDArray[np.int64], shares: NDArray[np.float64]) -> None:
    for row, column in zip(*np.nonzero(counts), strict=True):
        count = int(counts[row, column])
        text = f"{count:,}" if count < 10_000 else f"{count / 1000:,.0f}k"
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=_COUNT_PT)


def _wrapped(caption: str, most_px: int) -> list[str]:
    whole = drawable(caption)
    if width_px(whole, _CAPTION_PT, _DPI) <= most_px:
        return [whole]
    return [elided(drawable(line), most_px, _CAPTION_PT, _DPI) for line in caption.split("\n")]


def _shown_side(side: int) -> int:
    """Small pictures grow by a whole number, so that their pixels stay squares; large ones shrink."""
    return min(side * math.ceil(_TILE_PX / side), _LARGEST_TILE_PX)


def _enlarged(pixels: Pixels, side: int) -> Pixels:
    how = cv2.INTER_AREA if pixels.shape[0] > side else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(pixels, (side, side), interpolation=how), np.uint8)


def _letter(figure: Figure, x: float, y: float, text: str, size_pt: float) -> None:
    """Write a line whose upper left corner is at these pixels."""
    width, height = figure.canvas.get_width_height()
    style: dict[str, Any] = {"fontfamily": fonts(), "fontsize": size_pt, "parse_math": False}
    figure.text(x / width, 1 - y / height, text, ha="left", va="top", **style)


def _figure(width: float, height: float) -> Figure:
    # A hundredth of a pixel more, lest 1180 / 120 * 120 come out below 1180.
    size = ((round(width) + 0.01) / _DPI, (round(height) + 0.01) / _DPI)
    figure = Figure(figsize=size, dpi=_DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _pixels(figure: Figure) -> Pixels:
    """(H, W, 3) uint8 RGB."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.array(canvas.buffer_rgba(), np.uint8)[..., :3]  # type: ignore[no-untyped-call]


def _write(path: Path, ending: str, pixels: Pixels) -> None:
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if ending == ".jpg" else []
    data = cv2.imencode(ending, np.ascontiguousarray(pixels[..., ::-1]), options)[1].tobytes()
    with replacing(path, "wb") as stream:
        stream.write(data)
