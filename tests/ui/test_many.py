"""The tab "Many pictures": what it takes and asks, against the library and a server that is told what to say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tars_hub.errors import PictureError
from tars_hub.predict import Predictor
from tests.browsers import CHROMIUM
from tests.ui import pictures
from tests.ui.many import HOSTILE, ROW, choose, downloaded, names, obey, press, settled, statuses, told
from tests.ui.pictures import DIFFICULT
from tests.ui.visitor import TOLERANCE

pytest.importorskip("gradio", reason="the page needs gradio")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser: {CHROMIUM} is not installed")


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
