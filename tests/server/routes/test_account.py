"""Who asks, and what is theirs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server.running import Site, done, site


@pytest.fixture
def running() -> Iterator[Site]:
    with site() as found:
        found.add("ann", "bob")
        yield found


def test_ones_own_repositories_and_what_they_take_up(running: Site) -> None:
    for name, size in (("small", 1000), ("large", 30_000)):
        running.create(f"ann/{name}", "ann", private=name == "small")
        running.put_large(f"ann/{name}", "ann", "model.bin", bytes(size))
        running.put_large(f"ann/{name}", "ann", "copy.bin", bytes(size))  # counts once
    running.create("bob/m", "bob")
    found = done(running.get("/api/settings/repositories", "ann")).json()
    told = {each["id"]: (each["visibility"], each["storage"] // 1000, round(each["storagePercent"])) for each in found}
    assert told.keys() == {"ann/small", "ann/large"}
    small, large = told["ann/small"], told["ann/large"]
    assert (small[0], large[0]) == ("private", "public")
    assert 1 <= small[1] < 5
    assert 30 <= large[1] < 35
    assert small[2] + large[2] == 100
    assert large[2] > 80
