"""A hub for rules, and one that answers over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tars_hub.server.hub import Hub
from tests.server.running import Site, memory_hub, site


@pytest.fixture
def hub() -> Iterator[Hub]:
    with memory_hub() as made:
        yield made


@pytest.fixture(scope="module")
def shared() -> Iterator[Site]:
    """A hub that a module's tests share, each with repositories of its own; ann and bob are there."""
    with site() as running:
        running.add("ann", "bob")
        yield running
