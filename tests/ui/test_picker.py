"""The model picker beside a hub: what it lists for whom, and how the page turns, by keyboard, finger or mouse."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from tars_hub.card import Measured, write_card
from tars_hub.model import TarsClassifier
from tars_hub.server.rules.tokens import begin_session, end_session
from tests.browsers import CHROMIUM
from tests.server.running import done
from tests.small_model import small
from tests.ui import pictures
from tests.ui.house import House, house_with
from tests.ui.visitor import Visitor

picker = pytest.importorskip("tars_hub.ui.picker", reason="the page needs gradio")
in_browser = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser: {CHROMIUM} is not installed")

COMMIT_CLASSES = ("one", "two")
HOSTILE = "<img/src=x/onerror=alert(1)>${1}{{x}}`"  # a branch's name


def letters() -> TarsClassifier:
    model = small(tuple("abcdefgh"))
    model.card = write_card(model.config, Measured(accuracy=0.964, pictures=1200, dataset="letters", split="test"))
    return model


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("examples")
    pictures.save(folder / "rose.png", "red")
    with house_with(folder, tmp_path_factory.mktemp("uploads")) as house:
        house.push("ann/letters", letters())
        house.push("ann/hidden", small(("x", "y")), private=True)
        house.push("ann/versions", small(COMMIT_CLASSES))
        done(house.site.ask("POST", "/api/models/ann/versions/tag/main", "ann", json={"tag": "v1.0"}))
        house.push("ann/versions", small((*COMMIT_CLASSES, "three")))
        yield house


def listed(house: House, query: str = "", **options: Any) -> httpx.Response:
    return httpx.get(f"{house.page}models{query}", **options)


def names(answer: httpx.Response) -> set[str]:
    return {offer["model"] for offer in done(answer).json()}


def by_token(house: House, who: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {house.site.tokens[who]}"}


OPEN = {"ann/colours", "ann/letters", "ann/versions"}


class TestTheAnswer:
    def test_it_says_what_the_visitor_may_open(self, house: House) -> None:
        answer = done(listed(house, "?search=LETTERS"))
        assert answer.headers["cache-control"] == "no-store"
        (offer,) = answer.json()
        assert offer.pop("updated").startswith("20")
        assert offer == {
            "model": "ann/letters",
            "accuracy": 0.964,
            "backbone": "shufflenet_v2_x0_5",
            "classes": 8,
            "private": False,
        }

    def test_each_by_their_own_token_or_cookie(self, house: House) -> None:
        session, _ = begin_session(house.site.hub, house.site.tokens["ann:read"])
        cookie = {"Cookie": f"tars_session={session}"}
        assert names(listed(house)) == names(listed(house, headers=by_token(house, "bob"))) == OPEN
        assert names(listed(house, headers=by_token(house, "ann"))) == OPEN | {"ann/hidden"}
        assert names(listed(house, headers=cookie)) == OPEN | {"ann/hidden"}
        assert listed(house, "?model=ann/hidden", headers=cookie).json() == ["main"]
        end_session(house.site.hub, session)
        assert names(listed(house, headers=cookie)) == OPEN
        closed = listed(house, "?model=ann/hidden", headers=cookie)
        said = "There is no model ann/hidden here, or it is not open to you."
        assert (closed.status_code, closed.json()) == (404, {"error": said})

    def test_it_says_which_revisions_there_are(self, house: House) -> None:
        assert done(listed(house, "?model=ann/versions")).json() == ["main", "v1.0"]

    def test_pages_of_other_sites_are_told_nothing(self, house: House) -> None:
        asked = {
            site: listed(house, headers={"Sec-Fetch-Site": site}).status_code
            for site in ("same-origin", "none", "same-site", "cross-site")
        }
        assert asked == {"same-origin": 200, "none": 200, "same-site": 403, "cross-site": 403}

    def test_when_too_many_look_at_once_it_asks_for_patience(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        free = BoundedSemaphore(1)
        monkeypatch.setattr(picker, "_ASKING", free)
        with free:
            answer = listed(house)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert answer.json() == {"error": "Many people are looking for models just now; try again soon."}
        assert names(listed(house)) == OPEN

    def test_a_token_that_is_not_known_is_one_sentence(self, house: House) -> None:
        answer = listed(house, headers={"Authorization": "Bearer nobodys"})
        assert answer.status_code == 404
        assert answer.json() == {"error": "The hub does not know your token any more; log in again."}


Opener = Callable[..., Visitor]


@pytest.fixture
def tab(browser: BrowserContext, house: House) -> Iterator[Opener]:
    """Opens the page in a new tab, by anybody's token; whatever happens, the console stays clean."""
    opened: list[Visitor] = []

    def open_tab(query: str = "", who: str = "") -> Visitor:
        visitor = Visitor(browser.new_page(), f"{house.page}{query}")
        opened.append(visitor)
        if who:
            visitor.page.set_extra_http_headers(by_token(house, who))
        visitor.arrive()
        return visitor

    yield open_tab
    for visitor in opened:
        visitor.page.close()
    assert [problem for visitor in opened for problem in visitor.problems] == []


def button(page: Page) -> Locator:
    return page.get_by_role("button", name=re.compile("^Model "))


def lines(page: Page, kind: str = "Models") -> Locator:
    return page.get_by_role("listbox", name=kind).get_by_role("option")


def opened(page: Page) -> Page:
    button(page).click()
    lines(page).first.wait_for()
    return page


def pointed(page: Page, kind: str = "Models") -> Locator:
    return page.get_by_role("listbox", name=kind).get_by_role("option", selected=True)


@in_browser
class TestThePanel:
    def test_it_lists_what_a_visitor_may_open_and_how_good_it_is(self, tab: Opener) -> None:
        page = opened(tab("", "bob").page)
        texts = {" ".join(text.split()) for text in lines(page).all_inner_texts()}
        assert texts == {
            "ann/colours not measured · 3 classes",
            "ann/letters 96.4 % · 8 classes",
            "ann/versions not measured · 3 classes",
        }
        expect(page.get_by_role("status").filter(has_text="3 models")).to_be_visible()
        expect(pointed(page)).to_contain_text("ann/colours")  # what the page shows
        owners = opened(tab("", "ann").page)
        expect(lines(owners).filter(has_text="ann/hidden")).to_contain_text("2 classes · private")

    def test_by_keyboard_alone(self, tab: Opener) -> None:
        visitor = tab()
        page = visitor.page
        expect(button(page)).to_have_accessible_name("Model ann/colours · main")
        button(page).focus()
        page.keyboard.press("Enter")
        search = page.get_by_role("combobox", name="Search models")
        expect(search).to_be_focused()
        expect(search).to_have_attribute("aria-expanded", "true")
        page.keyboard.type("ann/letters")
        expect(lines(page)).to_have_count(1)
        page.keyboard.press("Control+a")
        page.keyboard.press("Delete")
        expect(lines(page)).to_have_count(3)
        before = pointed(page).get_attribute("id")
        page.keyboard.press("ArrowUp")
        assert pointed(page).get_attribute("id") == search.get_attribute("aria-activedescendant") != before
        page.keyboard.press("ArrowDown")
        assert pointed(page).get_attribute("id") == search.get_attribute("aria-activedescendant") == before
        page.keyboard.type("letters")
        expect(lines(page)).to_have_count(1)
        page.keyboard.press("Enter")
        expect(button(page)).to_have_accessible_name("Model ann/letters · main")
        expect(button(page)).to_be_focused()
        expect(page.locator(".tars-header")).to_have_attribute("data-model", "ann/letters")
        expect(page.get_by_role("dialog")).to_be_hidden()

    def test_a_model_with_several_revisions_offers_them(self, tab: Opener) -> None:
        page = opened(tab().page)
        lines(page).filter(has_text="ann/versions").click()
        revisions = page.get_by_role("listbox", name="Revisions")
        expect(revisions).to_be_focused()
        assert lines(page, "Revisions").all_inner_texts() == ["main", "v1.0"]
        expect(pointed(page, "Revisions")).to_have_text("main")
        page.keyboard.press("Escape")
        expect(page.get_by_role("combobox")).to_be_focused()
        page.keyboard.press("Enter")
        expect(revisions).to_be_focused()
        page.keyboard.press("End")
        page.keyboard.press("Enter")
        expect(button(page)).to_have_accessible_name("Model ann/versions · v1.0")
        expect(page.locator(".tars-header")).to_have_attribute("data-revision", "v1.0")
        expect(page.locator(".tars-header")).to_contain_text("Knows 2 classes: one and two.")
        opened(page)
        expect(pointed(page)).to_contain_text("ann/versions")
        page.keyboard.press("Enter")
        expect(pointed(page, "Revisions")).to_have_text("v1.0")  # what the page shows

    def test_it_closes_and_gives_the_focus_back(self, tab: Opener) -> None:
        page = opened(tab().page)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
        expect(button(page)).to_be_focused()
        expect(button(page)).to_have_attribute("aria-expanded", "false")
        opened(page)
        page.mouse.click(20, 700)
        expect(page.get_by_role("dialog")).to_be_hidden()
        opened(page)
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Shift+Tab")
        expect(page.get_by_role("dialog")).to_be_hidden()

    def test_names_of_strangers_stay_text(self, tab: Opener) -> None:
        visitor = tab()

        def answer(route: Route) -> None:
            hostile = {"model": HOSTILE, "accuracy": None, "backbone": "x", "classes": 1, "private": True}
            route.fulfill(json=[HOSTILE, "main"] if "model=" in route.request.url else [hostile])

        visitor.page.route("**/demo/models?*", answer)
        page = opened(visitor.page)
        expect(lines(page)).to_contain_text(HOSTILE)
        page.keyboard.press("Enter")
        expect(lines(page, "Revisions").first).to_have_text(HOSTILE)
        assert page.locator(".tars-picker img").count() == 0

    def test_a_late_answer_to_an_old_search_is_not_shown(self, tab: Opener) -> None:
        page = opened(tab().page)
        held: list[Route] = []

        def hold(route: Route) -> None:
            held.append(route)

        page.route("**/demo/models?search=c", hold)
        with page.expect_request("**/demo/models?search=c"):
            page.keyboard.type("c")
        page.keyboard.press("Backspace")
        page.keyboard.type("letters")
        expect(lines(page)).to_have_count(1)
        for route in held:
            route.fulfill(json=[])
        expect(lines(page)).to_have_count(1)
        expect(lines(page)).to_contain_text("ann/letters")

    def test_a_server_that_is_away_is_one_sentence(self, tab: Opener) -> None:
        visitor = tab()
        visitor.page.route("**/demo/models?*", lambda route: route.abort())
        button(visitor.page).click()
        expect(visitor.page.get_by_role("alert")).to_have_text("The server does not answer; try again in a moment.")
        visitor.problems.clear()  # the browser says in its console what it could not fetch

    def test_nothing_found_is_said(self, tab: Opener) -> None:
        page = opened(tab().page)
        page.keyboard.type("nothing of the kind")
        expect(page.get_by_role("status").filter(has_text="No model of that name is open to you.")).to_be_visible()
        expect(page.get_by_role("combobox")).to_have_attribute("aria-expanded", "false")
        page.keyboard.press("Enter")
        expect(button(page)).to_have_accessible_name("Model ann/colours · main")

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_on_a_phone_all_can_be_read_and_nothing_scrolls_sideways(self, tab: Opener, scheme: Any) -> None:
        visitor = tab("", "ann")
        page = visitor.page
        page.set_viewport_size({"width": 390, "height": 844})
        page.emulate_media(color_scheme=scheme)
        visitor.arrive()
        opened(page)
        box = page.get_by_role("dialog").bounding_box()
        assert box is not None
        assert (box["x"], box["x"] + box["width"]) == (12, 378)
        assert visitor.faint_texts() == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        lines(page).filter(has_text="ann/versions").click()
        expect(lines(page, "Revisions")).to_have_count(2)
        assert visitor.faint_texts() == []
        page.get_by_role("button", name="Back to all models").click()
        expect(page.get_by_role("combobox")).to_be_focused()


@in_browser
class TestTurning:
    def test_while_a_model_loads_the_panel_says_so(self, tab: Opener) -> None:
        page = opened(tab().page)
        held: list[Route] = []
        page.route("**/queue/join*", lambda route: route.continue_() if held else held.append(route))
        with page.expect_request("**/queue/join*"):
            lines(page).filter(has_text="ann/letters").click()
        expect(page.get_by_role("status").filter(has_text="Loading ann/letters…")).to_be_visible()
        expect(page.get_by_role("dialog")).to_have_attribute("aria-busy", "true")
        held[0].continue_()
        expect(button(page)).to_have_accessible_name("Model ann/letters · main")
        expect(page.get_by_role("dialog")).to_be_hidden()

    def test_a_model_that_cannot_be_shown_says_why_each_time_and_the_page_stays(
        self, tab: Opener, house: House
    ) -> None:
        house.push("ann/fleeting", small(("p", "q")))
        page = opened(tab().page)
        try:
            for _ in range(2):
                house.change("ann/fleeting", visibility="public")
                page.get_by_role("combobox").fill("fleet")
                expect(lines(page)).to_have_count(1)
                with closing(page, house, "ann/fleeting"):
                    page.keyboard.press("Enter")
                    alert = page.get_by_role("alert").filter(has_text="ann/fleeting")
                    expect(alert).to_have_text("There is no model ann/fleeting here, or it is not open to you.")
                expect(page.get_by_role("dialog")).to_be_visible()
                expect(page.locator(".tars-header")).to_have_attribute("data-model", "ann/colours")
                page.get_by_role("combobox").fill("")
                expect(alert).to_have_count(0)
        finally:
            house.remove("fleeting")
        assert page.locator(".tars-picture").is_visible()

    def test_the_address_and_a_commit_name_the_model_too(self, tab: Opener, house: House) -> None:
        commit = done(house.site.get("/api/models/ann/letters", "ann")).json()["sha"]
        page = tab(f"?model=ann/letters&revision={commit}").page
        expect(button(page)).to_have_accessible_name(f"Model ann/letters · {commit[:12]}")


@contextmanager
def closing(page: Page, house: House, name: str) -> Iterator[None]:
    """The model is closed between its choice and its loading."""

    def close(route: Route) -> None:
        house.change(name, visibility="private")
        route.continue_()

    page.route("**/queue/join*", close)
    yield
    page.unroute("**/queue/join*")
