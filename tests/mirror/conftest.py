"""Two hubs, and between tests nothing in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mirror.pairs import Pair, emptied, pair


@pytest.fixture(scope="module")
def running() -> Iterator[Pair]:
    with pair() as both:
        yield both


@pytest.fixture
def hubs(running: Pair, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pair:
    return emptied(running, monkeypatch, tmp_path / "home")
