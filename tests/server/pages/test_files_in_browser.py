"""Files and comparisons in a real browser: pictures show, a phone need not scroll sideways, and nothing runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browsers import chromium
from tests.server.rules.weights import file_of, network, with_new_head
from tests.server.running import Site, done, small

if TYPE_CHECKING:
    from playwright.sync_api import Page

LONG = "a-name-without-any-place-to-break-" * 6
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da63fcff9fa11e000782027f"
    "7fb9a5a50000000049454e44ae426082"
)
DRAWING = (
    b"<svg xmlns='http://www.w3.org/2000/svg' width='40' height='30'><script>document.title='owned'</script>"
    b"<rect width='40' height='30' style='fill:red'/></svg>"
)


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with chromium() as browser:
        yield browser.new_page(viewport={"width": 390, "height": 844}, locale="en-US")


@pytest.fixture(scope="module")
def repo(shared: Site) -> str:
    name = shared.create("ann/browser", "ann")
    first = {
        "plot.png": PIXEL,
        "drawing.svg": DRAWING,
        f"{LONG}.txt": b"x" * 3000,
        "wide.csv": b",".join(b"column %d" % at for at in range(40)) + b"\n" + b",".join([b"0.5"] * 40),
        "config.json": b'{"' + LONG.encode() + b'": "' + LONG.encode() + b'"}',
        "metrics.json": b'{"top1": 0.5, "' + LONG.encode() + b'": 1}',
    }
    shared.put(name, "ann", first)
    shared.put_large(name, "ann", "model.safetensors", file_of(network(901) | {LONG: network(1)["fc.bias"]}))
    done(shared.ask("POST", f"/api/models/{name}/tag/main", "ann", json={"tag": "v1"}))
    shared.put_large(name, "ann", "model.safetensors", file_of(with_new_head(network(901))))
    second = {
        "plot.png": PIXEL + b" ",
        "drawing.svg": DRAWING + b" ",
        "config.json": b'{"' + LONG.encode() + b'": 2}',
        "metrics.json": b'{"top1": 0.75, "' + LONG.encode() + b'": 2}',
    }
    lines = [small(path, data) for path, data in second.items()]
    done(shared.commit(name, "ann", *lines, summary=f"{LONG} {LONG}"))
    done(shared.ask("POST", f"/api/models/{name}/discussions", "bob", json={"title": LONG, "description": LONG}))
    return name


PATHS = [
    "tree/main",
    f"blob/main/{LONG}.txt",
    "blob/main/wide.csv",
    "blob/main/plot.png",
    "blob/main/drawing.svg",
    "blob/main/model.safetensors",
    "commits/main",
    "commit/main",
    "compare/v1...main",
    "compare",
    "discussions",
    "discussions/1",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_phone(shared: Site, repo: str, page: Page, path: str) -> None:
    said = list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{shared.url}/{repo}/{path}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert "owned" not in page.title()
    page.evaluate("document.querySelectorAll('img').forEach(each => each.loading = 'eager')")
    page.evaluate("Promise.all([...document.images].map(each => each.decode()))")  # raises for a broken one
    assert said == []


def test_a_drawing_opened_by_its_address_runs_nothing(shared: Site, repo: str, page: Page) -> None:
    with page.expect_download() as download:
        page.evaluate("address => location.assign(address)", f"{shared.url}/{repo}/resolve/main/drawing.svg")
    assert download.value.suggested_filename == "drawing.svg"
    assert page.title() != "owned"


def test_without_a_script(shared: Site, repo: str, page: Page) -> None:
    context = page.context.browser.new_context(java_script_enabled=False)  # type: ignore[union-attr]
    plain = context.new_page()
    plain.goto(f"{shared.url}/{repo}/compare")
    plain.fill("input[name=old]", "v1")
    plain.click("form.choose button")
    plain.wait_for_url("**/compare?old=v1&new=main")
    assert "fc.weight" in plain.content()
    context.close()
