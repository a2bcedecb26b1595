"""Figures as people read them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from tars_hub.server.pages.metrics import figures_of, number, results_of, top1_of
from tars_hub.server.pages.wording import bytes_text, count_text, when


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (44_672_148, "44.7 MB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (10**12, "1 TB"),
        (10**22, "10,000 EB"),
    ],
)
def test_bytes(count: int, said: str) -> None:
    assert bytes_text(count) == said


@pytest.mark.parametrize(
    ("count", "said"), [(7, "7"), (25_557_032, "25.6M"), (999_999, "1M"), (7 * 10**9, "7B"), (1234, "1.23k")]
)
def test_counts(count: int, said: str) -> None:
    assert count_text(count) == said


@pytest.mark.parametrize(
    ("ago", "said"),
    [
        (timedelta(0), "just now"),
        (timedelta(seconds=61), "1 minute ago"),
        (timedelta(hours=5, minutes=59), "5 hours ago"),
        (timedelta(days=29, hours=1), "29 days ago"),
        (timedelta(seconds=-20), "just now"),
    ],
)
def test_times(ago: timedelta, said: str) -> None:
    assert f">{said}</time>" in when(datetime.now(timezone.utc) - ago)


def test_long_ago_is_a_day() -> None:
    assert str(when(datetime(2024, 3, 5, 23, 59, 1, tzinfo=timezone.utc))) == (
        '<time datetime="2024-03-05T23:59:01Z" title="2024-03-05 23:59:01 UTC">5 Mar 2024</time>'
    )
    east = datetime(2024, 3, 5, 1, tzinfo=timezone(timedelta(hours=9)))
    assert "4 Mar 2024" in when(east)


@pytest.mark.parametrize("value", [None, "1", True, float("nan"), float("inf"), [1], {}, 10**400])
def test_what_is_no_number(value: object) -> None:
    assert number(value) is None


def test_figures_of_few_classes_have_no_top_5() -> None:
    metrics = {"top1": 0.5, "top5": 1.0, "per_class": {"a": {}, "b": {}}}
    assert [figure.name for figure in figures_of(metrics)] == ["Top-1 accuracy"]


def index(*metrics: object) -> list[object]:
    return [{"results": [{"dataset": {"name": "x", "split": 7}, "metrics": list(metrics)}]}]


def test_results() -> None:
    found = results_of(index({"type": "accuracy", "value": 0.5}, {"type": "loss", "value": 3}, "odd", {"value": "x"}))
    assert [(each.name, each.value, each.source) for each in found] == [("accuracy", "50.0%", "x"), ("loss", "3", "x")]
    assert len(results_of(index(*({"type": "a", "value": 1} for _ in range(500))))) == 30
    for odd in ([None], [{"results": 5}], [{"results": [{"metrics": {}}]}], ["x"]):
        assert results_of(odd) == ()


@pytest.mark.parametrize(
    ("metric", "share"),
    [
        ({"type": "accuracy", "value": 0.9}, 0.9),
        ({"type": "Acc@1", "value": 76.5}, 0.765),
        ({"type": "accuracy", "value": 1}, 1),
        ({"type": "accuracy", "value": -3}, None),
        ({"type": "accuracy", "value": 1e9}, None),
        ({"type": "f1", "value": 0.9}, None),
        ({"type": ["accuracy"], "value": 0.9}, None),
    ],
)
def test_top1(metric: object, share: float | None) -> None:
    assert top1_of(index(metric)) == (pytest.approx(share) if share is not None else None)
