"""JSON files compared value by value, whatever strangers put into them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tars_hub.server.rules.value_changes import ValueTable, flat, metric_table, number_text, value_table


def values(old: Any, new: Any, **options: bool) -> ValueTable:
    return value_table("config.json", flat(json.dumps(old).encode()), flat(json.dumps(new).encode()), **options)


def metrics(old: Any, new: Any, **options: bool) -> ValueTable:
    return metric_table("metrics.json", flat(json.dumps(old).encode()), flat(json.dumps(new).encode()), **options)


def rows(table: ValueTable) -> list[tuple[str, str | None, str | None, str | None]]:
    return [(row.name, row.kind, row.old, row.new) for row in table.rows]


def test_what_differs_by_dotted_names() -> None:
    old = {"backbone": "resnet18", "preprocess": {"crop_size": 224, "mean": [0.1, 0.2]}, "gone": True, "same": 1}
    new = {"backbone": "resnet50", "preprocess": {"crop_size": 224, "mean": [0.1, 0.3]}, "fresh": None, "same": 1}
    found = values(old, new)
    assert rows(found) == [
        ("backbone", "changed", "resnet18", "resnet50"),
        ("fresh", "added", None, "null"),
        ("gone", "removed", "true", None),
        ("preprocess.mean.1", "changed", "0.2", "0.3"),
    ]
    assert found.same == 3


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [(1, "1", ("1", '"1"')), (True, 1, ("true", "1")), (1, 1.0, ("1", "1.0")), ({}, [], ("{}", "[]"))],
)
def test_kinds_are_told_apart(old: Any, new: Any, shown: tuple[str, str]) -> None:
    assert rows(values({"x": old}, {"x": new})) == [("x", "changed", *shown)]


def test_metrics_and_whether_they_got_better() -> None:
    old = {"top1": 0.5, "loss": 1.5, "pictures": 10, "calibration_error": 0.25, "name": "x", "target_error": 0.1}
    new = {"top1": 0.75, "loss": 1.75, "pictures": 12, "calibration_error": 0.125, "name": "y", "target_error": 0.2}
    found = {row.name: (row.old, row.new, row.difference, row.better) for row in metrics(old, new).rows}
    assert found == {
        "top1": ("0.5000", "0.7500", 0.25, True),
        "loss": ("1.5000", "1.7500", 0.25, False),
        "pictures": ("10", "12", 2, None),
        "calibration_error": ("0.2500", "0.1250", -0.125, True),
        "target_error": ("0.1000", "0.2000", 0.1, None),
    }


def test_differences_as_text() -> None:
    found = metrics({"epoch": 1, "loss": 1.0, "f1": 0.5}, {"epoch": 3, "loss": 0.75, "f1": 0.50001})
    assert [row.difference_text for row in found.rows] == ["+2", "−0.2500", "+1e-05"]


def test_metrics_of_classes_come_after_the_others() -> None:
    old = {"per_class": {"cat": {"f1": 0.5}}, "top1_interval": [0.4, 0.6], "top1": 0.5}
    new = {"per_class": {"cat": {"f1": 0.75}}, "top1_interval": [0.5, 0.75], "top1": 0.6}
    found = metrics(old, new)
    assert [row.name for row in found.rows] == ["top1", "top1_interval.0", "top1_interval.1", "per_class.cat.f1"]
    assert [row.is_nested for row in found.rows] == [False, True, True, True]


def test_the_same_figures_when_they_are_wanted() -> None:
    figures = {"top1": 0.5, "loss": 1.5}
    assert not metrics(figures, figures).rows
    kept = metrics(figures, figures | {"loss": 1}, keep_same=True)
    assert [(row.name, row.kind) for row in kept.rows] == [("top1", None), ("loss", "changed")]


def test_figures_too_close_for_four_digits() -> None:
    [row] = metrics({"top1": 0.95270001}, {"top1": 0.95270002}).rows
    assert (row.old, row.new, row.better) == ("0.95270001", "0.95270002", True)


def test_one_side_alone() -> None:
    assert rows(value_table("c", None, flat(b'{"a": 1}'))) == [("a", "added", None, "1")]
    assert rows(metric_table("m", flat(b'{"a": 1}'), None)) == [("a", "removed", "1", None)]


@pytest.mark.parametrize(
    "data",
    [b"", b"[1]", b"7", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b'"text"', b"null", b'{"a": 1} x'],
)
def test_what_is_no_object(data: bytes) -> None:
    assert flat(data) is None


def test_hostile_objects_are_bounded() -> None:
    deep: Any = 1
    for _ in range(60):
        deep = {"k": deep}
    assert len(flat(json.dumps(deep).encode()) or {}) == 1
    many = flat(json.dumps({str(at): at for at in range(50_000)}).encode()) or {}
    assert len(many) == 20_000
    table = value_table("c", {}, many)
    assert (len(table.rows), table.more) == (500, 19_500)
    long = values({"k" * 10_000: "v" * 10_000}, {"k" * 10_000: "v" * 10_001})
    assert all(len(row.name) <= 160 and len(row.old or "") <= 120 for row in long.rows)
    assert long.rows[0].kind == "changed"


def test_no_depth_is_too_much() -> None:
    """What can just be read may be too deep to be written."""
    for depth in range(300, 2000):
        flat(b'{"a":' + b"[" * depth + b"]" * depth + b"}")
        flat(b'{"a":' * depth + b"1" + b"}" * depth)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000, "-0", "1E-400"])
def test_odd_numbers(text: str) -> None:
    data = f'{{"top1": {text}, "other": 1}}'.encode()
    assert value_table("c", flat(data), flat(data)).rows == ()
    assert [row.name for row in metric_table("m", flat(b'{"other": 2}'), flat(data)).rows][-1] in ("other", "top1")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1234567, "1,234,567"),
        (0.12345, "0.1235"),
        (1e-5, "1e-05"),
        (2.0, "2"),
        (1, "1.0000"),
        (0.97, "0.9700"),
        (1e300, "1e+300"),
        (None, None),
    ],
)
def test_numbers_as_text(value: float | None, text: str | None) -> None:
    assert number_text(value) == text
