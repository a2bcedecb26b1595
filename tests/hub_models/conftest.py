"""A hub, and what stands in it for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hub_with_models import hub_of_two, two_models
from tests.server.running import Site


@pytest.fixture(scope="module")
def hub() -> Iterator[Site]:
    with hub_of_two() as running:
        yield running


@pytest.fixture
def shared(hub: Site) -> Iterator[Site]:
    with two_models(hub):
        yield hub
