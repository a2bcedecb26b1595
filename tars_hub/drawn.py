"""Digits drawn large with a dark pen, as visitors of the page draw them: a test of its own.

No picture of these is ever trained on. Each digit is written in the ways people write it, as strokes
through a few points; place, size, slant, hand and pen vary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from tars_hub.quiet import cv2

CANVAS_PX = 280
_ROUND = 12  # points of a full turn

Points = NDArray[np.float64]  # (N, 2) x to the right and y down, both 0..1


def _arc(x: float, y: float, radius_x: float, radius_y: float, start_deg: float, end_deg: float) -> list[list[float]]:
    """Points of an ellipse's arc; 0° is right, 90° is down."""
    count = max(3, round(abs(end_deg - start_deg) / 360 * _ROUND) + 1)
    turns = np.radians(np.linspace(start_deg, end_deg, count))
    return [[x + radius_x * np.cos(t), y + radius_y * np.sin(t)] for t in turns]


# Digit to its ways of being written; a way is a list of strokes. A straight corner is two equal points.
_WAYS: Mapping[int, list[list[list[list[float]]]]] = MappingProxyType(
    {
        0: [[_arc(0.5, 0.5, 0.3, 0.48, -90, 270)], [_arc(0.5, 0.5, 0.4, 0.46, -60, -420)]],
        1: [
            [[[0.5, 0.02], [0.5, 0.98]]],
            [[[0.3, 0.25], [0.55, 0.02], [0.55, 0.02], [0.55, 0.98]]],
            [[[0.3, 0.22], [0.52, 0.02], [0.52, 0.02], [0.52, 0.97]], [[0.25, 0.97], [0.78, 0.97]]],
        ],
        2: [
            [[*_arc(0.5, 0.28, 0.3, 0.26, 190, 380), [0.6, 0.62], [0.18, 0.96], [0.18, 0.96], [0.85, 0.96]]],
            [[*_arc(0.48, 0.27, 0.3, 0.25, 210, 400), [0.2, 0.93], [0.3, 0.85], [0.55, 0.93], [0.86, 0.9]]],
        ],
        3: [
            [[*_arc(0.46, 0.27, 0.3, 0.25, 215, 440), *_arc(0.46, 0.73, 0.34, 0.25, -80, 145)]],
            [
                [
                    [0.2, 0.04],
                    [0.78, 0.04],
                    [0.78, 0.04],
                    [0.45, 0.42],
                    [0.45, 0.42],
                    *_arc(0.46, 0.7, 0.33, 0.28, -70, 145),
                ]
            ],
        ],
        4: [
            [[[0.3, 0.03], [0.2, 0.58], [0.2, 0.58], [0.85, 0.58]], [[0.66, 0.3], [0.66, 0.98]]],
            [[[0.68, 0.98], [0.68, 0.03], [0.68, 0.03], [0.12, 0.66], [0.12, 0.66], [0.9, 0.66]]],
        ],
        5: [
            [
                [
                    [0.8, 0.04],
                    [0.28, 0.04],
                    [0.28, 0.04],
                    [0.25, 0.45],
                    [0.25, 0.45],
                    *_arc(0.48, 0.68, 0.33, 0.28, -120, 145),
                ]
            ],
            [
                [[0.27, 0.04], [0.24, 0.44], [0.24, 0.44], *_arc(0.47, 0.69, 0.34, 0.27, -115, 150)],
                [[0.27, 0.04], [0.82, 0.04]],
            ],
        ],
        6: [
            [[[0.68, 0.03], [0.35, 0.25], [0.2, 0.65], *_arc(0.5, 0.7, 0.3, 0.27, 180, -180)]],
            [[[0.55, 0.02], [0.25, 0.5], *_arc(0.48, 0.72, 0.27, 0.25, 170, -200)]],
        ],
        7: [
            [[[0.15, 0.04], [0.85, 0.04], [0.85, 0.04], [0.38, 0.98]]],
            [[[0.15, 0.04], [0.85, 0.04], [0.85, 0.04], [0.4, 0.98]], [[0.3, 0.52], [0.8, 0.52]]],
        ],
        8: [
            [_arc(0.5, 0.27, 0.26, 0.24, 90, 450), _arc(0.5, 0.74, 0.32, 0.24, -90, 270)],
            [
                [
                    *_arc(0.5, 0.27, 0.27, 0.24, -30, -250),
                    *_arc(0.5, 0.75, 0.3, 0.23, -60, 240),
                    [0.62, 0.42],
                    [0.75, 0.2],
                ]
            ],
        ],
        9: [
            [[*_arc(0.48, 0.3, 0.29, 0.27, 0, -360), [0.77, 0.3], [0.74, 0.98]]],
            [[*_arc(0.48, 0.3, 0.3, 0.27, -20, -380), [0.76, 0.6], [0.62, 0.9], [0.35, 0.97]]],
        ],
    }
)


def draw_digits(per_way: int, *, seed: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Each digit in each of its ways, `per_way` times: (digit, (280, 280, 3) uint8 RGB, dark on white)."""
    rng = np.random.default_rng(seed)
    for digit, ways in _WAYS.items():
        for way in ways:
            for _ in range(per_way):
                yield digit, _draw([np.array(stroke) for stroke in way], rng)


def _draw(strokes: list[Points], rng: Generator) -> NDArray[np.uint8]:
    canvas = np.full((CANVAS_PX, CANVAS_PX, 3), 255, np.uint8)
    pen = int(rng.integers(0, 70))
    width_px = int(rng.integers(10, 25))
    for stroke in _place(strokes, rng):
        line = np.rint(_smooth(stroke) * CANVAS_PX).astype(np.int32)
        cv2.polylines(canvas, [line], isClosed=False, color=(pen, pen, pen), thickness=width_px, lineType=cv2.LINE_AA)
    return canvas


def _place(strokes: list[Points], rng: Generator) -> list[Points]:
    """The digit large on the canvas, its hand a little unsteady, slanted and turned."""
    turn, slant = np.radians(rng.uniform(-10, 10)), rng.uniform(-0.2, 0.15)
    size = rng.uniform(0.55, 0.8) * np.array([rng.uniform(0.6, 0.9), 1.0])
    linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ np.array([[1, slant], [0, 1]])
    centre = rng.uniform(0.45, 0.55, size=2)
    return [(stroke + rng.normal(0, 0.012, stroke.shape) - 0.5) * size @ linear.T + centre for stroke in strokes]


def _smooth(points: Points) -> Points:
    """A Catmull-Rom curve through the points; where two are almost equal it has a corner."""
    padded = np.vstack([points[0], points, points[-1]])
    steps = np.linspace(0, 1, 8)[:, None]
    pieces = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        bend = 2 * b + (c - a) * steps + (2 * a - 5 * b + 4 * c - d) * steps**2 + (3 * b - a - 3 * c + d) * steps**3
        pieces.append(bend / 2)
    return np.vstack(pieces)
