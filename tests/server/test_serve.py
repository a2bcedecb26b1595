"""The server's beginning and end: ports, addresses, signals, and what it tells of itself."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.server.hubs import Served, served

HOST = "127.0.0.1"
WITHIN_S = 60  # for an answer; httpx would wait for 5, and a busy machine takes a while


@pytest.fixture(scope="module")
def hubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Served]]:
    """A hub for each signal, started at once for the sake of time."""
    with ExitStack() as stack:
        yield {
            number: stack.enter_context(served("--data", str(tmp_path_factory.mktemp("data"))))
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }


class TestEnds:
    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)])
    def test_a_signal_ends_it_soon_and_without_a_word(self, hubs: dict[int, Served], number: int, code: int) -> None:
        hub = hubs[number]
        with httpx.Client(trust_env=False, timeout=WITHIN_S) as client:  # whose connection stays open
            assert client.get(f"{hub.url}/health").json() == {"status": "ok"}
            before, started = hub.said(), time.monotonic()
            assert hub.end(number) == code
            # Less than the grace for what is being answered; a busy machine, on which all takes longer, gets its time.
            assert time.monotonic() - started < max(2, 2 * hub.came_up_s)
        assert hub.said() == before

    def test_the_port_and_the_folder_are_free_again(self, tmp_path: Path) -> None:
        for _ in range(2):
            with served("--data", str(tmp_path)) as hub:
                assert hub.end() == 0


def test_a_hub_that_others_can_reach_says_what_that_means(tmp_path: Path) -> None:
    with served("--data", str(tmp_path / "open"), "--host", "0.0.0.0") as hub:  # noqa: S104  # to hear what it says
        assert "over plain http" in hub.said()
        assert hub.url.startswith("http://127.0.0.1:")
    with served("--data", str(tmp_path / "closed")) as hub:
        assert "plain http" not in hub.said()
