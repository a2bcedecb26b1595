"""One hub for all clients, and each client with a user of its own at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients.clients import CLIENTS, MAIN, Client, executable
from tests.hubs import RunningHub, running_hub

# Parts small enough that a file of some megabytes goes up in several.
PARTS = {"TARS_HUB_PART_BYTES": "5242880"}


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with running_hub(tmp_path_factory.mktemp("hub"), environment=PARTS) as running:
        yield running
        running.check()  # every byte that all the tests left there
        assert running.stop() == 0
        assert "Traceback" not in running.said, running.said


@pytest.fixture(scope="session")
def make_client(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Client]:
    """Get a client by its name, with a user of this name at a hub."""

    def make(name: str, hub: RunningHub, user: str) -> Client:
        python = executable(name)
        assert python
        home = tmp_path_factory.mktemp(user)
        return Client(name=name, python=python, home=home, url=hub.url, user=user, token=hub.token(user))

    return make


@pytest.fixture(scope="session")
def stranger_token(hub: RunningHub) -> str:
    """Of a user who owns nothing."""
    return hub.token("stranger")


@pytest.fixture(scope="session", params=CLIENTS.values())
def client(
    request: pytest.FixtureRequest, hub: RunningHub, make_client: Callable[..., Client], stranger_token: str
) -> Client:
    """Every client in turn, at the hub that all share."""
    made = make_client(request.param, hub, f"user-{request.param.replace('.', '-')}")
    made.facts = {"stranger_token": stranger_token, "read_token": hub.token(made.user, write=False)}
    return made


@pytest.fixture(scope="session")
def main_client(hub: RunningHub, make_client: Callable[..., Client]) -> Client:
    """The client of this environment, beside the libraries that push and pull with it."""
    return make_client(MAIN, hub, "libraries")


@pytest.fixture
def own_hub(tmp_path: Path) -> Iterator[RunningHub]:
    """A hub of this test's own, that may be killed."""
    with running_hub(tmp_path / "hub", environment=PARTS) as running:
        yield running
