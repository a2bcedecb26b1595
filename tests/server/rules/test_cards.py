"""What a revision says of itself, read from its files."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from tars_hub.server.rules import cards
from tests.server.running import Site, done, site


@pytest.fixture
def running() -> Iterator[Site]:
    with site() as found:
        found.add("ann")
        found.create("ann/m", "ann")
        yield found


def weights(count: int) -> bytes:
    """A safetensors file of one tensor."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [count], "data_offsets": [0, 4 * count]}}).encode()
    return struct.pack("<Q", len(header)) + header + b"\1" * (4 * count)


def told(running: Site, revision: str = "main") -> Any:
    return done(running.get(f"/api/models/ann/m/revision/{revision}", "ann")).json().get("safetensors")


def test_parameters_are_counted_over_all_shards(running: Site) -> None:
    for number in (1, 2, 3):
        running.put_large("ann/m", "ann", f"model-0000{number}-of-00003.safetensors", weights(5 if number == 3 else 7))
    assert told(running) == {"parameters": {"F32": 19}, "total": 19}


def test_a_file_that_is_no_safetensors_is_its_owners_business(running: Site) -> None:
    running.put_large("ann/m", "ann", "model.safetensors", b"\xff" * 100)
    assert told(running) is None


def test_headers_beyond_the_limit_are_not_read(running: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "_HEADER_BYTES", 100)
    running.put_large("ann/m", "ann", "model-00001-of-00002.safetensors", weights(7))
    running.put_large("ann/m", "ann", "model-00002-of-00002.safetensors", weights(8))
    assert told(running) is None


def test_a_revision_is_read_once(running: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    running.put_large("ann/m", "ann", "model.safetensors", weights(7))
    first = told(running)
    monkeypatch.setattr(cards, "_facts_of", lambda *_: pytest.fail("it is read again"))
    assert told(running) == first
