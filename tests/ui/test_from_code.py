"""What the page says to copy: taken out of a real browser, run as it stands, and the answers are the library's."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from huggingface_hub import HfApi
from playwright.sync_api import BrowserContext, Page, expect

from tars_hub.predict import Predictor
from tests.browsers import CHROMIUM
from tests.checkout import ROOT
from tests.small_model import small
from tests.ui import pictures
from tests.ui.alone import one_model, page_alone
from tests.ui.house import House, house_with
from tests.ui.visitor import TOLERANCE, Visitor

pytest.importorskip("gradio", reason="the page needs gradio")

from gradio_client import Client, handle_file  # comes with gradio
from gradio_client.exceptions import AppError

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser: {CHROMIUM} is not installed")

NASTY = """it's $(touch x) "quoted" `touch y`"""
BRANCH = "feature/x'y"
LETTERS = tuple("abcdefgh")
HOSTILE = (
    "a'; touch x; '",
    "a\\'$(touch x)`touch x`${HOME}",
    "new\nline\x1b[201~touch x\x9b",
    "a b&revision=evil#%2F+?=*!(){}",
    "turned \u202egpj.txe\u2066 \u200b",
    "\u202e'; touch x; '\\'; touch y; '",
    "日本 é 😀",
    "~root",
    "-flag=x",
)


@dataclass
class Asker:
    """Somebody with an empty folder, a picture in it, and the commands that the lines name."""

    folder: Path
    commands: Path
    environment: dict[str, str]

    def run(self, *command: str | Path) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{command} said:\n{done.stdout}{done.stderr}"
        return done.stdout

    def tops(self, lines: dict[str, str]) -> dict[str, list[tuple[str, float]]]:
        """What each piece answers, as (label, score) pairs, best first."""
        with ThreadPoolExecutor(2) as pool:
            found = {name: pool.submit(self._top, name, text) for name, text in lines.items()}
            return {name: top.result() for name, top in found.items()}

    def _top(self, name: str, text: str) -> list[tuple[str, float]]:
        if name in ("curl", "token"):
            return _pairs(json.loads(self.run("bash", "-c", text)))
        if name == "javascript":
            return _pairs(json.loads(self.run("node", "--input-type=module", "-e", text)))
        if name in ("python", "gradio"):
            said = self.run(sys.executable, "-c", text).strip().splitlines()[-1]  # gradio_client says where it is
            return _pairs(ast.literal_eval(said))
        if name == "library":
            rows = [line.split(" ", 1) for line in self.run(sys.executable, "-c", text).splitlines()]
            return [(label, float(score)) for score, label in rows]
        line = json.loads(self.run("bash", "-c", f"{text} --json"))
        return [(label, score) for label, score in line["top"]]


def _pairs(answer: list[dict[str, Any]]) -> list[tuple[str, float]]:
    return [(each["label"], each["score"]) for each in answer]


@pytest.fixture
def asker(tmp_path: Path) -> Asker:
    folder, commands = tmp_path / "here", tmp_path / "commands"
    folder.mkdir()
    commands.mkdir()
    pictures.save(folder / "picture.jpg", "red")
    write_command(commands / "tars", f'exec "{sys.executable}" -m tars_hub "$@"')
    kept = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(("HF_", "TARS_")) and "PROXY" not in name.upper()
    }
    return Asker(
        folder,
        commands,
        {
            **kept,
            "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HF_HOME": str(tmp_path / "home"),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "LC_ALL": "C.UTF-8",
        },
    )


def write_command(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """With letters on main, other letters on a branch, and a model of ann's own."""
    examples = tmp_path_factory.mktemp("examples")
    pictures.save(examples / "rose.png", "red")
    with house_with(examples, tmp_path_factory.mktemp("uploads")) as house:
        house.push("ann/letters", small(LETTERS))
        api = HfApi(endpoint=house.site.url, token=house.site.tokens["ann"])
        api.create_branch("ann/letters", branch=BRANCH)
        house.push("ann/letters", small(LETTERS[:3]))
        house.push("ann/hidden", small(("x", "y")), private=True)
        yield house


@dataclass(frozen=True)
class Alone:
    url: str
    predictor: Predictor
    folder: Path


@pytest.fixture(scope="module")
def alone(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alone]:
    """A page about a model in a folder with a bad name."""
    folder = tmp_path_factory.mktemp("models") / NASTY
    house.colours.model.save_pretrained(folder)
    with page_alone(one_model(house.colours, NASTY), tmp_path_factory.mktemp("uploads-alone"), mcp=True) as url:
        yield Alone(url, house.colours, folder)


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


def visit(page: Page, url: str) -> Visitor:
    """The tab, with its lines written."""
    visitor = Visitor(page, url)
    visitor.arrive()
    page.get_by_role("tab", name="Use from code").click()
    expect(page.locator("[data-piece=curl] pre")).to_contain_text("curl")
    return visitor


def lines_of(page: Page) -> dict[str, str]:
    """The pieces that are there, by name."""
    found: dict[str, str] = page.evaluate(
        "() => Object.fromEntries([...document.querySelectorAll('[data-piece]')].filter((each) => !each.hidden)"
        ".map((each) => [each.dataset.piece, each.querySelector('pre').textContent]))"
    )
    return found


def agree(tops: dict[str, list[tuple[str, float]]], predictor: Predictor, picture: Path) -> None:
    expected = predictor(picture, top_k=10).top
    for name, top in tops.items():
        assert [label for label, _ in top] == [label for label, _ in expected][: len(top)], name
        assert [score for _, score in top] == pytest.approx([score for _, score in expected][: len(top)], abs=TOLERANCE)
        assert len(top) == len(expected) or name in ("shell", "library"), name  # these show five


@pytest.mark.slow
class TestWhatIsPrintedRuns:
    def test_beside_a_hub_for_the_default_model(self, page: Page, house: House, asker: Asker) -> None:
        visitor = visit(page, house.page)
        lines = lines_of(page)
        assert set(lines) == {"curl", "token", "python", "gradio", "javascript", "shell", "library"}
        assert visitor.problems == []
        del lines["token"]
        agree(asker.tops(lines), house.colours, asker.folder / "picture.jpg")

    def test_for_another_model_and_a_branch_with_a_quote(self, page: Page, house: House, asker: Asker) -> None:
        visit(page, f"{house.page}?model=ann/letters&revision=feature/x%27y")
        lines = lines_of(page)
        assert "gradio" not in lines, "that client cannot name a model"
        del lines["token"]
        assert all("main" not in text for text in lines.values())
        tops = asker.tops(lines)
        agree(
            tops,
            Predictor.from_pretrained("ann/letters", endpoint=house.site.url, revision=BRANCH, device="cpu"),
            asker.folder / "picture.jpg",
        )
        assert {label for label, _ in tops["curl"]} == set(LETTERS)

    def test_alone_for_a_folder_whose_name_is_a_trap(self, page: Page, alone: Alone, asker: Asker) -> None:
        visitor = visit(page, alone.url)
        lines = lines_of(page)
        assert set(lines) == {"curl", "python", "gradio", "javascript", "shell", "library", "mcp"}
        assert lines.pop("mcp") == f"{alone.url}mcp"
        shutil.copytree(alone.folder, asker.folder / NASTY)
        agree(asker.tops(lines), alone.predictor, asker.folder / "picture.jpg")
        assert {path.name for path in asker.folder.iterdir()} == {"picture.jpg", NASTY}
        assert visitor.problems == []

    def test_with_a_token_for_what_is_not_public(self, page: Page, house: House, asker: Asker) -> None:
        token = house.site.tokens["ann:read"]
        page.set_extra_http_headers({"Authorization": f"Bearer {token}"})
        visit(page, f"{house.page}?model=ann/hidden")
        lines = lines_of(page)
        assert token not in str(lines)
        refused = json.loads(asker.run("bash", "-c", lines["curl"]))
        assert refused == {"error": "There is no model ann/hidden here, or it is not open to you."}
        asker.environment["HF_TOKEN"] = token
        tops = asker.tops({name: lines[name] for name in ("token", "shell")})
        assert {name: {label for label, _ in top} for name, top in tops.items()} == {name: {"x", "y"} for name in tops}


class TestNamesOfStrangers:
    def test_a_line_says_a_name_and_does_nothing_else(self, page: Page, house: House, asker: Asker) -> None:
        """In a shell each is one word, in Python one text, in an address one value, and it shows nothing it is not."""
        visit(page, house.page)
        tell = f'exec "{sys.executable}" -c "import json, sys; print(json.dumps(sys.argv[1:]))" "$@"'
        for name in ("curl", "tars"):
            write_command(asker.commands / name, tell)
        for name in HOSTILE:
            lines = turned(page, key="a/b@c", model=f"ann/{name}", revision=name)
            words = {piece: json.loads(asker.run("bash", "-c", lines[piece])) for piece in ("curl", "shell")}
            assert parse_qs(urlsplit(words["curl"][-1]).query) == {"model": [f"ann/{name}"], "revision": [name]}
            assert words["shell"][:3] == ["predict", f"ann/{name}", "picture.jpg"]
            assert words["shell"][3] == f"--revision={name}"
            asker.run("sh", "-c", lines["shell"])  # which may not know how the others write such letters
            texts = [node.value for node in ast.walk(ast.parse(lines["library"])) if isinstance(node, ast.Constant)]
            assert {f"ann/{name}", name} <= set(texts)
            for text in lines.values():
                assert all(letter.isprintable() or letter == "\n" for letter in text), repr(text)
        assert {path.name for path in asker.folder.iterdir()} == {"picture.jpg"}

    def test_alone_a_folder_is_never_a_flag(self, page: Page, alone: Alone) -> None:
        visit(page, alone.url)
        assert turned(page, key="", model="-rf", revision="")["shell"] == "tars predict ./-rf picture.jpg"


def turned(page: Page, *, key: str, model: str, revision: str) -> dict[str, str]:
    """The lines after the head of the page has turned to this model."""
    script = "(names) => Object.assign(document.querySelector('.tars-header').dataset, names)"
    before = lines_of(page)
    page.evaluate(script, {"key": key, "model": model, "revision": revision})
    page.wait_for_function(
        "(before) => document.querySelector('[data-piece=shell] pre').textContent !== before", arg=before["shell"]
    )
    return lines_of(page)


class TestHowItIsUsed:
    def test_a_key_copies(self, page: Page, browser: BrowserContext, alone: Alone) -> None:
        browser.grant_permissions(["clipboard-read", "clipboard-write"])
        visit(page, alone.url)
        page.get_by_role("region", name="Lines: curl").focus()
        page.keyboard.press("Tab")
        button = page.get_by_role("button", name="Copy lines: curl", exact=True)
        expect(button).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("[data-piece=curl] [role=status]")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == lines_of(page)["curl"]

    def test_without_a_clipboard_the_lines_are_marked(self, page: Page, alone: Alone) -> None:
        page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
        page.add_init_script("document.execCommand = () => false")
        visit(page, alone.url)
        page.get_by_role("button", name="Copy lines: Python, asking this page").click()
        expect(page.locator("[data-piece=python] [role=status]")).to_have_text("Marked: press Ctrl+C")
        assert page.evaluate("getSelection().toString()").strip() == lines_of(page)["python"]

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_on_a_phone_the_lines_scroll_and_the_page_does_not(self, page: Page, alone: Alone, scheme: Any) -> None:
        visitor = visit(page, alone.url)
        page.set_viewport_size({"width": 390, "height": 844})
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        wide = page.locator("[data-piece=javascript] pre")
        assert wide.evaluate("(pre) => pre.scrollWidth > pre.clientWidth")
        wide.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("document.activeElement.scrollLeft > 0")
        assert visitor.faint_texts() == []


class TestGradiosEndpoint:
    def test_it_is_the_only_one_and_takes_one_picture(self, alone: Alone) -> None:
        api = Client(alone.url, verbose=False).view_api(return_format="dict")
        assert isinstance(api, dict)
        assert (set(api["named_endpoints"]), api["unnamed_endpoints"]) == ({"/classify"}, {})
        assert len(api["named_endpoints"]["/classify"]["parameters"]) == 1

    def test_its_answer_is_that_of_plain_http(self, alone: Alone, asker: Asker) -> None:
        picture = asker.folder / "picture.jpg"
        answer = Client(alone.url, verbose=False).predict(handle_file(str(picture)), api_name="/classify")
        plain = httpx.post(f"{alone.url}classify", content=picture.read_bytes()).json()
        assert answer == plain
        agree({"gradio": _pairs(answer)}, alone.predictor, picture)

    def test_about_what_is_no_picture_it_says_one_sentence(self, alone: Alone, tmp_path: Path) -> None:
        broken = tmp_path / "broken.png"
        broken.write_bytes(b"\x89PNG no picture")
        with pytest.raises(AppError) as caught:
            Client(alone.url, verbose=False).predict(handle_file(str(broken)), api_name="/classify")
        assert "broken.png" in str(caught.value)
        assert "Traceback" not in str(caught.value)
        assert "\n" not in str(caught.value)
