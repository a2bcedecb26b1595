"""The table of "Many pictures": how its rows read, what is shown of them, and what a spreadsheet gets."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browsers import CHROMIUM
from tests.ui import pictures
from tests.ui.many import HOSTILE, ROW, choose, chosen, downloaded, names, obey, press, settled, told
from tests.ui.visitor import Visitor

pytest.importorskip("gradio", reason="the page needs gradio")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser: {CHROMIUM} is not installed")


def test_thumbnails_show_what_the_model_saw(arrive: Callable[..., Page], tmp_path: Path) -> None:
    page = arrive()
    choose(page, [pictures.write_rotated_jpeg(tmp_path)])
    image = page.locator(".tars-cell-picture img")
    page.wait_for_function("document.querySelector('.tars-cell-picture img')?.naturalWidth")
    assert image.evaluate("(image) => Math.max(image.naturalWidth, image.naturalHeight)") <= 96
    assert (image.get_attribute("src") or "").startswith("data:image/jpeg;base64,")


def test_spreadsheets_run_nothing_of_it(arrive: Callable[..., Page]) -> None:
    page = arrive()
    page.route(ROW, obey)
    nasty = ["=1+1.png", "+1.png", "-1.png", "@a.png", "\ta.png", "\ra.png"]
    plain = ['say "a, b".png', "grün 緑.png", HOSTILE]
    choose(page, [told(name, label="=2+2", second='he said "x"') for name in [*nasty, *plain]])
    settled(page, 9)
    rows = downloaded(page, "Download 9 rows")
    assert [row["file"] for row in rows] == [*(f"'{name}" for name in nasty), *plain]
    assert {(row["label"], row["second"]) for row in rows} == {("'=2+2", 'he said "x"')}
    assert {(row["probability"], row["second_probability"]) for row in rows} == {("0.900000", "0.050000")}
    assert names(page)[-1] == HOSTILE


def test_shares_read_as_on_the_card(arrive: Callable[..., Page]) -> None:
    page = arrive()
    page.route(ROW, obey)
    choose(page, [told("a.png", score=0.9995, second_score=0.0004), told("b.png", score=0.12345, second=None)])
    settled(page, 2)
    assert page.locator(".tars-cell-score").all_inner_texts() == ["> 99.9 %", "12.3 %"]
    assert page.locator(".tars-cell-second").all_inner_texts() == ["green < 0.1 %", ""]


@pytest.fixture
def filled(arrive: Callable[..., Page]) -> Page:
    """Six rows: three red, two green of which one unsure, one that cannot be read."""
    page = arrive()
    page.route(ROW, obey)
    files = [
        *(told("c.png", score=0.95), told("a.png", label="green", score=0.45, unsure=True), told("e.png", score=0.7)),
        *(
            told("b.png", refused="it is damaged"),
            told("f10.png", score=0.99),
            told("f9.png", label="green", score=0.8),
        ),
    ]
    choose(page, files)
    settled(page, 6)
    expect(page.locator(".tars-cell-label").nth(5)).to_have_text("green")
    return page


FILTERS: list[tuple[dict[str, str], list[str]]] = [
    ({"Class": "green (2)"}, ["a.png", "f9.png"]),
    ({"Status": "not sure"}, ["a.png"]),
    ({"Status": "sure"}, ["c.png", "e.png", "f10.png", "f9.png"]),
    ({"Status": "could not be read"}, ["b.png"]),
    ({"Status": "waiting"}, []),
    ({"Probability from, %": "70", "up to, %": "95"}, ["c.png", "e.png", "f9.png"]),
    ({"Class": "red (3)", "up to, %": "80"}, ["e.png"]),
]


@pytest.mark.parametrize(("filters", "expected"), FILTERS)
def test_filters_show_and_download_what_is_wanted(filled: Page, filters: dict[str, str], expected: list[str]) -> None:
    for label, value in filters.items():
        if "%" in label:
            filled.get_by_role("spinbutton", name=label, exact=True).fill(value)
        else:
            chosen(filled, label).select_option(label=value)
    assert names(filled) == expected
    expect(filled.locator(".tars-count")).to_have_text(f"{len(expected)} row{'s' * (len(expected) != 1)} of 6 shown")
    assert [row["file"] for row in downloaded(filled, "shown as CSV")] == expected
    assert len(downloaded(filled, "Download 6 rows")) == 6


def test_a_column_orders_up_down_and_not_at_all(filled: Page) -> None:
    given = names(filled)
    head = filled.locator("th[data-column=score]")
    for way, expected in (
        ("ascending", ["a.png", "e.png", "f9.png", "c.png", "f10.png", "b.png"]),
        ("descending", ["f10.png", "c.png", "f9.png", "e.png", "a.png", "b.png"]),
        ("none", given),
    ):
        head.get_by_role("button").click()
        expect(head).to_have_attribute("aria-sort", way)
        assert names(filled) == expected
    chosen(filled, "Order").select_option(label="File, A to Z")
    assert names(filled) == ["a.png", "b.png", "c.png", "e.png", "f9.png", "f10.png"]
    chosen(filled, "Order").select_option(label="as given")
    assert names(filled) == given


def test_clear_forgets_all(filled: Page) -> None:
    press(filled, "Clear")
    expect(filled.locator(".tars-results")).to_be_hidden()
    assert names(filled) == []
    choose(filled, [told("new.png")])
    settled(filled, 1)
    assert chosen(filled, "Class").locator("option").all_inner_texts() == ["all", "red (1)"]


def test_the_rows_of_another_model_say_so(arrive: Callable[..., Page]) -> None:
    page = arrive()

    def answer(route: Route) -> None:
        key = re.search("key=([^&]*)", route.request.url)
        model, _, commit = (key[1] if key else "").replace("%2F", "/").partition("%40")
        route.fulfill(json={"label": "red", "score": 0.9, "second": None, "model": model, "commit": commit})

    page.route(ROW, answer)
    for model in ("ann/colours", "ann/letters"):
        page.evaluate("(key) => (document.querySelector('.tars-header').dataset.key = key)", f"{model}@{'a' * 40}")
        choose(page, [told(f"{model[4:]}.png")])
        expect(page.locator(".tars-cell-model").last).to_have_text(model)
    expect(page.locator(".tars-models")).to_have_text(
        "These are answers of 2 models: ann/colours (aaaaaaaaaaaa), ann/letters (aaaaaaaaaaaa)."
    )
    expect(page.locator(".tars-cell-model").first).to_be_visible()
    rows = downloaded(page, "Download 2 rows")
    assert [(row["model"], row["commit"]) for row in rows] == [(f"ann/{x}", "a" * 40) for x in ("colours", "letters")]


# Answers at once, in the page; how long it was busy at a stretch shows whether it could be used meanwhile.
THOUSANDS = """
async (count) => {
  const fetched = window.fetch;
  window.fetch = (address, options) => String(address).includes("/row")
    ? Promise.resolve(Response.json({ label: `class ${Math.floor(Math.random() * 50)}`, score: Math.random() }))
    : fetched(address, options);
  const transfer = new DataTransfer();
  for (let i = 0; i < count; i++) transfer.items.add(new File(["x"], `${i}.png`, { type: "image/png" }));
  let [longest, last] = [0, performance.now()];
  const began = last;
  const watch = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 10);
  const input = document.querySelector(".tars-files");
  input.files = transfer.files;
  input.dispatchEvent(new Event("change"));
  const pace = document.querySelector(".tars-pace");
  const end = `${count.toLocaleString("en")} of ${count.toLocaleString("en")}`;
  while (pace.textContent !== end) await new Promise((go) => setTimeout(go, 20));
  clearInterval(watch);
  return { longest, whole: performance.now() - began, lines: document.querySelectorAll(".tars-table tr").length };
}
"""


def test_thousands_of_rows_leave_the_page_usable(arrive: Callable[..., Page]) -> None:
    page = arrive()
    measured = page.evaluate(THOUSANDS, 2000)
    assert measured["lines"] == 51
    assert measured["longest"] < 2000, "milliseconds, on a machine that may be very busy"
    chosen(page, "Order").select_option(label="Most sure first")
    assert names(page) != [f"{i}.png" for i in range(50)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_can_be_read(arrive: Callable[..., Page], scheme: Literal["light", "dark"]) -> None:
    page = arrive()
    page.emulate_media(color_scheme=scheme)
    page.route(ROW, obey)
    page.set_viewport_size({"width": 390, "height": 800})
    long = "a" * 120
    choose(page, [told(f"{long}.png", label=long), told("b.png", refused="it is damaged"), told("c.png", unsure=True)])
    settled(page, 3)
    assert page.evaluate("document.scrollingElement.scrollWidth") == 390
    assert Visitor(page, page.url).faint_texts() == []
