"""The page beside a hub, in a real browser: any model for whoever may have it, and nothing for anybody else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Route, expect

from tars_hub.card import Measured, write_card
from tars_hub.config import Calibration
from tars_hub.model import TarsClassifier
from tests.browsers import CHROMIUM
from tests.server.running import done
from tests.small_model import small
from tests.ui import pictures
from tests.ui.endpoint import call, upload
from tests.ui.house import House, house_with
from tests.ui.visitor import Visitor, agrees

pytest.importorskip("gradio", reason="the page needs gradio")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser: {CHROMIUM} is not installed")

LETTERS = tuple("abcdefgh")
CLOSED = "There is no model ann/hidden here, or it is not open to you."


def measured_model() -> TarsClassifier:
    """Eight letters, a measured quality and a threshold; random weights."""
    model = small(LETTERS)
    model.config = replace(model.config, calibration=Calibration(threshold=0.42, error=0.05))
    model.card = write_card(model.config, Measured(accuracy=0.875, pictures=1200, dataset="letters", split="test"))
    return model


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("examples")
    for colour, name in (("red", "rose.png"), ("green", "leaf.png")):
        pictures.save(folder / name, colour)
    with house_with(folder, tmp_path_factory.mktemp("uploads")) as house:
        house.push("ann/letters", measured_model())
        house.push("ann/hidden", small(("x", "y")), private=True)
        yield house


Opener = Callable[..., Visitor]


@pytest.fixture
def tab(browser: BrowserContext, house: House) -> Iterator[Opener]:
    """Opens the page in a new tab of one browser, by anybody's token; whatever happens, the console stays clean."""
    opened: list[Visitor] = []

    def open_tab(query: str = "", who: str = "", *, arrives: bool = True) -> Visitor:
        visitor = Visitor(browser.new_page(), f"{house.page}{query}")
        opened.append(visitor)
        if who:
            visitor.page.set_extra_http_headers({"Authorization": f"Bearer {house.site.tokens[who]}"})
        if arrives:
            visitor.arrive()
        else:
            visitor.go(visitor.url)
        return visitor

    yield open_tab
    for visitor in opened:
        visitor.page.close()
    assert [problem for visitor in opened for problem in visitor.problems] == []


def refusal(visitor: Visitor) -> str:
    """What a page says that has no model to show; it offers nothing to hand a picture to."""
    alert = visitor.page.get_by_role("alert")
    alert.wait_for()
    assert visitor.page.locator(".tars-rooms:visible, .tars-choices:visible, .tars-examples:visible").count() == 0
    return alert.inner_text()


def head(visitor: Visitor) -> str:
    return visitor.page.locator(".tars-header").inner_text()


@contextmanager
def forging(visitor: Visitor, key: str) -> Iterator[None]:
    """What the browser keeps about its model is another text on its way to the server."""

    def forge(route: Route) -> None:
        body = json.loads(route.request.post_data or "{}")
        if len(body["data"]) > 3:
            body["data"][3] = key
        route.continue_(post_data=json.dumps(body))

    visitor.page.route("**/queue/join*", forge)
    yield
    visitor.page.unroute("**/queue/join*")


class TestWhatItShows:
    def test_who_names_no_model_sees_the_default_one_and_its_examples(self, tab: Opener, house: House) -> None:
        visitor = tab()
        expect(visitor.page).to_have_title("ann/colours · Tars Hub")
        assert head(visitor).startswith("All models\nann/colours main\n")
        run = visitor.run()
        visitor.page.get_by_role("button", name="Example leaf.png").click()
        agrees(visitor.answer_after(run), house.colours, house.pictures / "leaf.png")
        visitor.take_the_pad()
        assert visitor.stroke((0.2, 0.2), (0.8, 0.8)).state in {"ok", "unsure"}

    def test_another_model_has_a_page_of_its_own(self, tab: Opener, house: House) -> None:
        visitor = tab("?model=ann/letters")
        expect(visitor.page).to_have_title("ann/letters · Tars Hub")
        assert "Knows 8 classes: a, b, c, d, e, f, g and h." in head(visitor)
        assert "Right on 87.5 % of 1,200 test pictures of letters. Declines to answer below 42.0 %." in head(visitor)
        links = visitor.page.locator(".tars-header a")
        addresses = links.evaluate_all("links => links.map(link => link.getAttribute('href'))")
        assert addresses == ["/", "/ann/letters/tree/main"]
        shown = visitor.choose(house.pictures / "rose.png")
        assert (shown.state, len(shown.top)) == ("unsure", 5)
        assert {label for label, _ in shown.top} < set(LETTERS)
        assert "ann/letters · prepare" in shown.text

    def test_it_has_no_pad_and_no_examples_that_are_not_its(self, tab: Opener) -> None:
        visitor = tab("?model=ann/letters")
        others = ".tars-ways [role=tab]:visible, .tars-examples:visible, .tars-pad:visible"
        assert visitor.page.locator(others).count() == 0
        assert visitor.page.locator(".tars-room:visible").count() == 1

    def test_as_many_classes_can_be_shown_as_it_has(self, tab: Opener, house: House) -> None:
        visitor = tab("?model=ann/letters")
        visitor.choose(house.pictures / "rose.png")
        run = visitor.run()
        number = visitor.page.get_by_label("number input for Classes shown")
        assert number.get_attribute("max") == "8"
        number.fill("8")
        visitor.page.keyboard.press("Enter")
        assert len(visitor.answer_after(run).top) == 8

    def test_two_tabs_of_a_browser_do_not_mix(self, tab: Opener, house: House) -> None:
        colours, letters = tab(), tab("?model=ann/letters")
        for name in ("rose.png", "leaf.png"):
            file = house.pictures / name
            answers = [one.choose(file) if name == "rose.png" else one.hand(file) for one in (letters, colours)]
            assert {label for label, _ in answers[0].top} < set(LETTERS)
            agrees(answers[1], house.colours, file)

    def test_a_tag_shows_what_it_stands_for(self, tab: Opener, house: House) -> None:
        first = house.push("ann/growing", small(("one", "two")))
        done(house.site.ask("POST", "/api/models/ann/growing/tag/main", "ann", json={"tag": "v1.0"}))
        visitor = tab("?model=ann/growing")
        house.push("ann/growing", small(("three", "four", "five")))
        assert {label for label, _ in visitor.choose(house.pictures / "rose.png").top} == {"one", "two"}  # as it says
        visitor.arrive()
        assert "Knows 3 classes: three, four and five." in head(visitor)
        for revision, said in (("v1.0", "v1.0"), (first, first[:12])):
            old = tab(f"?model=ann/growing&revision={revision}")
            assert head(old).startswith(f"All models\nann/growing {said}\n\nKnows 2 classes: one and two.")
            link = old.page.locator("h1 a").get_attribute("href")
            assert link == f"/ann/growing/tree/{revision}"

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_every_text_can_be_read_on_a_phone_too(self, tab: Opener, house: House, scheme: Any) -> None:
        visitor = tab("?model=ann/letters")
        visitor.page.set_viewport_size({"width": 390, "height": 844})
        visitor.page.emulate_media(color_scheme=scheme)
        visitor.arrive()
        visitor.choose(house.pictures / "rose.png")
        assert visitor.faint_texts() == []
        assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 390

    def test_a_bad_model_gets_one_sentence(self, tab: Opener, house: House) -> None:
        house.site.create("ann/bert", "ann")
        house.site.put("ann/bert", "ann", {"config.json": b'{"model_type": "<b>bert</b>"}'})
        visitor = tab("?model=ann/bert", arrives=False)
        said = refusal(visitor)
        assert said.startswith("ann/bert cannot be shown: config.json: ")
        assert visitor.faint_texts() == []


class TestWhoMay:
    def test_a_private_model_answers_its_owner_and_nobody_else(self, tab: Opener, house: House) -> None:
        query = "?model=ann/hidden"
        missing = refusal(tab("?model=ann/nothing", "bob", arrives=False))
        for _ in range(2):  # the second time it is loaded
            assert [refusal(tab(query, who, arrives=False)) for who in ("", "bob")] == [CLOSED, CLOSED]
            owner = tab(query, "ann:read")
            assert "ann/hidden" in head(owner)
            assert {label for label, _ in owner.choose(house.pictures / "rose.png").top} == {"x", "y"}
        assert missing == CLOSED.replace("hidden", "nothing")

    def test_who_logs_in_to_the_hub_may_what_their_token_may(
        self, browser: BrowserContext, tab: Opener, house: House
    ) -> None:
        owner = tab("?model=ann/hidden&revision=main", arrives=False)
        assert refusal(owner) == CLOSED
        assert owner.faint_texts() == []
        try:
            owner.page.get_by_role("link", name="Log in").click()
            owner.page.get_by_label("Access token").fill(house.site.tokens["ann:read"])
            owner.page.get_by_role("button", name="Log in").click()
            owner.page.get_by_role("heading", name="ann/hidden").wait_for()  # back where they wanted to be
            assert {label for label, _ in owner.choose(house.pictures / "rose.png").top} == {"x", "y"}
            browser.clear_cookies()
            refused = owner.hand(house.pictures / "leaf.png")
            assert (refused.state, refused.text.strip()) == ("error", CLOSED)
        finally:
            browser.clear_cookies()

    def test_what_is_closed_or_removed_does_not_answer_the_next_picture(self, tab: Opener, house: House) -> None:
        house.push("ann/fleeting", small(("p", "q")))
        other, owner = tab("?model=ann/fleeting", "bob"), tab("?model=ann/fleeting", "ann")
        assert other.choose(house.pictures / "rose.png").top
        assert owner.choose(house.pictures / "rose.png").top
        house.change("ann/fleeting", visibility="private")
        closed = CLOSED.replace("hidden", "fleeting")
        refused = other.hand(house.pictures / "leaf.png")
        assert (refused.state, refused.text.strip()) == ("error", closed)
        assert owner.hand(house.pictures / "leaf.png").top
        house.remove("fleeting")
        refused = owner.hand(house.pictures / "rose.png")
        assert (refused.state, refused.text.strip()) == ("error", closed)

    def test_a_forged_key_opens_nothing(self, tab: Opener, house: House) -> None:
        commit = done(house.site.get("/api/models/ann/hidden", "ann")).json()["sha"]
        key = f"ann/hidden@{commit}"
        owner, other = tab("?model=ann/hidden", "ann"), tab("", "bob")
        assert owner.choose(house.pictures / "rose.png").top
        with forging(other, key):
            refused = other.choose(house.pictures / "rose.png")
        assert (refused.state, refused.text.strip()) == ("error", CLOSED)
        for forged in (f"ann/colours@{commit}", "../../etc/passwd@main", "ann/hidden", "@" + "../" * 50, "\x00\ud800"):
            with forging(other, forged):
                assert other.hand(house.pictures / "leaf.png").state == "error", forged
        assert other.hand(house.pictures / "rose.png").top[0][0] == "red"  # the page lives on

    def test_a_page_whose_visitor_the_server_forgot_goes_on(self, tab: Opener, house: House) -> None:
        visitor = tab("?model=ann/letters")

        def forget(route: Route) -> None:  # as after a new start of the server
            route.continue_(post_data=json.dumps({**json.loads(route.request.post_data or ""), "session_hash": "new"}))

        visitor.page.route("**/queue/join*", forget)
        visitor.page.route("**/queue/data*", lambda route: route.continue_(url=_renamed(route.request.url)))
        assert {label for label, _ in visitor.choose(house.pictures / "rose.png").top} < set(LETTERS)


def _renamed(url: str) -> str:
    return str(httpx.URL(url).copy_set_param("session_hash", "new"))


class TestEndpoint:
    def test_the_address_of_the_call_names_the_model(self, house: House) -> None:
        picture = {"path": upload(house.page, house.pictures / "rose.png")}
        kind, data = call(house.page, picture)
        assert (kind, data[0][0]["label"]) == ("complete", "red")
        kind, data = call(house.page, picture, params={"model": "ann/letters", "revision": "main"})
        assert (kind, {each["label"] for each in data[0]}) == ("complete", set(LETTERS))

    def test_it_opens_what_the_callers_token_opens(self, house: House) -> None:
        picture = {"path": upload(house.page, house.pictures / "rose.png")}
        for who, expected in (("bob", "error"), ("ann", "complete"), ("bob", "error"), ("", "error")):
            headers = {"Authorization": f"Bearer {house.site.tokens[who]}"} if who else {}
            kind, data = call(house.page, picture, params={"model": "ann/hidden"}, headers=headers)
            assert kind == expected
            assert kind == "complete" or data["error"] == CLOSED


def test_no_other_site_reads_what_the_visitors_cookie_opens(house: House) -> None:
    for host in (httpx.URL(house.page).netloc.decode(), "hub.example"):
        for origin in ("https://evil.example", "http://localhost:8888", "null"):
            headers = {"Origin": origin, "Host": host, "Access-Control-Request-Method": "POST"}
            answers = [httpx.request(method, f"{house.page}config", headers=headers) for method in ("GET", "OPTIONS")]
            assert answers[0].status_code == 200
            assert not [name for answer in answers for name in answer.headers if "access-control" in name.lower()]
