"""The stores that must keep to the contract; another one joins by a line here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tars_hub.server.blobs.interface import BlobStore
from tars_hub.server.blobs.local import LocalBlobs
from tars_hub.server.blobs.memory import MemoryBlobs

STORES: dict[str, Callable[[Path], BlobStore]] = {
    "local": lambda folder: LocalBlobs(folder / "blobs"),
    "memory": lambda _: MemoryBlobs(),
}


@pytest.fixture(params=STORES)
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    """Each store, empty."""
    return STORES[request.param](tmp_path)
