"""The page beside a hub turns to the model that a visitor picks: in place, with the picture that is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browsers import CHROMIUM
from tests.server.running import done
from tests.small_model import small
from tests.ui import pictures
from tests.ui.house import House, house_with
from tests.ui.visitor import Shown, Visitor, agrees

pytest.importorskip("gradio", reason="the page needs gradio")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser: {CHROMIUM} is not installed")

LETTERS = tuple("abcdefgh")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("examples")
    pictures.save(folder / "rose.png", "red")
    with house_with(folder, tmp_path_factory.mktemp("uploads")) as house:
        house.push("ann/letters", small(LETTERS))
        done(house.site.ask("POST", "/api/models/ann/letters/tag/main", "ann", json={"tag": "v1.0"}))
        house.site.create("ann/bert", "ann")
        house.site.put("ann/bert", "ann", {"config.json": b'{"model_type": "bert"}', "model.safetensors": b"none"})
        yield house


@pytest.fixture
def visitor(browser: BrowserContext, house: House) -> Iterator[Visitor]:
    visitor = Visitor(browser.new_page(), house.page)
    visitor.arrive()
    yield visitor
    visitor.page.close()
    assert visitor.problems == []


def pick_and_wait(visitor: Visitor, model: str, revision: str = "") -> Shown:
    """The answer after a pick, of a revision as well where the model has several."""
    run = visitor.run()
    visitor.page.locator(".tars-picker-open").click()
    visitor.page.get_by_label("Search models").fill(model)
    visitor.page.get_by_role("option", name=model).click()
    if revision:
        visitor.page.get_by_role("option", name=revision, exact=True).click()
    visitor.page.get_by_role("heading", name=model).wait_for()
    return visitor.answer_after(run)


def test_the_picture_that_is_there_is_asked_about_again(visitor: Visitor, house: House) -> None:
    file = house.pictures / "rose.png"
    agrees(visitor.choose(file), house.colours, file)
    shown = pick_and_wait(visitor, "ann/letters", "v1.0")
    assert {label for label, _ in shown.top} < set(LETTERS)
    assert "ann/letters · prepare" in shown.text
    agrees(pick_and_wait(visitor, "ann/colours"), house.colours, file)


def test_address_and_title_say_what_is_shown(visitor: Visitor, house: House) -> None:
    visitor.choose(house.pictures / "rose.png")
    assert urlsplit(visitor.page.url).query == ""
    pick_and_wait(visitor, "ann/letters", "v1.0")
    expect(visitor.page).to_have_title("ann/letters · Tars Hub")
    visitor.page.wait_for_url("**/?model=*")
    assert parse_qs(urlsplit(visitor.page.url).query) == {"model": ["ann/letters"], "revision": ["v1.0"]}
    visitor.go(visitor.page.url)
    visitor.page.get_by_role("heading", name="ann/letters v1.0").wait_for()


def test_what_belongs_to_the_model_before_goes(visitor: Visitor, house: House) -> None:
    visitor.take_the_pad()
    visitor.stroke((0.2, 0.2), (0.8, 0.8))
    pick_and_wait(visitor, "ann/letters", "main")
    expect(visitor.page.get_by_role("tab", name="Draw")).to_be_hidden()
    expect(visitor.page.locator(".tars-examples")).to_be_hidden()
    expect(visitor.page.locator(".tars-picture")).to_be_visible()
    assert visitor.shown().state == "empty"
    assert {label for label, _ in visitor.choose(house.pictures / "rose.png").top} < set(LETTERS)


def test_a_model_that_cannot_be_shown_says_why_and_the_page_goes_on(visitor: Visitor, house: House) -> None:
    file = house.pictures / "rose.png"
    visitor.choose(file)
    run = visitor.run()
    visitor.page.locator(".tars-picker-open").click()
    visitor.page.evaluate(_PICK_BERT)
    alert = visitor.page.locator(".tars-picker [role=alert]")
    expect(alert).to_contain_text("ann/bert cannot be shown: config.json: ")
    assert visitor.run() == run
    visitor.page.get_by_role("heading", name="ann/colours").wait_for()
    visitor.page.keyboard.press("Escape")
    agrees(visitor.hand(file), house.colours, file)


# A model that is no classifier is not offered; it may have become one that cannot be loaded since the list was made.
_PICK_BERT = """
() => {
  const fetched = window.fetch;
  window.fetch = async (address, ...rest) => {
    if (!String(address.url ?? address).includes("/models?")) return fetched(address, ...rest);
    const asksRevisions = String(address.url ?? address).includes("model=");
    const bert = { model: "ann/bert", accuracy: null, backbone: "bert", classes: 2, private: false, updated: "" };
    return new Response(JSON.stringify(asksRevisions ? ["main"] : [bert]), {
      headers: { "content-type": "application/json" },
    });
  };
  const search = document.querySelector(".tars-picker input");
  search.value = "bert";
  search.dispatchEvent(new Event("input", { bubbles: true }));
  const press = (text) => new Promise((done) => {
    const look = () => {
      const option = [...document.querySelectorAll(".tars-picker [role=option]")]
        .find((each) => each.checkVisibility() && each.textContent.includes(text));
      if (option) done(option.click()); else setTimeout(look, 50);
    };
    look();
  });
  return press("ann/bert");
}
"""


def test_a_picked_model_answers_in_the_other_tabs_too(visitor: Visitor, house: House, tmp_path: Path) -> None:
    visitor.choose(house.pictures / "rose.png")
    pick_and_wait(visitor, "ann/letters", "main")
    visitor.page.get_by_role("tab", name="Many pictures").click()
    visitor.page.locator(".tars-many input[type=file]").first.set_input_files(pictures.save(tmp_path / "a.png", "red"))
    row = visitor.page.locator(".tars-many tbody tr").first
    expect(row).to_contain_text("%")
    assert any(cell in LETTERS for cell in row.locator("td").all_inner_texts())
    visitor.page.get_by_role("tab", name="Use from code").click()
    expect(visitor.page.get_by_text("classify?model=ann/letters").first).to_be_visible()
