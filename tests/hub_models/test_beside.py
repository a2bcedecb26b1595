"""What a door within the hub's process remembers: nothing that the hub would not say again this very moment."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta, timezone

import pytest

from tars_hub.beside import NearDoor
from tars_hub.errors import ModelNotFoundError
from tars_hub.exhibits import Credentials, Wanted
from tars_hub.hub_models import HubModels
from tars_hub.server.rules.tokens import begin_session, caller_of, create_token, revoke_any
from tests.hub_with_models import NOBODY, by_token, push, wait_until_counted
from tests.server.running import Site, done, memory_hub

OPEN, SECRET = "ann/animals", "ann/secret"


@pytest.fixture
def door(shared: Site) -> NearDoor:
    return NearDoor(shared.hub, shared.url)


def test_what_was_found_is_known_to_who_asked(door: NearDoor, shared: Site) -> None:
    ann, bob = by_token(shared, "ann:read"), by_token(shared, "bob")
    assert door.known(OPEN, "main", NOBODY) is None
    assert door.known(OPEN, "main", NOBODY) is None, "nobody has asked the hub"
    found = door.find(SECRET, "main", ann)
    assert door.known(SECRET, "main", ann) == found
    for model, revision, who in ((SECRET, "main", bob), (SECRET, "main", NOBODY), (SECRET, "v1", ann)):
        assert door.known(model, revision, who) is None
    assert door.known(SECRET, "main", Credentials(session=ann.token)) is None


def test_it_is_not_asked_for_again(door: NearDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    found = door.find(OPEN, "main", NOBODY)
    monkeypatch.setattr(door, "place", None)
    assert door.find(OPEN, "main", NOBODY) == found


def test_whatever_is_written_makes_it_unknown(door: NearDoor, shared: Site) -> None:
    door.find(OPEN, "main", NOBODY)
    push(shared, "bob/other", ("p", "q"))
    assert door.known(OPEN, "main", NOBODY) is None
    door.find(OPEN, "main", NOBODY)
    done(shared.ask("PUT", f"/api/models/{OPEN}/settings", "ann", json={"visibility": "private"}))
    assert door.known(OPEN, "main", NOBODY) is None
    with pytest.raises(ModelNotFoundError):
        door.find(OPEN, "main", NOBODY)


def test_so_does_another_process(door: NearDoor, shared: Site) -> None:
    text = shared.token("ann", "read")
    door.find(SECRET, "main", Credentials(token=text))
    token = caller_of(shared.hub, text).token
    assert token is not None
    command = [sys.executable, "-m", "tars_hub", "hub", "token", "revoke", str(token.id)]
    subprocess.run([*command, "--data", str(shared.hub.settings.data)], check=True, capture_output=True, timeout=120)
    assert door.known(SECRET, "main", Credentials(token=text)) is None
    with pytest.raises(ModelNotFoundError):
        door.find(SECRET, "main", Credentials(token=text))


def test_what_is_written_while_it_is_found_counts(
    door: NearDoor, shared: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = shared.hub.catalog.repositories.find

    def find_and_close(name: str) -> object:
        repo = find(name)
        done(shared.ask("PUT", f"/api/models/{OPEN}/settings", "ann", json={"visibility": "private"}))
        return repo

    with monkeypatch.context() as patch:
        patch.setattr("tars_hub.beside.find_repo", lambda _hub, _caller, name, _action: find_and_close(name))
        door.find(OPEN, "main", NOBODY)
    assert door.known(OPEN, "main", NOBODY) is None


def test_what_ends_by_itself_is_asked_for_each_time(door: NearDoor, shared: Site) -> None:
    ends = datetime.now(timezone.utc) + timedelta(days=1)
    token = create_token(shared.hub, "ann", role="read", expires_at=ends)
    session, _ = begin_session(shared.hub, shared.tokens["ann:read"])
    for who in (Credentials(token=token), Credentials(session=session)):
        door.find(SECRET, "main", who)
        assert door.known(SECRET, "main", who) is None


def test_a_new_name_is_not_known_by_the_old(door: NearDoor, shared: Site) -> None:
    moved = {"fromRepo": OPEN, "toRepo": "ann/beasts", "type": "model"}
    done(shared.ask("POST", "/api/repos/move", "ann", json=moved))
    for _ in range(2):
        with pytest.raises(ModelNotFoundError, match="is called ann/beasts now"):
            door.find(OPEN, "main", NOBODY)
        assert door.known(OPEN, "main", NOBODY) is None


def test_a_catalogue_that_cannot_tell_is_asked_each_time() -> None:
    with memory_hub() as hub:
        assert hub.catalog.version is None
        assert NearDoor(hub, "http://127.0.0.1:9").known(OPEN, "main", NOBODY) is None


def test_a_model_is_at_hand_once_it_is_loaded(door: NearDoor, shared: Site) -> None:
    models, wanted = HubModels(door, OPEN, device="cpu"), Wanted()
    door.find(OPEN, "main", NOBODY)
    assert models.at_hand(wanted, NOBODY) is None, "it is not loaded"
    models.exhibit(wanted, NOBODY)
    wait_until_counted(shared, OPEN)
    shown = models.exhibit(wanted, NOBODY)
    assert models.at_hand(wanted, NOBODY) == shown
    token = caller_of(shared.hub, shared.tokens["bob:read"]).token
    assert token is not None
    revoke_any(shared.hub, token.id)
    assert models.at_hand(wanted, NOBODY) is None
