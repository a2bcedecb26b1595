"""Discussions and pull requests to read."""

from __future__ import annotations

import pytest

from tars_hub.server.rules.turns import turn
from tests.server.pages.looking import BAD, check, links, look, text
from tests.server.running import Site, done, small


@pytest.fixture(scope="module")
def repo(shared: Site) -> str:
    name = shared.create("ann/talks", "ann")
    shared.put(name, "ann", {"config.json": b'{"a": 1}'})
    wanted = {"title": BAD, "description": f"**bold** {BAD} [x](javascript:alert(3))"}
    done(shared.ask("POST", f"/api/models/{name}/discussions", "bob", json=wanted))
    done(shared.commit(name, "bob", small("config.json", b'{"a": 2}'), to="main?create_pr=1", summary="Two"))
    return name


def test_the_list(shared: Site, repo: str) -> None:
    page = look(shared, f"/{repo}/discussions")
    assert "discussion 1, bob" in text(page)
    assert "pull request 2, bob" in text(page)
    assert "2 in all" in text(page)
    assert "None that was closed" in text(look(shared, f"/{repo}/discussions?status=closed"))
    assert shared.get(f"/{repo}/discussions?status=odd").status_code == 400


def test_a_discussion(shared: Site, repo: str) -> None:
    page = look(shared, f"/{repo}/discussions/1")
    assert "<strong>bold</strong>" in page
    assert "javascript" not in page.lower().replace("[x](javascript:alert(3))", "")
    [event] = shared.get(f"/api/models/{repo}/discussions/1").json()["events"]
    done(shared.ask("POST", f"/api/models/{repo}/discussions/1/comment/{event['id']}/hide", "bob"))
    page = look(shared, f"/{repo}/discussions/1")
    assert "This comment was hidden" in page
    assert "bold" not in page


def test_a_pull_request(shared: Site, repo: str) -> None:
    page = look(shared, f"/{repo}/discussions/2")
    shown = text(page)
    assert "bob pushed Two" in shown
    assert "to be merged into main" in shown
    assert "config.json before after a 1 2" in shown
    for link in links(page, f"/{repo}/"):
        look(shared, link)
    shared.put(repo, "ann", {"config.json": b'{"a": 3}'})
    assert "cannot be merged: both sides changed config.json" in text(look(shared, f"/{repo}/discussions/2"))


@pytest.mark.parametrize("number", ["3", "0", "x", "-1", "9" * 30, "%D9%A1"])
def test_what_is_not_there(shared: Site, repo: str, number: str) -> None:
    answer = shared.get(f"/{repo}/discussions/{number}", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    check(answer)


def test_very_many_events_are_paged(shared: Site, repo: str) -> None:
    wanted = {"title": "long", "description": "*first*"}
    done(shared.ask("POST", f"/api/models/{repo}/discussions", "bob", json=wanted))
    found = shared.hub.catalog.repositories.find(repo)
    assert found is not None
    for at in range(120):
        shared.hub.catalog.discussions.comment(found.id, 3, author="bob", text=f"*says* {at} " + "x" * 4000)
    page = look(shared, f"/{repo}/discussions/3")
    assert page.count("<em>says</em>") < 40  # the others as they were written
    assert page.count('class="comment"') == 100
    assert look(shared, f"/{repo}/discussions/3?p=1").count('class="comment"') == 21


def test_long_ones_are_rendered_for_few_at_a_time(shared: Site, repo: str) -> None:
    """Markdown can be written to be slow, and whoever asks for the page makes it anew."""
    numbers = []
    for length in (1000, 60_000):
        wanted = {"title": "Long", "description": "**bold** " + "a" * length}
        made = done(shared.ask("POST", f"/api/models/{repo}/discussions", "bob", json=wanted)).json()
        numbers.append(made["num"])
    pages = [f"/{repo}/discussions/{number}" for number in numbers]
    assert ["<strong>bold" in look(shared, page) for page in pages] == [True, True]
    with turn(shared.hub), turn(shared.hub):
        assert ["<strong>bold" in look(shared, page) for page in pages] == [True, False]
        assert "**bold**" in look(shared, pages[1])
