"""The store of chunks, asked by several at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import httpx
import pytest

from tars_hub.server.app import _SHARDS_AT_ONCE
from tests.server.rules.by_hand import packed, shard, store, upload, whole
from tests.server.running import Site, site


@pytest.fixture
def running() -> Iterator[Site]:
    with site() as found:
        found.add("ann")
        found.create("ann/m", "ann")
        yield found


@pytest.mark.parametrize("version", ["/v1", "/v2"])
def test_slow_senders_of_shards_keep_nobody_waiting(running: Site, version: str) -> None:
    to = store(running, "ann/m", "ann")
    begun, go_on = threading.Semaphore(0), threading.Event()
    slow = upload(running, "ann/m", "ann", *whole(packed(1)))

    def body() -> Iterator[bytes]:
        yield shard(slow)[:100]
        begun.release()
        go_on.wait(30)
        yield shard(slow)[100:]

    def send() -> None:
        answers.append(httpx.post(f"{to.url}{version}/shards", headers=headers, content=body(), timeout=30))

    headers = {"Authorization": f"Bearer {to.token}"}
    answers: list[httpx.Response] = []
    senders = [threading.Thread(target=send) for _ in range(_SHARDS_AT_ONCE)]
    for each in senders:
        each.start()
    for _ in senders:
        assert begun.acquire(timeout=30)
    upload(running, "ann/m", "ann", *whole(packed(2)))
    go_on.set()
    for each in senders:
        each.join(30)
    assert [answer.status_code for answer in answers] == [200] * _SHARDS_AT_ONCE
    assert all('"result":1' in answer.text for answer in answers)
