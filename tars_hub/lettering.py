"""Strangers' names in matplotlib's letters: what fits a width, what the fonts here have. Knows nothing of figures."""

from __future__ import annotations

import unicodedata
from functools import cache

from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

_OWN_FONT = "DejaVu Sans"  # comes with matplotlib
# Fonts for what it lacks, where a machine has them.
_MORE_FONTS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Microsoft YaHei", "PingFang SC", "Hiragino Sans GB"),
    *("WenQuanYi Zen Hei", "Yu Gothic", "Malgun Gothic", "Arial Unicode MS", "Noto Sans Devanagari", "Noto Sans Thai"),
)
_UNREADABLE = "□"  # stands for a letter that no font here has


@cache
def fonts() -> list[str]:
    """Names of the fonts to draw with, in order of preference; all of them are there."""
    there = {entry.name for entry in fontManager.ttflist}
    return [_OWN_FONT, *(name for name in _MORE_FONTS if name in there)]


def drawable(text: str) -> str:
    """The text in one line, with a box for each letter that no font here has; matplotlib would warn of it."""
    flat = " ".join(unicodedata.normalize("NFC", text).split())
    return "".join(char if ord(char) in _letters() else _UNREADABLE for char in flat if not _is_unseen(char))


def is_drawable(text: str) -> bool:
    """Whether every letter that shows can be drawn."""
    return _UNREADABLE not in drawable(text) or _UNREADABLE in text


def width_px(text: str, size_pt: float, dpi: float) -> float:
    """How wide a line of drawable text is."""
    font = FontProperties(family=fonts(), size=size_pt)
    renderer = RendererAgg(1, 1, dpi)  # type: ignore[no-untyped-call]
    return float(renderer.get_text_width_height_descent(text, font, ismath=False)[0])  # type: ignore[no-untyped-call]


def elided(text: str, most_px: float, size_pt: float, dpi: float) -> str:
    """Drawable text cut in its middle until it fits; names often differ at their ends."""
    if width_px(text, size_pt, dpi) <= most_px:
        return text
    fits, too_many = 0, len(text)
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if width_px(_cut(text, middle), size_pt, dpi) <= most_px:
            fits = middle
        else:
            too_many = middle
    return _cut(text, fits)


def _cut(text: str, letters: int) -> str:
    tail = letters // 2
    return f"{text[: letters - tail].rstrip()}…{text[len(text) - tail :].lstrip() if tail else ''}"


def _is_unseen(char: str) -> bool:
    """Controls and format marks; not letters of a Unicode later than this Python's."""
    return unicodedata.category(char) in {"Cc", "Cf"}


@cache
def _letters() -> frozenset[int]:
    paths = (findfont(FontProperties(family=name)) for name in fonts())
    return frozenset(code for path in paths for code in get_font(path).get_charmap())
