"""A visitor of the page: real Chromium, driven by Playwright, that hands over pictures and reads answers."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import ConsoleMessage, Locator, Page

from tars_hub.predict import Predictor
from tars_hub.preprocess import Picture

_ALLOWED_ERRORS = (
    "Method not implemented.",  # Gradio, once for each picture shown
    "upload_progress",  # Gradio asks about an upload that is already over: a 404
    "/mcp/schema",  # its page about the endpoint asks for what is switched off: 404s
    "/monitoring/summary",
)
_CUT_OFF = ("AbortError: signal is aborted without reason", "Connection errored out.")  # Gradio's own streams
_TIMEOUT_MS = 30_000  # a busy machine takes a while
TOLERANCE = 1e-4  # of probabilities

# A drop as the browser makes it: a DataTransfer with a File, on the box that takes uploads.
_DROP = """
([data, name, type, event, target]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type }));
  const happening = event === "paste"
    ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true })
    : new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
  document.querySelector(target).dispatchEvent(happening);
}
"""

# Each visible text's contrast with what lies behind it, as WCAG 2 reckons, where it is below 4.5.
_FAINT = """
() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = numbers(colour).map((level) => linear(level / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  const opaque = (colour) => (numbers(colour)[3] ?? 1) === 1;
  const ground = (element) => {
    const colour = getComputedStyle(element).backgroundColor;
    return opaque(colour) || !element.parentElement ? colour : ground(element.parentElement);
  };
  const faint = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    const text = texts.currentNode.data.trim();
    if (!text || !element.checkVisibility() || element.closest("script, style")) continue;
    const [low, high] = [light(getComputedStyle(element).color), light(ground(element))].sort((a, b) => a - b);
    if (high / low < 4.5) faint.push(`${text}: ${(high / low).toFixed(2)}`);
  }
  return faint;
}
"""


@dataclass(frozen=True)
class Shown:
    """What the card says: its state, the exact (label, probability) pairs it carries, and its text."""

    state: str
    top: tuple[tuple[str, float], ...]
    text: str


@dataclass
class Visitor:
    """
    Attributes:
        problems: console errors, uncaught exceptions, dialogs and requests to other machines.
    """

    page: Page
    url: str
    problems: list[str] = field(default_factory=list)
    _expected: tuple[str, ...] = _ALLOWED_ERRORS

    def __post_init__(self) -> None:
        self.page.set_default_timeout(_TIMEOUT_MS)
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.problems.append(f"uncaught: {error}"))
        self.page.on("dialog", lambda dialog: self.problems.append(f"dialog: {dialog.message}"))
        self.page.on("request", lambda request: self._asked(request.url))

    def arrive(self) -> None:
        self.go(self.url)
        self.page.wait_for_selector(".tars-picture input[type=file]", state="attached")
        self.page.wait_for_selector(".tars-header:not(.tars-blank)")  # beside a hub it comes with the model

    def go(self, url: str) -> None:
        with self.leaving():
            self.page.goto(url, wait_until="commit")
        self.page.wait_for_load_state()

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """While the page is left for another: what Gradio says of its streams that this cuts off is no problem."""
        self._expected = (*_ALLOWED_ERRORS, *_CUT_OFF)
        yield
        self._expected = _ALLOWED_ERRORS

    def choose(self, file: Path) -> Shown:
        """Give a file by the box's file dialog."""
        run = self.run()
        self.page.locator(".tars-picture input[type=file]").set_input_files(file)
        return self.answer_after(run)

    def hand(self, file: Path, *, event: str = "drop", mime: str = "image/png") -> Shown:
        """Drop or paste a file; works with a picture already there."""
        run = self.run()
        self.let_go(file, event=event, mime=mime)
        return self.answer_after(run, but="empty")  # Gradio clears the box first

    def let_go(self, file: Path, *, event: str = "drop", mime: str = "image/png") -> None:
        """As `hand`, but wait for nothing."""
        target = ".tars-picture .upload-container" if event == "drop" else "body"
        data = base64.b64encode(file.read_bytes()).decode()
        self.page.evaluate(_DROP, [data, file.name, mime, event, target])

    def take_the_pad(self) -> Shown:
        """Turn from the picture to the pad; the card is that of the drawing from then on."""
        run = self.run()
        self.page.get_by_role("tab", name="Draw").click()
        return self.answer_after(run)

    def stroke(self, *points: tuple[float, float]) -> Shown:
        """Draw on the pad through points, 0..1 from its upper left corner."""
        run = self.run()
        pad = self.page.locator(".tars-pad canvas")
        pad.scroll_into_view_if_needed()  # which waits until it lies still
        box = pad.bounding_box()
        assert box is not None
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*place, steps=5)
        self.page.mouse.up()
        return self.answer_after(run)

    def faint_texts(self) -> list[str]:
        """Texts that are hard to read, with their contrast."""
        faint: list[str] = self.page.evaluate(_FAINT)
        return faint

    def card(self) -> Locator:
        return self.page.locator(".tars-answer:visible")

    def run(self) -> str:
        return self.card().get_attribute("data-run") or ""

    def answer_after(self, run: str, *, but: str = "") -> Shown:
        """Wait for the next answer in another state than `but`; a label being there could be the old one."""
        self.page.wait_for_selector(f".tars-answer:visible:not([data-run='{run}']):not([data-state='{but}'])")
        return self.shown()

    def shown(self) -> Shown:
        rows = self.card().locator("[data-probability]").all()
        top = [
            (row.get_attribute("data-label") or "", float(row.get_attribute("data-probability") or 0)) for row in rows
        ]
        return Shown(self.card().get_attribute("data-state") or "", tuple(top), self.card().inner_text())

    def _heard(self, message: ConsoleMessage) -> None:
        where = f"{message.text} {message.location.get('url', '')}"
        if message.type == "error" and not any(allowed in where for allowed in self._expected):
            self.problems.append(f"console: {where}")

    def _asked(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"data", "blob"} and parts.netloc != urlsplit(self.url).netloc:
            self.problems.append(f"request to another machine: {url}")


def agrees(shown: Shown, predictor: Predictor, picture: Picture) -> None:
    """Check that the page shows what the library answers."""
    expected = predictor(picture)
    assert [label for label, _ in shown.top] == [label for label, _ in expected.top]
    for (_, on_page), (_, in_library) in zip(shown.top, expected.top, strict=True):
        assert on_page == pytest.approx(in_library, abs=TOLERANCE)
