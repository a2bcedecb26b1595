"""/openapi.json: whole, valid, and true of a hub that runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tars_hub.http_described import OPERATIONS, PATH
from tars_hub.server.additions import Addition
from tars_hub.server.app import create_app
from tars_hub.server.routes import elsewhere
from tars_hub.server.routes.about import Token
from tars_hub.server.routes.openapi import PARTS, document
from tars_hub.server.routes.web import ApiRoute
from tars_hub.server.rules.accounts import add_organisation
from tars_hub.server.table import table
from tests.server.running import Site, done, site

ROUTES = [each for each in table() if isinstance(each, ApiRoute)]
TOLD = [each for each in ROUTES if each.about is not None]
FOR_PROGRAMS = re.compile(r"/(api|cas)/|.*\.git/|.*/resolve/|/health|/openapi\.json")
SAMPLES = {
    "namespace": "ann",
    "name": "m",
    "revision": "main",
    "path": "README.md",
    "user": "ann",
    "organisation": "lab",
    "branch": "side",
    "status": "pending",
    "prefix": "default",
    **dict.fromkeys(("xorb", "chunk", "file"), "0" * 64),
}


BODY = {
    **dict.fromkeys(("title", "comment", "content", "tag"), "x"),
    "organization": "ann",
    "name": "m",
    "user": "ann",
    "fromRepo": "ann/m",
    "toRepo": "ann/n",
}


@pytest.fixture(scope="module")
def running() -> Iterator[Site]:
    with site() as found:
        found.add("ann")
        add_organisation(found.hub, "lab", {"ann": "admin"})
        found.put(found.create("ann/m", "ann"), "ann", {"README.md": b"# hello"})
        done(found.ask("POST", "/api/models/ann/m/discussions", "ann", json={"title": "x"}))
        yield found


def sample(found: Site, path: str) -> str:
    """An address that is there."""
    said = done(found.ask("POST", "/api/models/ann/m/discussions/1/comment", "ann", json={"comment": "x"})).json()
    parts = {"instance": found.hub.catalog.store, "event": said["newMessage"]["id"], **SAMPLES}
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda part: parts.get(part[1], "1"), path)


def named(each: ApiRoute) -> str:
    return f"{each.method} {each.path}"


@pytest.mark.parametrize("each", [each for each in ROUTES if FOR_PROGRAMS.match(each.path)], ids=named)
def test_every_address_for_programs_is_told_of(each: ApiRoute) -> None:
    assert each.about is not None or each.module == elsewhere.__name__, f"{named(each)} has no `about` beside it"


def test_it_is_valid(running: Site) -> None:
    validator = pytest.importorskip("openapi_spec_validator", reason="openapi-spec-validator is not installed")
    found = done(running.get("/openapi.json")).json()
    validator.validate(found)
    operations = [(path, method) for path, each in found["paths"].items() for method in each]
    assert len(operations) == len(TOLD)
    assert found["servers"] == [{"url": running.url}]


def test_what_is_added_is_told_of_as_it_says_itself(running: Site) -> None:
    validator = pytest.importorskip("openapi_spec_validator", reason="openapi-spec-validator is not installed")

    async def nothing(*_: Any) -> None: ...

    addition = Addition(path=PATH, app=nothing, operations=OPERATIONS)
    assert create_app(running.hub, additions=[addition])
    found = document(table(), [addition], base=running.url)
    validator.validate(found)
    assert found["paths"][PATH] == OPERATIONS
    assert PATH not in document(table(), [], base=running.url)["paths"]


@pytest.mark.parametrize("each", TOLD, ids=named)
def test_a_token_is_for_what_is_told(running: Site, each: ApiRoute) -> None:
    path = sample(running, each.path)
    needed = each.about.token if each.about else Token.NONE
    status = "accepted" if "user-access-request" in path else "closed"
    without = running.ask(each.method, path, json={**BODY, "status": status})
    assert (without.status_code == 401) == (needed in (Token.MUST, Token.CHUNKS)), without.text
    with_bad = running.ask(each.method, path, "no-such-token", json={})
    assert (with_bad.status_code == 401) == (needed is not Token.NONE), with_bad.text


@pytest.mark.parametrize("each", [each for each in TOLD if each.about and each.about.fields], ids=named)
def test_fields_that_must_be_there_are_missed(running: Site, each: ApiRoute) -> None:
    assert each.about is not None
    needed = [name for name in each.about.fields if not name.endswith("?")]
    if needed:
        answer = running.ask(each.method, sample(running, each.path), "ann", json={})
        assert answer.status_code == 400, answer.text


def test_every_part_of_an_address_is_explained() -> None:
    parts = {name for each in TOLD for name in re.findall(r"\{(\w+)", each.path)}
    assert parts == set(PARTS)


def test_the_hub_itself_tells_of_no_predictions(running: Site) -> None:
    assert PATH not in running.get("/openapi.json").json()["paths"]
