"""Files whose bytes are no longer what they were."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tars_hub.server.settings import Settings
from tars_hub.server.start import opened
from tests.server.running import Site, done, large, site

DATA = b"weights " * 100_000


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Site]:
    with opened(Settings(data=tmp_path / "hub")) as hub, site(hub) as found:
        found.add("ann")
        found.create("ann/m", "ann")
        sha256 = found.upload("ann/m", "ann", DATA)
        done(found.commit("ann/m", "ann", large("model.bin", sha256)))
        yield found


def test_a_damaged_file_does_not_come_whole(running: Site, tmp_path: Path) -> None:
    path = "/ann/m/resolve/main/model.bin"
    assert running.get(path).content == DATA
    [blob] = (tmp_path / "hub" / "blobs" / "file").rglob(hashlib.sha256(DATA).hexdigest())
    blob.write_bytes(b"W" + DATA[1:])
    with pytest.raises(httpx.RemoteProtocolError):
        running.get(path)
    # Clients ask for the rest, and would put a damaged file together.
    rest = running.get(path, headers={"Range": f"bytes={len(DATA) - 10}-"})
    assert (rest.status_code, "tars hub check" in rest.text) == (404, True)
