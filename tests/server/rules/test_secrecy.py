"""Two people and one private model: nothing that one asks tells of the other's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tars_hub.server.routes.web import SESSION_COOKIE
from tars_hub.server.rules.accounts import add_organisation
from tars_hub.server.rules.tokens import Wish, begin_session, create_own_token
from tests.server.rules.access_table import addresses
from tests.server.rules.crowd import D, R
from tests.server.running import Site, done, site

_CARD = b"---\ntags: [hushtag]\nlicense: mit\n---\n# hushbody\n"
_CONFIG = {"backbone": "hushnet", "num_classes": 4321, "id2label": {"0": "hushclass"}}
_WHERE_ITS_OWNER_FINDS_IT = [
    "/",
    "/?search=hush",
    "/?owner=ann",
    "/?tag=hushtag",
    "/?backbone=hushnet",
    "/?sort=likes",
    "/?sort=downloads",
    "/ann",
    "/lab",
    "/api/models?full=true",
    "/api/models?search=hush",
    "/api/models?author=ann",
    "/api/models?author=lab",
    "/api/models?filter=hushtag",
    "/api/models?sort=downloads&full=true&cardData=true&config=true",
    "/api/models?sort=likes&direction=1",
    "/api/users/ann/likes",
    "/api/settings/repositories",
    "/api/organizations/lab/settings/repositories",
]
_EVERYWHERE = [
    *_WHERE_ITS_OWNER_FINDS_IT,
    "/bob",
    "/api/users/bob/likes",
    "/api/users/ann/overview",
    "/api/organizations/lab/overview",
    "/api/organizations/lab/members",
    "/new",
    "/settings/tokens",
]
NAMES = ["ann/hushed", "lab/hushed", "ann/hush-before", "ann/hush-once-open"]
STRANGERS = ["bob", "bob:read", "ann elsewhere", ""]


@pytest.fixture(scope="module")
def hushed() -> Iterator[Site]:
    """Ann's and her organisation's private models, which somebody likes; one was moved, and one was public once."""
    with site() as found:
        found.add("ann", "bob")
        add_organisation(found.hub, "lab", {"ann": "admin"})
        found.create("ann/open", "ann")
        for name in NAMES:
            owner, _, short = name.partition("/")
            wanted = {"name": short, "organization": owner, "visibility": "private"}
            done(found.ask("POST", "/api/repos/create", "ann", json=wanted))
            found.put(name, "ann", {"README.md": _CARD, "config.json": json.dumps(_CONFIG).encode()})
            done(found.ask("POST", f"/api/models/{name}/like", "ann"))
        move = {"fromRepo": "ann/hush-before", "toRepo": "ann/hush-after"}
        done(found.ask("POST", "/api/repos/move", "ann", json=move))
        _shown_and_hidden(found, "ann/hush-once-open")
        only = Wish(role="write", repositories=["ann/open"])
        found.tokens["ann elsewhere"] = create_own_token(found.hub, found.caller("ann"), only)
        yield found


def _shown_and_hidden(found: Site, name: str) -> None:
    """Bob liked it while he saw it."""
    done(found.ask("PUT", f"/api/models/{name}/settings", "ann", json={"private": False}))
    done(found.ask("POST", f"/api/models/{name}/like", "bob"))
    done(found.ask("PUT", f"/api/models/{name}/settings", "ann", json={"private": True}))


@pytest.mark.parametrize("who", STRANGERS)
@pytest.mark.parametrize("path", _EVERYWHERE)
def test_nothing_tells_of_it(hushed: Site, path: str, who: str) -> None:
    answers = [hushed.get(path, who)]
    if who:
        session = begin_session(hushed.hub, hushed.tokens[who])[0]
        answers.append(hushed.get(path, headers={"Cookie": f"{SESSION_COOKIE}={session}"}))
    for answer in answers:
        said = answer.text + str(answer.headers)
        for asked in (path, path.replace("/", "%2F").replace("?", "%3F").replace("=", "%3D")):
            said = said.replace(asked, "")  # a page may say what was asked for
        said = said.replace('value="hush"', "").replace("“hush”", "").replace('hushtag"', "").replace('hushnet"', "")
        assert "hushed" not in said
        assert "hush-" not in said
        assert "hushbody" not in said
        assert not re.search(r"\b4,?321\b", said)


@pytest.mark.parametrize("path", _WHERE_ITS_OWNER_FINDS_IT)
def test_its_owner_finds_it(hushed: Site, path: str) -> None:
    """So that the test above looks where it could be."""
    assert "ann/hushed" in hushed.get(path, "ann").text or "lab/hushed" in hushed.get(path, "ann").text


@pytest.mark.parametrize("who", STRANGERS)
def test_counts_leave_it_out(hushed: Site, who: str) -> None:
    ann = done(hushed.get("/api/users/ann/overview", who)).json()
    assert (ann["numModels"], ann["numLikes"]) == (1, 0)
    assert done(hushed.get("/api/organizations/lab/overview", who)).json()["numModels"] == 0
    assert done(hushed.get("/api/users/bob/overview", who)).json()["numLikes"] == 0
    own = done(hushed.get("/api/users/ann/overview", "ann")).json()
    assert (own["numModels"], own["numLikes"]) == (4, 4)


@pytest.mark.parametrize("who", STRANGERS)
@pytest.mark.parametrize(
    "name", ["ann/hushed", "lab/hushed", "ann/hush-before", "ann/hush-after", "ann/hush-once-open"]
)
def test_every_name_it_ever_had_is_unknown(hushed: Site, name: str, who: str) -> None:
    for path in ("/api/models/{}", "/{}", "/{}/resolve/main/README.md", "/{}/tree/main", "/api/models/{}/likers"):
        answer = hushed.get(path.format(name), who)
        assert (answer.status_code, answer.headers["X-Error-Code"]) == (404, "RepoNotFound")
        assert "hushbody" not in answer.text


def test_a_former_name_says_no_more_of_a_model_that_is_open(hushed: Site) -> None:
    """Where a private model had a name that an open one took, the name leads to the open one."""
    hushed.create("bob/first", "bob", private=True)
    done(hushed.ask("POST", "/api/repos/move", "bob", json={"fromRepo": "bob/first", "toRepo": "bob/second"}))
    assert hushed.get("/api/models/bob/first", "ann").status_code == 404
    hushed.create("bob/first", "bob")
    assert done(hushed.get("/api/models/bob/first", "ann")).json()["id"] == "bob/first"
    assert hushed.get("/api/models/bob/second", "ann").status_code == 404


@pytest.mark.parametrize(
    "address", [each for each in addresses() if each.method == "GET" and each.need in (R, D)], ids=str
)
def test_a_gated_model_shows_no_content(hushed: Site, address: object) -> None:
    """That there is a file may be seen, not what it says; front matter and config are searched by all."""
    if hushed.hub.catalog.repositories.find("ann/gate") is None:
        hushed.create("ann/gate", "ann", gated=True)
        hushed.put("ann/gate", "ann", {"README.md": b"---\ntags: [a]\n---\n# murmur", "folder/x": b"murmur"})
        hushed.put("ann/gate", "ann", {"README.md": b"# murmur again", "config.json": b'{"a": "murmur"}'})
    assert "murmur" not in hushed.get(address.sample.format(repo="ann/gate"), "bob").text  # type: ignore[attr-defined]
