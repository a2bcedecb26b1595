"""The lists: what they show, how they are searched, and that they show nothing that the visitor may not see."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tars_hub.server.rules.accounts import add_user
from tests.server.pages.looking import look, text
from tests.server.pages.visiting import visit
from tests.server.running import Site, site

BACKBONES = ["resnet18", "resnet50", "vit_b_16"]
COUNTS = [2, 10, 102]


def card(accuracy: float, tag: str) -> bytes:
    return f"""---
pipeline_tag: image-classification
license: mit
tags: [{tag}]
model-index:
- name: x
  results:
  - task: {{type: image-classification}}
    dataset: {{type: imagefolder, name: flowers}}
    metrics: [{{type: accuracy, value: {accuracy}}}]
---
# Hello
""".encode()


@pytest.fixture(scope="module")
def full(request: pytest.FixtureRequest) -> Iterator[Site]:
    """40 models of ann and bob, of which m-00 is private to ann and m-01 gated."""
    assert request
    with site() as found:
        found.add("ann", "bob")
        for number in range(40):
            who = ("ann", "bob")[number % 2]
            name = found.create(f"{who}/m-{number:02}", who, private=number == 0, gated=number == 1)
            config = {"backbone": BACKBONES[number % 3], "num_classes": COUNTS[number % 3]}
            files = {
                "config.json": json.dumps(config).encode(),
                "README.md": card(0.5 + number / 100, f"t{number % 4}"),
            }
            found.put(name, who, files)
        yield found


def names(page: str) -> list[str]:
    return re.findall(r'<a class="name" href="/([^"]*)">', page)


def shown(full: Site, query: str, who: str = "", path: str = "/") -> list[str]:
    return names(look(full, f"{path}{query}", who))


def all_pages(full: Site, query: str, who: str = "") -> list[str]:
    """What is listed on this page and all after it, by the links to the next."""
    found, path = list[str](), query
    for _ in range(5):
        page = look(full, f"/{path}", who)
        found += names(page)
        following = re.search(r'rel="next" href="([^"]*)"', page)
        if following is None:
            return found
        path = following[1].replace("&amp;", "&")
    raise AssertionError("the pages do not end")


def test_pages(full: Site) -> None:
    first, second = look(full, "/"), look(full, "/?page=2")
    assert (len(names(first)), len(names(second))) == (30, 9)
    assert 'rel="prev"' not in first
    assert 'rel="next"' not in second
    assert len(set(all_pages(full, ""))) == 39
    assert "39 to see" in text(first)
    assert not shown(full, "?page=3")


def test_the_way_to_the_next_page_keeps_what_was_asked(full: Site) -> None:
    found = all_pages(full, "?search=m-&sort=name&tag=image-classification")
    assert found == sorted(found)
    assert len(found) == 39


def test_a_row(full: Site) -> None:
    row = text(look(full, "/?search=m-07").split('<ol class="models">')[1].split("</ol>")[0])
    assert row.startswith("bob/m-07 resnet50 10 classes 57.0% top-1 image-classification updated just now")
    assert row.endswith("0 downloads · 0 likes")
    assert "gated" in text(look(full, "/?search=m-01").split("<ol")[1])


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("search=M-1", lambda n: n // 10 == 1),
        ("search=ann/", lambda n: n % 2 == 0),
        ("backbone=resnet50", lambda n: n % 3 == 1),
        ("classes=2", lambda n: n % 3 == 0),
        ("classes=3-10", lambda n: n % 3 == 1),
        ("classes=101-1000", lambda n: n % 3 == 2),
        ("classes=1001-", lambda _: False),
        ("tag=t1", lambda n: n % 4 == 1),
        ("tag=t1&tag=license:mit", lambda n: n % 4 == 1),
        ("tag=t1&tag=t2", lambda _: False),
        ("owner=BOB", lambda n: n % 2 == 1),
        ("owner=bob&backbone=resnet18&classes=2", lambda n: n % 2 == 1 and n % 3 == 0),
    ],
)
def test_filters(full: Site, query: str, fits: object) -> None:
    wanted = {f"{('ann', 'bob')[n % 2]}/m-{n:02}" for n in range(1, 40) if fits(n)}  # type: ignore[operator]
    assert set(all_pages(full, f"?{query}")) == wanted


def test_sorting(full: Site) -> None:
    audience, repositories = full.hub.catalog.audience, full.hub.catalog.repositories
    popular, liked = (repositories.find(name) for name in ("ann/m-20", "bob/m-21"))
    assert popular
    assert liked
    audience.count_download(popular.id)
    audience.like(liked.id, full.caller("ann").user.id, liked=True)  # type: ignore[union-attr]
    assert shown(full, "?sort=downloads")[0] == "ann/m-20"
    assert shown(full, "?sort=likes")[0] == "bob/m-21"
    assert shown(full, "?sort=name")[:2] == ["ann/m-02", "ann/m-04"]
    assert shown(full, "")[0] == "bob/m-39"
    assert "1 download ·" in text(look(full, "/?search=m-20"))
    assert "· 1 like" in text(look(full, "/?search=m-21"))


def test_facets_lead_to_what_they_count(full: Site) -> None:
    page = look(full, "/?search=m-1")
    choices = re.findall(r'<li><a href="([^"]*)">([^<]*)</a> <span class="quiet">(\d+)</span>', page)
    assert {word for _, word, _ in choices} >= {*BACKBONES, "ann", "bob", "t0", "license:mit"}
    for href, _, count in choices:
        assert len(shown(full, href.removeprefix("/").replace("&amp;", "&"))) == int(count)


def test_filters_can_be_taken_off_one_by_one(full: Site) -> None:
    page = look(full, "/?search=m-&owner=ann&backbone=resnet18&classes=2&tag=t2&sort=name")
    chosen = re.search(r'<p class="row chosen">(.*?)</p>', page, re.DOTALL)
    assert chosen
    links = [link.replace("&amp;", "&") for link in re.findall(r'href="/\?([^"]*)"', chosen[1])]
    assert len(links) == 5
    for link in links:
        assert "sort=name" in link
        assert link.count("&") == 4
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.split("<main")[1]))
    assert hidden == {"owner": "ann", "backbone": "resnet18", "classes": "2", "tag": "t2"}


def test_who_sees_what(full: Site) -> None:
    for who, sees in (("", False), ("bob", False), ("bob:read", False), ("ann", True), ("ann:read", True)):
        assert ("ann/m-00" in all_pages(full, "?search=m-0", who)) is sees
        assert ("ann/m-00" in shown(full, "?search=m-0", who, "/ann")) is sees
        page = look(full, "/?owner=ann", who)
        assert ("m-00" in page) is sees
        count = 20 if sees else 19
        assert f"{count} found" in text(page)
    assert "m-00" in visit(full, "ann").get("/?search=m-00").text
    assert "m-00" not in visit(full, "bob").get("/?search=m-0").text


def test_an_owner(full: Site) -> None:
    page = look(full, "/bob")
    assert "<h1>bob</h1>" in page
    assert len(names(page)) == 20
    assert names(look(full, "/BOB?sort=name"))[:2] == ["bob/m-01", "bob/m-03"]
    assert names(look(full, "/bob?search=m-1&sort=name"))[0] == "bob/m-11"


def test_an_organisation_and_its_members(full: Site) -> None:
    organisation = full.hub.catalog.accounts.add_user("lab", organisation=True)
    for who, role in (("ann", "admin"), ("bob", "read")):
        user = full.caller(who).user
        assert user
        full.hub.catalog.accounts.set_member(organisation.id, user.id, role)  # type: ignore[arg-type]
    said = text(look(full, "/lab"))
    assert "organisation" in said
    assert "ann admin" in said
    assert "bob read" in said
    assert "No model of lab that you may see." in said


def test_nobody_of_that_name(full: Site) -> None:
    add_user(full.hub, "quiet-one")
    assert "No model of quiet-one" in look(full, "/quiet-one")
    for name in ("nobody", "no.body", "%3Cscript%3E", "settings"):
        assert full.get(f"/{name}").status_code in (303, 404)


def test_an_empty_hub_says_how_to_push() -> None:
    with site() as empty:
        empty.add("ann")
        for who in ("", "ann"):
            page = look(empty, "/", who)
            assert f"export HF_ENDPOINT={empty.url}" in page
            assert f"hf upload {who or 'USER'}/MODEL FOLDER" in page
        assert "No model fits" in text(look(empty, "/?search=x"))


def test_a_model_of_which_nothing_is_known(full: Site) -> None:
    full.create("ann/zz-bare", "ann")
    row = text(look(full, "/?search=zz-bare").split('<ol class="models">')[1].split("</ol>")[0])
    assert row == "ann/zz-bare updated just now 0 downloads · 0 likes"
