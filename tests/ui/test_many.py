"""The tab "Many pictures": what the table says, against the library and against a server that is told what to say."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from tars_hub.errors import PictureError
from tars_hub.predict import Predictor
from tests.browsers import CHROMIUM
from tests.ui import pictures
from tests.ui.pictures import DIFFICULT
from tests.ui.visitor import TOLERANCE, Visitor

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page, Route

pytest.importorskip("gradio", reason="the page needs gradio")

from playwright.sync_api import expect  # only where there are browsers

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser: {CHROMIUM} is not installed")

ROW = re.compile(r"/row\b")
HOSTILE = '<img src=x onerror="alert(1)">${1+1}.png'
COLUMNS = ["file", "label", "probability", "second", "second_probability", "status", "model", "commit"]


@pytest.fixture
def arrive(browser: BrowserContext, url: str) -> Iterator[Callable[..., Page]]:
    """Pages of visitors in front of their tab."""
    visitors: list[Visitor] = []

    def come(where: BrowserContext = browser) -> Page:
        page = where.new_page()
        visitor = Visitor(page, url)
        visitors.append(visitor)
        visitor.arrive()
        page.get_by_role("tab", name="Many pictures").click()
        page.locator(".tars-drop").wait_for()
        return page

    yield come
    for visitor in visitors:
        visitor.page.unroute_all(behavior="ignoreErrors")
        visitor.page.close()
        expected = ("Failed to load resource",)  # the browser's own line about 422, 503 and the like
        assert [said for said in visitor.problems if not any(words in said for words in expected)] == []


def choose(page: Page, files: Sequence[Any]) -> None:
    page.locator(".tars-files").set_input_files(files)


def settled(page: Page, count: int) -> None:
    expect(page.locator(".tars-pace")).to_have_text(f"{count:,} of {count:,}")


def told(name: str, **answer: Any) -> dict[str, Any]:
    """A file that says itself what the faked server answers about it."""
    whole = {"label": "red", "score": 0.9, "second": "green", "second_score": 0.05, "model": "colours", "commit": ""}
    whole |= {"declined": False, "unsure": False, "thumbnail": "", "prepare_ms": 1, "model_ms": 1}
    return {"name": name, "mimeType": "image/png", "buffer": json.dumps({**whole, **answer}).encode()}


def obey(route: Route) -> None:
    said = json.loads(route.request.post_data_buffer or b"{}")
    if "refused" in said:
        return route.fulfill(status=422, json={"error": said["refused"]})
    return route.fulfill(json=said)


def names(page: Page) -> list[str]:
    return page.locator(".tars-cell-file").all_inner_texts()


def statuses(page: Page) -> list[str]:
    return page.locator(".tars-cell-status").all_inner_texts()


def press(page: Page, name: str | re.Pattern[str]) -> None:
    page.get_by_role("button", name=name).click()


def chosen(page: Page, filter_name: str) -> Locator:
    return page.get_by_role("combobox", name=filter_name, exact=True)


def downloaded(page: Page, button: str) -> list[dict[str, str]]:
    with page.expect_download() as coming:
        press(page, re.compile(button))
    data = coming.value.path().read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    assert reader.fieldnames == COLUMNS
    return list(reader)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """60 files of all kinds, every sixth broken."""
    folder = tmp_path_factory.mktemp("mixed")
    files = [write(folder) for write in DIFFICULT.values()]
    colours = [*pictures.COLOURS]
    files += [pictures.save(folder / f"{i}.png", colours[i % 3]) for i in range(45)]
    whole = files[-1].read_bytes()
    for i in range(10):
        broken = folder / (f"broken{i}.jpg" if i else HOSTILE)
        broken.write_bytes(whole[: 40 * i])
        files.insert(6 * i, broken)
    return files


def test_sixty_files_are_answered_in_order_as_by_the_library(
    arrive: Callable[..., Page], predictor: Predictor, mixed: list[Path], uploads: Path
) -> None:
    page = arrive()
    choose(page, mixed)
    settled(page, 60)
    rows = downloaded(page, "Download 60 rows")
    assert [row["file"] for row in rows] == [file.name for file in mixed]
    for row, expected in zip(rows, predictor.stream(mixed, top_k=2), strict=True):
        if isinstance(expected, PictureError):
            assert (row["label"], row["status"]) == ("", expected.reason)
            continue
        (label, score), (second, second_score) = expected.top
        assert (row["label"], row["second"], row["model"]) == (label, second, "colours")
        assert float(row["probability"]) == pytest.approx(score, abs=TOLERANCE)
        assert float(row["second_probability"]) == pytest.approx(second_score, abs=TOLERANCE)
        assert row["status"] == ("ok" if score >= 0.5 else "not sure")
    assert names(page) == [file.name for file in mixed[:50]]
    assert page.locator(".tars-table img").count() == 50 - 9  # thumbnails, and nothing that a name asked for
    press(page, "Next")
    assert names(page) == [file.name for file in mixed[50:]]
    assert [path for path in uploads.rglob("*") if path.is_file() and path.suffix != ".lock"] == []


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


def test_it_stops_and_goes_on_where_it_was(arrive: Callable[..., Page]) -> None:
    page = arrive()
    page.route(ROW, lambda _: None)  # never answered
    with page.expect_request(ROW):
        choose(page, [told(f"{i}.png", label=f"class {i}") for i in range(30)])
    press(page, "Stop")
    expect(page.locator(".tars-pace")).to_have_text("0 of 30")
    assert set(statuses(page)) == {"waiting"}
    page.unroute(ROW)
    page.route(ROW, obey)
    press(page, "Continue")
    settled(page, 30)
    rows = downloaded(page, "Download 30 rows")
    assert [(row["file"], row["label"]) for row in rows] == [(f"{i}.png", f"class {i}") for i in range(30)]


# How many questions are on their way at once, counted in the page.
COUNT = """
const fetched = window.fetch;
Object.assign(window, { onTheirWay: 0, most: 0 });
window.fetch = async (address, options) => {
  if (!String(address).includes("/row")) return fetched(address, options);
  window.most = Math.max(window.most, ++window.onTheirWay);
  try {
    return await fetched(address, options);
  } finally {
    window.onTheirWay--;
  }
};
"""


def test_four_are_on_their_way_at_once(arrive: Callable[..., Page]) -> None:
    page = arrive()
    page.route(ROW, obey)
    page.evaluate(f"() => {{ {COUNT} }}")
    for _ in range(2):  # more may come while others are asked about
        choose(page, [told(f"{i}.png") for i in range(9)])
    settled(page, 18)
    assert page.evaluate("window.most") == 4


def test_a_full_server_is_asked_again_later(arrive: Callable[..., Page]) -> None:
    page = arrive()
    refused: list[str] = []

    def refuse(route: Route) -> None:
        if len(refused) >= 4:
            return obey(route)
        refused.append(route.request.url)
        return route.fulfill(status=503, headers={"Retry-After": "1"}, json={"error": "Too many at once."})

    page.route(ROW, refuse)
    choose(page, [told(f"{i}.png") for i in range(12)])
    settled(page, 12)
    assert set(statuses(page)) == {"ok"}


def test_what_could_not_be_brought_there_is_a_row_and_can_be_asked_again(arrive: Callable[..., Page]) -> None:
    page = arrive()
    lost = [True]

    def lose(route: Route) -> None:
        said = json.loads(route.request.post_data_buffer or b"{}")
        return route.abort() if lost and said["label"] == "lost" else obey(route)

    page.route(ROW, lose)
    choose(page, [told("a.png"), told("b.png", label="lost"), told("c.png")])
    settled(page, 3)
    assert statuses(page) == ["ok", "the server could not be reached", "ok"]
    lost.clear()
    press(page, "Ask again about 1 that failed")
    settled(page, 3)
    expect(page.locator(".tars-cell-status").nth(1)).to_have_text("ok")


def test_without_a_model_it_stops_and_says_so(arrive: Callable[..., Page]) -> None:
    page = arrive()
    page.route(ROW, lambda route: route.fulfill(status=404, json={"error": "There is no <b>such</b> model."}))
    choose(page, [told(f"{i}.png") for i in range(30)])
    expect(page.locator(".tars-trouble")).to_have_text("There is no <b>such</b> model.")
    expect(page.locator(".tars-pace")).to_have_text("0 of 30")
    page.unroute(ROW)
    page.route(ROW, obey)
    press(page, "Continue")
    settled(page, 30)
    expect(page.locator(".tars-trouble")).to_be_hidden()


def test_too_large_a_file_is_not_sent(arrive: Callable[..., Page], tmp_path: Path) -> None:
    page = arrive()
    asked: list[str] = []
    page.on("request", lambda request: ROW.search(request.url) and asked.append(request.url))
    huge = tmp_path / "huge.png"
    with huge.open("wb") as file:
        file.truncate((64 << 20) + 1)  # no room on the disk
    choose(page, [huge])
    settled(page, 1)
    assert statuses(page) == ["larger than 64 MB"]
    assert asked == []


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


def test_a_folder_gives_the_pictures_in_it(arrive: Callable[..., Page], tmp_path: Path) -> None:
    page = arrive()
    trip = tmp_path / "trip"
    (trip / "day 1").mkdir(parents=True)
    for name in ("day 1/2.png", "day 1/10.png", "a.png", ".hidden.png", "notes.txt"):
        pictures.save(tmp_path / "any.png", "red").rename(trip / name)
    page.locator(".tars-folder").set_input_files(trip)
    settled(page, 3)
    assert names(page) == ["trip/a.png", "trip/day 1/2.png", "trip/day 1/10.png"]
    expect(page.locator(".tars-left-out")).to_have_text("2 other files left out.")


# A drop as the browser tells of it: a folder with a folder in it, beside a file.
DROP = """
() => {
  const file = (name) => new File(["{}"], name, { type: name.endsWith(".png") ? "image/png" : "" });
  const leaf = (path) => ({ fullPath: path, file: (give) => give(file(path.split("/").pop())) });
  const folder = (...inside) => ({
    isDirectory: true,
    createReader: () => ({ readEntries: (give) => give(inside.splice(0, 1)) }),
  });
  const entry = folder(leaf("/trip/b.png"), folder(leaf("/trip/deep/c.png")), leaf("/trip/read.me"));
  const items = [
    { kind: "file", webkitGetAsEntry: () => entry, getAsFile: () => null },
    { kind: "file", webkitGetAsEntry: () => null, getAsFile: () => file("a.png") },
    { kind: "string" },
  ];
  const drop = new DragEvent("drop", { bubbles: true, cancelable: true });
  Object.defineProperty(drop, "dataTransfer", { value: { items } });
  document.querySelector(".tars-results").parentElement.dispatchEvent(drop);
  return drop.defaultPrevented;
}
"""


def test_dropped_folders_are_gone_through(arrive: Callable[..., Page]) -> None:
    page = arrive()
    page.route(ROW, lambda route: route.fulfill(json={"label": "red", "score": 0.9}))
    assert page.evaluate(DROP), "else the browser would open the file in place of the page"
    settled(page, 3)
    assert names(page) == ["trip/b.png", "trip/deep/c.png", "a.png"]
    expect(page.locator(".tars-left-out")).to_have_text("1 other file left out.")


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


def test_two_visitors_at_once_see_their_own_alone(
    arrive: Callable[..., Page], browser: BrowserContext, predictor: Predictor, tmp_path: Path
) -> None:
    assert browser.browser
    colours = ["red", "green"]
    files = {c: [pictures.save(tmp_path / f"{c}{i}.png", c) for i in range(15)] for c in colours}
    pages = {"red": arrive(), "green": arrive(browser.browser.new_context())}
    for colour, page in pages.items():
        choose(page, files[colour])
    for colour, page in pages.items():
        settled(page, 15)
        rows = downloaded(page, "Download 15 rows")
        assert [row["file"] for row in rows] == [file.name for file in files[colour]]
        assert {row["label"] for row in rows} == {predictor(files[colour][0]).label} == {colour}


def test_it_is_worked_by_keys_alone(arrive: Callable[..., Page]) -> None:
    page = arrive()
    page.get_by_role("tab", name="Many pictures").focus()
    with page.expect_file_chooser() as chooser:
        for _ in range(10):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent") == "Choose files":
                break
        page.keyboard.press("Enter")
    page.route(ROW, obey)
    chooser.value.set_files([told("a.png")])
    settled(page, 1)


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
