"""Visitors in front of the tab "Many pictures": what they choose and press, and what the table says to them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from tests.ui.visitor import Visitor

ROW = re.compile(r"/row\b")
HOSTILE = '<img src=x onerror="alert(1)">${1+1}.png'
COLUMNS = ["file", "label", "probability", "second", "second_probability", "status", "model", "commit"]


@contextmanager
def arriving(browser: BrowserContext, url: str) -> Iterator[Callable[..., Page]]:
    """Gives what brings each, to a page of their own; at the end the console was clean."""
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
