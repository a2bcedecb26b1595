"""Hub and page in one process: `python app.py` as it is started, looked at in a real browser and by an attacker."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, expect

from tars_hub.cli import main
from tars_hub.config import METRICS
from tars_hub.predict import Predictor
from tars_hub.server.settings import Settings
from tars_hub.server.start import first_owner, opened
from tests.checkout import ROOT
from tests.server.hubs import Served, running
from tests.small_model import small
from tests.ui import pictures
from tests.ui.conftest import browser  # noqa: F401  # a fixture
from tests.ui.endpoint import call, upload
from tests.ui.visitor import Visitor, agrees

pytest.importorskip("gradio", reason="the page needs gradio")

WITHIN_S = 60  # for an answer; httpx would wait for 5, and a busy machine takes a while


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return pictures.train_on_colours()


def make_home(folder: Path, predictor: Predictor) -> Path:
    """A folder as the first training leaves it, but with a model that takes no minute."""
    model = folder / "checkpoint" / "digits"
    predictor.model.save_pretrained(model)
    (model / METRICS).parent.mkdir(exist_ok=True)
    (model / METRICS).write_text(json.dumps({"finished": True}))
    examples = folder / "data" / "digits" / "val"
    examples.mkdir(parents=True)
    pictures.save(examples / "leaf.png", "green")
    (folder / "tmp").mkdir()
    return folder


def free_port() -> int:
    """One that nobody else has, whoever runs these tests beside us; of one that is taken it would say a line more."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def app(home: Path) -> Iterator[Served]:
    """`python app.py`, with nothing but its home elsewhere; `url` is the hub's."""
    flags = ["--home", str(home), "--hub-data", str(home / "hub-data"), "--no-browser", "--port", str(free_port())]
    nowhere = "http://127.0.0.1:9"  # a proxy that is not there must not be asked
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "TMPDIR": str(home / "tmp"), "HTTP_PROXY": nowhere}
    for name in ("TARS_MODEL", "SPACE_ID", "TARS_HUB_DATA"):
        environment.pop(name, None)
    command = [sys.executable, str(ROOT / "app.py"), *flags]
    line = r"answers at (\S+)/demo\n[\s\S]*hf upload \S+ FOLDER"
    with running(command, line=line, env=environment, cwd=home) as server:
        yield server


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, predictor: Predictor) -> Path:
    return make_home(tmp_path_factory.mktemp("home"), predictor)


@pytest.fixture(scope="module")
def served(home: Path) -> Iterator[Served]:
    with app(home) as server:
        yield server


@pytest.fixture
def page(served: Served) -> str:
    return f"{served.url}/demo/"


class TestOnePort:
    def test_the_hub_answers_beside_the_page(self, served: Served, page: str) -> None:
        assert served.get("/health").json() == {"status": "ok"}
        assert "text/html" in httpx.get(page, timeout=WITHIN_S).headers["content-type"]
        redirect = served.get("/demo")
        assert (redirect.status_code, redirect.headers["location"]) == (307, "/demo/")

    def test_the_page_and_the_hub_answer_alike(self, served: Served, page: str, tmp_path: Path) -> None:
        picture = pictures.save(tmp_path / "leaf.png", "green").read_bytes()
        asked: dict[str, Any] = {"content": picture, "timeout": WITHIN_S, "trust_env": False}
        answer = httpx.post(f"{served.url}/api/models/owner/digits/predict", **asked).json()
        assert answer["top"] == httpx.post(f"{page}classify", **asked).json()
        assert answer["commit"] == served.get("/api/models/owner/digits").json()["sha"]
        assert served.get("/docs").text.count("<code>/api/models/{namespace}/{name}/predict</code>") == 1

    def test_it_says_where_both_are_and_how_to_push(self, served: Served, home: Path) -> None:
        lines = served.said().splitlines()
        assert f"owner/digits answers at {served.url}/demo" in lines
        assert f"the hub answers at {served.url} (Ctrl-C stops it)" in lines
        assert f"  export HF_ENDPOINT={served.url}" in lines
        assert "  hf upload owner/my-model FOLDER" in lines
        assert lines.count(f"  {(home / 'hub-data' / 'owner-token').read_text().strip()}") == 1
        assert len(lines) == 9  # and nothing else, of the client or of Gradio

    def test_anybody_can_pull_what_the_page_shows(self, served: Served, predictor: Predictor, tmp_path: Path) -> None:
        pulled = Predictor.from_pretrained(
            "owner/digits", endpoint=served.url, token=False, cache_dir=tmp_path / "cache", device="cpu"
        )
        picture = pictures.flat("green")
        assert pulled(picture) == predictor(picture)


class TestBrowser:
    @pytest.fixture
    def visitor(self, browser: BrowserContext, page: str) -> Iterator[Visitor]:  # noqa: F811  # the fixture above
        visitor = Visitor(browser.new_page(), page)
        visitor.arrive()
        yield visitor
        visitor.page.close()
        # Browsers look for an icon at the root, which is the hub's.
        assert [problem for problem in visitor.problems if not problem.endswith("/favicon.ico")] == []

    def test_a_picture_is_answered(self, visitor: Visitor, predictor: Predictor, tmp_path: Path) -> None:
        for colour in ("red", "green"):
            file = pictures.save(tmp_path / f"{colour}.png", colour)
            shown = visitor.choose(file) if colour == "red" else visitor.hand(file)
            assert shown.top[0][0] == colour
            agrees(shown, predictor, file)
            assert "owner/digits · prepare" in shown.text

    def test_what_was_pushed_can_be_tried_at_once(self, visitor: Visitor, served: Served, home: Path) -> None:
        token = (home / "hub-data" / "owner-token").read_text().strip()
        small(("cat", "dog")).push_to_hub("owner/pets", endpoint=served.url, token=token, private=False)
        visitor.go(f"{visitor.url}?model=owner/pets")
        heading = visitor.page.get_by_role("heading", name="owner/pets")
        heading.wait_for()
        shown = visitor.choose(home / "data" / "digits" / "val" / "leaf.png")
        assert {label for label, _ in shown.top} == {"cat", "dog"}
        visitor.page.get_by_role("link", name="All models").click()
        visitor.page.get_by_role("link", name="owner/pets").first.wait_for()

    def test_it_looks_as_it_does_alone(self, visitor: Visitor) -> None:
        expect(visitor.page).to_have_title("owner/digits · Tars Hub")
        assert visitor.faint_texts() == []
        ground = (
            "getComputedStyle(document.querySelector('.gradio-container')).getPropertyValue('--body-background-fill')"
        )
        assert visitor.page.evaluate(ground) == "#faf8f5"
        expect(visitor.page.locator(".tars-examples button")).not_to_have_css("border-radius", "0px")

    def test_an_example_and_a_drawing_are_answered(self, visitor: Visitor) -> None:
        run = visitor.run()
        visitor.page.get_by_role("button", name="Example leaf.png").click()
        assert visitor.answer_after(run).top[0][0] == "green"
        visitor.page.wait_for_function("document.querySelector('.tars-picture img').naturalWidth > 0")
        visitor.take_the_pad()
        expect(visitor.page.locator(".tars-pad canvas")).to_be_visible()
        assert visitor.stroke((0.2, 0.2), (0.8, 0.8)).state in {"ok", "unsure"}

    def test_the_page_about_the_endpoint_opens(self, visitor: Visitor) -> None:
        visitor.page.get_by_role("button", name="Use via API").click()
        visitor.page.get_by_text("/classify").first.wait_for()


# What an attacker would like to read; relative ones are relative to where the server was started.
WANTED = [
    "/etc/passwd",
    "HOME/hub-data/owner-token",
    "HOME/hub-data",
    "HOME/checkpoint/digits/config.json",
    "HOME/data/digits/val/leaf.png",
    "hub-data/owner-token",
    "../../../../../../etc/passwd",
    f"{ROOT}/app.py",
    "/proc/self/environ",
    "UPLOADS",
    "UPLOADS/../../hub-data/owner-token",
]


class TestAttacker:
    @pytest.fixture
    def uploads(self, home: Path) -> Path:
        (folder,) = [path for path in (home / "tmp").glob("tars-uploads-*") if path.is_dir()]
        return folder

    @pytest.fixture(params=WANTED)
    def wanted(self, request: pytest.FixtureRequest, home: Path, uploads: Path) -> str:
        named: str = request.param
        return named.replace("HOME", str(home)).replace("UPLOADS", str(uploads))

    def test_no_file_is_served(self, page: str, wanted: str) -> None:
        for path in (wanted, wanted.replace("/", "%2F"), wanted.replace("..", "%2e%2e")):
            for route in ("gradio_api/file=", "gradio_api/file/", "file=", "static/", "assets/", "svelte/"):
                assert _get(page, f"/demo/{route}{path}").status_code in {403, 404}, (route, path)

    def test_no_file_is_taken_for_an_upload(self, page: str, wanted: str, uploads: Path) -> None:
        before = sorted(uploads.rglob("*"))
        kind, said = call(page, {"path": wanted})
        assert kind == "error"
        if wanted != str(uploads):
            # The same for a file that is there and one that is not, a picture or none.
            assert said == call(page, {"path": "/nowhere/at/all.png"})[1]
        assert sorted(uploads.rglob("*")) == before

    @pytest.mark.parametrize("url", ["http://127.0.0.1:1/x.png", "https://example.com/cat.png", "file:///etc/passwd"])
    def test_no_address_is_fetched(self, page: str, url: str) -> None:
        assert call(page, {"path": url})[0] == "error"
        assert call(page, {"path": "x.png", "url": url})[0] == "error"
        for route in ("file=", "file=%20", "file=/", "proxy=", "file/"):
            assert _get(page, f"/demo/gradio_api/{route}{url}").status_code in {403, 404}

    @pytest.mark.parametrize(
        "route",
        [
            *("GET monitoring", "GET monitoring/summary", "GET gradio_api/runs", "GET gradio_api/deep_link"),
            *("GET gradio_api/startup-events", "GET gradio_api/dev/reload", "GET gradio_api/vibe-code"),
            *("POST gradio_api/run/classify", "POST gradio_api/api/classify", "POST gradio_api/run/predict"),
            *("POST gradio_api/vibe-edit", "POST gradio_api/process_recording", "POST gradio_api/component_server"),
            *(
                "GET gradio_api/custom_component/x/client/component/a.js",
                "GET docs",
                "GET openapi.json",
                "GET mcp/schema",
            ),
            *("POST login", "GET logout", "GET gradio_api/token"),
        ],
    )
    def test_what_the_page_does_not_need_is_closed(self, page: str, route: str) -> None:
        method, _, path = route.partition(" ")
        assert httpx.request(method, page + path, json={"data": [None]}, timeout=WITHIN_S).status_code == 404

    def test_an_upload_cannot_act_as_a_page_of_the_hub(self, page: str, tmp_path: Path) -> None:
        for name in ("evil.html", "evil.svg", "evil.xhtml", "evil.js"):
            file = tmp_path / name
            file.write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
            answer = httpx.get(f"{page}gradio_api/file={upload(page, file)}", timeout=WITHIN_S)
            assert answer.status_code == 200
            assert "sandbox" in answer.headers["content-security-policy"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-type"] == "application/octet-stream"
            assert answer.headers["content-disposition"].startswith("attachment")

    def test_the_place_of_anothers_upload_cannot_be_guessed(self, page: str, tmp_path: Path) -> None:
        file = pictures.save(tmp_path / "private.png", "red")
        assert hashlib.sha256(file.read_bytes()).hexdigest() not in upload(page, file)

    def test_a_file_too_large_is_refused(self, page: str) -> None:
        files = {"files": ("big.png", bytes(65 << 20))}
        answer = httpx.post(f"{page}gradio_api/upload", files=files, timeout=WITHIN_S)
        assert answer.status_code == 413

    def test_settings_hold(self, page: str) -> None:
        config = httpx.get(f"{page}config", timeout=WITHIN_S).json()
        assert (config["root"], config["run_history"]) == (page.rstrip("/"), False)
        assert (config["analytics_enabled"], config["footer_links"]) == (False, ["api"])
        listed = httpx.get(f"{page}gradio_api/info", timeout=WITHIN_S).json()
        assert (list(listed["named_endpoints"]), listed["unnamed_endpoints"]) == (["/classify"], {})


def _get(page: str, raw: str) -> httpx.Response:
    """As it is, where a client would tidy the path before it asks."""
    url = httpx.URL(page).copy_with(raw_path=raw.encode())
    return httpx.get(url, timeout=WITHIN_S)


class TestStarts:
    @pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 0)])
    def test_the_end_is_quick_and_leaves_no_picture(
        self, tmp_path: Path, predictor: Predictor, number: int, code: int
    ) -> None:
        home = make_home(tmp_path, predictor)
        with app(home) as server, httpx.Client(timeout=60) as client:
            page = f"{server.url}/demo/"
            kept = Path(upload(page, pictures.save(tmp_path / "private.png", "red")))
            assert kept.read_bytes()
            with client.stream("GET", f"{page}gradio_api/heartbeat/somebody"):  # as every open page has one
                started = time.monotonic()
                assert server.end(number) == code
                # 2 on a machine that does nothing else, where it takes 8 to come up.
                assert time.monotonic() - started < max(15, 2 * server.came_up_s)
            said = server.said()
        assert list((home / "tmp").iterdir()) == []
        assert "Traceback" not in said
        assert said.endswith(" FOLDER\n")

    def test_a_second_start_makes_no_commit_and_says_no_token(self, tmp_path: Path, predictor: Predictor) -> None:
        home = make_home(tmp_path, predictor)
        tips = []
        for _ in range(2):
            with app(home) as server:
                tips.append(server.get("/api/models/owner/digits").json()["sha"])
                said = server.said()
        assert tips[0] == tips[1]
        assert (home / "hub-data" / "owner-token").read_text().strip() not in said

    def test_a_folder_that_another_hub_serves_is_one_line(
        self, served: Served, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert served.url
        flags = ["--home", str(tmp_path), "--hub-data", str(home / "hub-data"), "--no-browser"]
        assert main(["demo", *flags]) == 2
        said = capsys.readouterr()
        assert str(home / "hub-data") in said.err
        assert said.err.count("\n") == 1
        assert list(tmp_path.iterdir()) == []  # it had not begun to train

    def test_a_lost_token_is_one_line_that_says_what_to_do(
        self, tmp_path: Path, predictor: Predictor, capsys: pytest.CaptureFixture[str]
    ) -> None:
        home = make_home(tmp_path, predictor)
        with opened(Settings(data=home / "hub-data")) as hub:
            first_owner(hub)
        (home / "hub-data" / "owner-token").write_text("hf_of_another_hub\n")
        assert main(["demo", "--home", str(home), "--hub-data", str(home / "hub-data"), "--no-browser"]) == 2
        error = capsys.readouterr().err
        assert "owner-token" in error
        assert "tars hub token create" in error
        assert error.count("\n") == 1


def test_with_a_model_it_is_the_page_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr("tars_hub.demo.show", lambda options, **_: shown.append(options.model) or 0)
    monkeypatch.setattr("tars_hub.together.show", lambda *_, **__: pytest.fail("a hub"))
    assert main(["demo", "--hub-data", "x", "--model", "y"]) == 0
    monkeypatch.setenv("TARS_MODEL", "z")
    assert main(["demo", "--hub-data", "x"]) == 0
    monkeypatch.delenv("TARS_MODEL")
    monkeypatch.setenv("SPACE_ID", "user/space")
    assert main(["demo", "--hub-data", "x"]) == 0
    assert shown == ["y", "z", None]
