"""A hub that listens on its own machine alone answers to no other name: a browser was led here under one."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from starlette.responses import PlainTextResponse

from tars_hub.listening import address_of, listening, serving
from tars_hub.server.app import create_app
from tars_hub.server.serve import names_of
from tests.server.running import Site, memory_hub


@pytest.fixture(scope="module")
def running() -> Iterator[Site]:
    with memory_hub() as hub, listening("127.0.0.1", 0) as listener:
        mounted = [("/demo", PlainTextResponse("shown"))]
        app = create_app(hub, mounts=mounted, names=names_of(hub, listener, "My-Machine"))
        with serving(app, listener), httpx.Client(trust_env=False, timeout=60) as client:
            yield Site(hub, address_of(listener), client)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1:7860", "localhost", "LOCALHOST:1", "hub.localhost", "127.8.9.1", "[::1]:7860", "localhost."),
        *("my-machine", "MY-MACHINE:7860"),
    ],
)
def test_names_of_this_machine(running: Site, host: str) -> None:
    for path in ("/api/models", "/", "/demo/x", "/health"):
        assert running.get(path, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:7860", "localhost.evil.example", "127.0.0.1.evil.example", "evillocalhost"),
        *("192.168.1.2", "[::2]", "[", "127.0.0.1@evil.example", "0.0.0.0", "my-machine.evil.example"),  # noqa: S104
    ],
)
def test_other_names(running: Site, host: str) -> None:
    for path in ("/api/models", "/", "/demo/x", "/health", "/static/hub.css"):
        answer = running.get(path, headers={"Host": host})
        assert answer.status_code == 421
        assert "--public-url" in answer.json()["error"]


def test_where_others_may_reach_it_any_name_will_do() -> None:
    with memory_hub() as hub, listening("0.0.0.0", 0) as listener:  # noqa: S104  # what is tried here
        assert names_of(hub, listener, "0.0.0.0") is None  # noqa: S104
    with memory_hub(public_url="https://hub.example") as hub, listening("127.0.0.1", 0) as listener:
        assert names_of(hub, listener, "127.0.0.1") is None
