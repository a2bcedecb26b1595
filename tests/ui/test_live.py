"""The tab "Live camera", with Chromium's fake camera and a model that truly tells its frames apart."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
from PIL import Image

from tars_hub.predict import Predictor
from tests.browsers import CHROMIUM, chromium
from tests.ui import pictures
from tests.ui.visitor import TOLERANCE, Visitor

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Route

pytest.importorskip("gradio", reason="the page needs gradio")

from playwright.sync_api import expect  # only where there are browsers

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser: {CHROMIUM} is not installed")

WIDE, HIGH = 640, 480
OFF = "The camera is off."
CARD = re.compile(r"/card\b")

# What the page opens is kept for the test to look at.
KEEP_TRACKS = """
window.tracks = [];
const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wanted) => {
  const stream = await open(wanted);
  window.tracks.push(...stream.getTracks());
  return stream;
};
"""
LIVE = "window.tracks.length && window.tracks.every((track) => track.readyState === 'live')"
ENDED = LIVE.replace("'live'", "'ended'")


def frame(colour: str) -> bytes:
    """A JPEG of one colour, with a white band at its left."""
    pixels = pictures.flat(colour, HIGH, WIDE)
    pixels[:, : WIDE // 10] = 255
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=95)
    return out.getvalue()


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film that is red for a while, then green, and over again."""
    film = tmp_path_factory.mktemp("camera") / "film.mjpeg"
    film.write_bytes(frame("red") * 30 + frame("green") * 30)
    return film


@pytest.fixture(scope="module")
def context(camera: Path) -> Iterator[BrowserContext]:
    """Of who lets the page use the camera."""
    flags = ("--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={camera}")
    with chromium(*flags) as browser:
        yield browser.new_context(locale="en-US", permissions=["camera"])


@pytest.fixture
def arrive(context: BrowserContext, url: str) -> Iterator[Callable[..., Visitor]]:
    """Visitors in front of their tab."""
    visitors: list[Visitor] = []

    def come(where: BrowserContext = context, *, script: str = KEEP_TRACKS) -> Visitor:
        page = where.new_page()
        page.add_init_script(script)
        visitor = Visitor(page, url)
        visitors.append(visitor)
        visitor.arrive()
        page.get_by_role("tab", name="Live camera").click()
        return visitor

    yield come
    for visitor in visitors:
        visitor.page.unroute_all(behavior="ignoreErrors")  # the camera may still be on
        visitor.page.close()
        expected = ("Failed to load resource",)
        assert [said for said in visitor.problems if not any(words in said for words in expected)] == []


def start(page: Page) -> None:
    page.get_by_role("button", name="Start the camera").click()


def is_answered(page: Page, label: str | None = None) -> None:
    named = f"[data-label='{label}']" if label else ""
    page.locator(f".tars-live .tars-top{named}").wait_for()


def said(page: Page) -> str:
    return page.locator(".tars-screen .tars-note").inner_text()


class _Bars(HTMLParser):
    """The (label, probability) pairs of a card."""

    def __init__(self) -> None:
        super().__init__()
        self.top: list[tuple[str, float]] = []

    def handle_starttag(self, _: str, attributes: list[tuple[str, str | None]]) -> None:
        data = dict(attributes)
        if "data-probability" in data:
            self.top.append((data["data-label"] or "", float(data["data-probability"] or 0)))


@dataclass
class Overheard:
    """What goes to and fro.

    Attributes:
        talk: each frame's bytes with its card, as HTML.
    """

    addresses: list[str] = field(default_factory=list)
    talk: list[tuple[bytes, str]] = field(default_factory=list)

    def __call__(self, route: Route) -> None:
        """Only what is intercepted shows its bytes."""
        answer = route.fetch()
        self.addresses.append(route.request.url)
        self.talk.append((route.request.post_data_buffer or b"", answer.text()))
        route.fulfill(response=answer)


def test_each_answer_is_the_librarys_about_the_frame_that_was_sent(
    arrive: Callable[..., Visitor], predictor: Predictor
) -> None:
    page = arrive().page
    heard = Overheard()
    page.route(CARD, heard)
    start(page)
    for label in ("red", "green", "red"):  # it changes with the picture
        is_answered(page, label)
    expect(page.locator(".tars-rate")).to_contain_text("answers a second")
    press_stop(page)
    assert "shown=3" in heard.addresses[0]
    for sent, card in heard.talk[:10]:
        bars = _Bars()
        bars.feed(card)
        expected = predictor(sent).top
        assert [label for label, _ in bars.top] == [label for label, _ in expected]
        assert [p for _, p in bars.top] == pytest.approx([p for _, p in expected], abs=TOLERANCE)


def test_frames_are_small_and_as_the_camera_sees_them(arrive: Callable[..., Visitor]) -> None:
    page = arrive().page
    heard = Overheard()
    page.route(CARD, heard, times=1)
    start(page)
    is_answered(page)
    pixels = np.asarray(Image.open(io.BytesIO(heard.talk[0][0])))
    assert max(pixels.shape) <= 640
    assert pixels[:, 5].mean() > 200 > pixels[:, -5].mean()  # the band is at the left
    assert "tars-mirrored" in (page.locator("video").get_attribute("class") or "")


def test_never_two_frames_are_on_their_way(arrive: Callable[..., Visitor]) -> None:
    page = arrive().page
    waiting: list[int] = [0]
    most: list[int] = []

    def count(by: int) -> Callable[[Any], None]:
        def act(request: Any) -> None:
            if CARD.search(request.url):
                waiting[0] += by
                most.append(waiting[0])

        return act

    page.on("request", count(1))
    page.on("requestfinished", count(-1))
    start(page)
    is_answered(page, "red")
    is_answered(page, "green")
    assert max(most) == 1


def press_stop(page: Page) -> None:
    page.get_by_role("button", name="Stop").click()


def leave_the_tab(page: Page) -> None:
    page.get_by_role("tab", name="One picture").click()


def hide_the_page(page: Page) -> None:
    page.evaluate("""() => {
      Object.defineProperty(document, "hidden", { value: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }""")


def leave_the_page(page: Page) -> None:
    page.evaluate("window.dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")


def unplug(page: Page) -> None:
    page.evaluate("window.tracks[0].dispatchEvent(new Event('ended'))")


def go_away(page: Page) -> None:
    page.evaluate("() => { const now = Date.now; Date.now = () => now() + 301_000; }")


ENDS: dict[Callable[[Page], None], str] = {
    press_stop: OFF,
    leave_the_tab: "",
    hide_the_page: "The camera went off while this page was out of sight.",
    leave_the_page: OFF,
    unplug: "The camera was disconnected.",
    go_away: "The camera went off after five minutes without you; Start goes on.",
}


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_the_camera_goes_off(arrive: Callable[..., Visitor], end: Callable[[Page], None]) -> None:
    page = arrive().page
    start(page)
    is_answered(page)
    page.wait_for_function(LIVE)
    end(page)
    page.wait_for_function(ENDED)
    assert page.locator("video").evaluate("(video) => video.srcObject") is None
    if ENDS[end]:
        expect(page.locator(".tars-screen .tars-note")).to_have_text(ENDS[end])
        expect(page.get_by_role("button", name="Start the camera")).to_be_visible()


def test_after_a_stop_it_starts_again(arrive: Callable[..., Visitor]) -> None:
    page = arrive().page
    for _ in range(2):
        start(page)
        is_answered(page)
        press_stop(page)
        page.wait_for_function(ENDED)


def test_a_start_that_is_stopped_while_the_browser_asks_leaves_no_camera_on(arrive: Callable[..., Visitor]) -> None:
    slowly = KEEP_TRACKS.replace("const stream =", "await new Promise((go) => (window.allow = go)); const stream =")
    page = arrive(script=slowly).page
    start(page)
    press_stop(page)
    page.evaluate("window.allow()")
    page.wait_for_function(ENDED)
    assert said(page) == OFF


def test_a_full_server_is_asked_again(arrive: Callable[..., Visitor]) -> None:
    page = arrive().page
    refused: list[Route] = []

    def refuse(route: Route) -> None:
        if refused:
            return route.fallback()
        refused.append(route)
        return route.fulfill(status=503, headers={"Retry-After": "1"}, json={"error": "Too many at once."})

    page.route(CARD, refuse)
    start(page)
    is_answered(page)
    assert refused


def test_without_a_model_it_says_so_and_stops(arrive: Callable[..., Visitor]) -> None:
    page = arrive().page
    page.route(CARD, lambda route: route.fulfill(status=404, json={"error": "There is no <b>such</b> model."}))
    start(page)
    page.wait_for_function(ENDED)
    expect(page.locator(".tars-live .tars-answer[data-state=error]")).to_have_text("There is no <b>such</b> model.")


def test_without_a_server_it_gives_up(arrive: Callable[..., Visitor]) -> None:
    page = arrive().page
    page.route(CARD, lambda route: route.abort())
    start(page)
    page.wait_for_function(ENDED)
    expect(page.locator(".tars-live .tars-answer[data-state=error]")).to_have_text("The server cannot be reached.")


def failing(name: str) -> str:
    return f"navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', '{name}'));"


REFUSALS = {
    failing("NotAllowedError"): "allow it beside the address",
    failing("NotFoundError"): "connect one, then start again",
    failing("NotReadableError"): "close the other program",
    failing("TypeError"): "try another browser or camera",
    "Object.defineProperty(navigator, 'mediaDevices', { value: undefined });": "open this page by https",
}


@pytest.mark.parametrize("script", REFUSALS)
def test_where_there_is_no_camera_it_says_what_would_help(arrive: Callable[..., Visitor], script: str) -> None:
    page = arrive(script=script).page
    start(page)
    expect(page.locator(".tars-screen .tars-note")).to_contain_text(REFUSALS[script])
    expect(page.get_by_role("button", name="Start the camera")).to_be_visible()


def test_who_refuses_is_told_how_to_allow(arrive: Callable[..., Visitor], context: BrowserContext) -> None:
    assert context.browser
    page = arrive(context.browser.new_context(locale="en-US")).page
    start(page)
    expect(page.locator(".tars-screen .tars-note")).to_contain_text("allow it beside the address")


TWO_CAMERAS = """
window.wanted = [];
const begin = navigator.mediaDevices.getUserMedia;
navigator.mediaDevices.getUserMedia = ({ video: { deviceId, facingMode } }) => {
  window.wanted.push(deviceId?.exact ?? facingMode.ideal);
  return begin({ video: true });
};
navigator.mediaDevices.enumerateDevices = async () => [
  { kind: "videoinput", deviceId: "front", label: "<b>Front</b>" },
  { kind: "videoinput", deviceId: "back", label: "" },
  { kind: "audioinput", deviceId: "ear", label: "Ear" },
];
"""


def test_of_two_cameras_one_is_chosen(arrive: Callable[..., Visitor]) -> None:
    page = arrive(script=KEEP_TRACKS + TWO_CAMERAS).page
    start(page)
    cameras = page.get_by_role("combobox", name="Camera")
    cameras.select_option(label="Camera 2")
    page.wait_for_function("window.tracks.length === 2")
    is_answered(page)
    assert page.evaluate("window.wanted") == ["environment", "back"]
    assert page.evaluate("window.tracks[0].readyState") == "ended"
    assert cameras.locator("option").all_inner_texts() == ["<b>Front</b>", "Camera 2"]


def test_nothing_of_it_is_stored(arrive: Callable[..., Visitor], uploads: Path) -> None:
    page = arrive().page
    kept = "async () => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, await indexedDB.databases()])"
    before = page.evaluate(kept)
    start(page)
    is_answered(page)
    press_stop(page)
    assert page.evaluate(kept) == before
    assert [path for path in uploads.rglob("*") if path.is_file() and path.suffix != ".lock"] == []
    assert said(page) == OFF
    expect(page.get_by_text("Nothing is stored: frames are answered and forgotten.")).to_be_visible()


def test_screen_readers_hear_changes_alone(arrive: Callable[..., Visitor]) -> None:
    page = arrive().page
    always = (
        page.locator(".tars-live .tars-answer")
        .evaluate("(card) => card.outerHTML")
        .replace('<p class="tars-note">', '<p class="tars-top" data-label="red" data-probability="0.9">')
    )
    page.route(CARD, lambda route: route.fulfill(content_type="text/html", body=always))
    page.evaluate("""() => {
      window.heard = 0;
      new MutationObserver(() => window.heard++).observe(
        document.querySelector(".tars-live .tars-spoken"), { childList: true, characterData: true });
    }""")
    for _ in range(5):
        with page.expect_response(CARD):
            if page.evaluate("window.tracks.length") == 0:
                start(page)
                page.wait_for_function(LIVE)
    is_answered(page)
    assert page.evaluate("window.heard") == 1
    assert page.locator(".tars-live .tars-answer [aria-live]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_can_be_read(arrive: Callable[..., Visitor], scheme: Literal["light", "dark"]) -> None:
    visitor = arrive()
    visitor.page.emulate_media(color_scheme=scheme)
    visitor.page.set_viewport_size({"width": 390, "height": 800})
    start(visitor.page)
    is_answered(visitor.page)
    assert visitor.page.evaluate("document.scrollingElement.scrollWidth") == 390
    press_stop(visitor.page)
    assert visitor.faint_texts() == []
