"""The hub of the tests of pull requests and discussions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from tars_hub.server.hub import Hub
from tars_hub.server.records import Caller
from tars_hub.server.rules import repositories
from tars_hub.server.rules.accounts import add_user
from tars_hub.server.rules.tokens import caller_of, create_token
from tars_hub.server.settings import Settings
from tars_hub.server.start import opened
from tests.server.rules.world import World


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, list[Caller]]]:
    """A hub with Ann, Bob, Eve, and Bob with a token that may only read."""
    with opened(Settings(data=tmp_path_factory.mktemp("hub"))) as hub:
        for name in ("ann", "bob", "eve"):
            add_user(hub, name)
        tokens = [create_token(hub, name, role="write") for name in ("ann", "bob", "eve")]
        yield hub, [caller_of(hub, token) for token in (*tokens, create_token(hub, "bob", role="read"))]


@pytest.fixture
def world(people: tuple[Hub, list[Caller]], request: pytest.FixtureRequest) -> World:
    hub, (ann, bob, eve, bob_reads) = people
    name = hashlib.sha256(request.node.name.encode()).hexdigest()[:20]
    repo = repositories.create(hub, ann, namespace="ann", name=name, private=False)
    made = World(hub, ann, bob, eve, bob_reads, repo)
    made.push({"a": "1\n", "dir/b": "2\n"})
    return made
