"""The server's beginning and end: ports, settings, and the folder of uploads however the process ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tars_hub.errors import UsageError
from tars_hub.listening import free_port, listening
from tars_hub.private_folder import private_folder
from tars_hub.ui.serve import page_server

HOST = "127.0.0.1"


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


# A page without a model; the test gives it the folder for uploads.
_SCRIPT = """
import signal, sys
from pathlib import Path
from tars_hub.listening import free_port, listening
from tars_hub.ui.serve import page_server, wait_until_interrupted

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are started deaf to it

def build():
    import gradio as gr
    with gr.Blocks() as page:
        gr.Image()
    return page.queue(api_open=False)

with page_server(build, port=free_port("127.0.0.1", int(sys.argv[2])), uploads=Path(sys.argv[1])) as url:
    print(url, flush=True)
    wait_until_interrupted()
print("ended", flush=True)
"""


class _Served:
    """The script above as a process of its own, with a picture uploaded to it."""

    def __init__(self, uploads: Path, port: int) -> None:
        self.uploads = uploads
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SCRIPT, str(uploads), str(port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"},
        )

    def upload(self) -> Path:
        assert self.process.stdout is not None
        url = self.process.stdout.readline().strip()
        answer = httpx.post(f"{url}gradio_api/upload", files={"files": ("cat.png", b"private")}, trust_env=False)
        return Path(answer.json()[0])

    def end(self, number: int) -> tuple[int, str, str]:
        self.process.send_signal(number)
        said, complained = self.process.communicate(timeout=120)
        return self.process.returncode, said, complained


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, _Served]]:
    """A server for each signal, started at once for the sake of time."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
    started = {one: _Served(tmp_path_factory.mktemp("uploads"), 17900 + 10 * one) for one in signals}
    yield started
    for one in started.values():
        one.process.kill()
        one.process.communicate()


class TestEnds:
    @pytest.mark.parametrize(("number", "code", "said"), [(signal.SIGINT, 0, "ended\n"), (signal.SIGTERM, 143, "")])
    def test_a_signal_leaves_no_picture(self, served: dict[int, _Served], number: int, code: int, said: str) -> None:
        one = served[number]
        picture = one.upload()
        assert picture.read_bytes() == b"private"
        assert one.uploads in picture.parents
        assert one.end(number) == (code, said, "")
        assert list(one.uploads.iterdir()) == []

    def test_what_a_killed_one_left_goes_at_the_next_start(self, served: dict[int, _Served]) -> None:
        one = served[signal.SIGKILL]
        picture = one.upload()
        one.end(signal.SIGKILL)
        assert picture.exists()
        with private_folder("tars-uploads-", one.uploads):
            assert not picture.exists()


class TestPageServer:
    @pytest.fixture
    def address(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
        monkeypatch.setenv("GRADIO_SHARE", "True")  # what stands in the environment opens nothing to the world
        monkeypatch.setenv("GRADIO_TEMP_DIR", "/elsewhere")
        here, uploads = tmp_path / "here", tmp_path / "uploads"
        here.mkdir()
        uploads.mkdir()
        monkeypatch.chdir(here)
        with page_server(_blank_page, port=free_port(HOST, 17950), uploads=uploads) as url:
            yield url
        assert os.environ["GRADIO_TEMP_DIR"] == "/elsewhere"
        assert [*here.iterdir(), *uploads.iterdir()] == []  # nothing stays, nor is written where it was started

    def test_settings_hold(self, address: str) -> None:
        config = httpx.get(f"{address}config").json()
        assert config["analytics_enabled"] is False
        assert config["run_history"] is False
        assert config["footer_links"] == ["api"]
        assert httpx.get(f"{address}monitoring").status_code in {403, 404}

    def test_nothing_is_asked_of_other_machines(self, address: str) -> None:
        page = httpx.get(address).text
        loaded = re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"(https?://[^\"]+)", page)
        assert [url for url in loaded if not url.startswith(address)] == []

    @pytest.mark.parametrize(
        "route",
        [
            *("GET monitoring", "GET gradio_api/startup-events", "GET gradio_api/runs", "POST gradio_api/run/predict"),
            *("POST gradio_api/component_server", "GET docs", "GET openapi.json", "POST login", "POST classify"),
        ],
    )
    def test_what_the_page_does_not_need_is_closed_as_beside_a_hub(self, address: str, route: str) -> None:
        method, _, path = route.partition(" ")
        assert httpx.request(method, address + path, json={"data": []}).status_code == 404

    def test_pages_of_other_sites_ask_nothing(self, address: str) -> None:
        for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 422)):
            headers = {"Sec-Fetch-Site": site}
            assert httpx.post(f"{address}gradio_api/queue/join", json={}, headers=headers).status_code == status

    def test_on_this_machine_alone_it_answers_to_no_other_name(self, address: str) -> None:
        for name, status in (("localhost:1", 200), ("127.0.0.1", 200), ("evil.example", 421), ("0.0.0.0", 421)):  # noqa: S104
            for path in ("", "config", "assets/none", "gradio_api/info"):
                answer = httpx.get(address + path, headers={"Host": name})
                assert (answer.status_code == 421) == (status == 421)
        assert "--host 0.0.0.0" in httpx.get(address, headers={"Host": "evil.example"}).text

    def test_a_file_too_large_is_refused(self, address: str) -> None:
        answer = httpx.post(f"{address}gradio_api/upload", files={"files": ("big.png", bytes(65 << 20))})
        assert answer.status_code == 413


class TestElsewhere:
    def test_in_a_space_it_has_the_address_that_visitors_see(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Behind a proxy that speaks https, reached from outside by a name that nobody here knows."""
        for name, value in (("SPACE_ID", "ann/space"), ("GRADIO_SERVER_NAME", "0.0.0.0"), ("SYSTEM", "spaces")):  # noqa: S104
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("GRADIO_SSR_MODE", "True")  # as Spaces have it
        host = "0.0.0.0"  # noqa: S104  # as Spaces have it
        with page_server(_blank_page, host=host, port=free_port(host, 17970), uploads=tmp_path) as url:
            headers = {"Host": "ann-space.hf.space", "X-Forwarded-Proto": "https", "X-Forwarded-For": "9.9.9.9"}
            for more in ({}, {"X-Forwarded-Host": "ann-space.hf.space"}):
                page = httpx.get(url, headers={**headers, **more})
                assert page.status_code == 200
                assert "http://" not in page.text.replace("http://www.w3.org", "")
                config = httpx.get(f"{url}config", headers={**headers, **more}).json()
                assert config["root"] == "https://ann-space.hf.space"
            assert httpx.post(f"{url}gradio_api/queue/join", json={}, headers=headers).status_code == 422

    def test_ipv6(self, tmp_path: Path) -> None:
        try:
            port = free_port("::1", 17980)
        except UsageError:
            pytest.skip("this machine has no IPv6")
        with page_server(_blank_page, host="::1", port=port, uploads=tmp_path) as url:
            assert url == f"http://[::1]:{port}/"
            assert httpx.get(f"{url}config").json()["root"] == url.rstrip("/")

    def test_a_browser_is_opened_once_there_is_a_page(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[int] = []
        monkeypatch.setattr("webbrowser.open", lambda url: seen.append(httpx.get(url).status_code))
        port = free_port(HOST, 17990)
        with page_server(_blank_page, port=port, open_browser=True, uploads=tmp_path):
            pass
        assert seen == [200]

    def test_what_was_left_is_gone_before_anybody_can_ask(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        left = tmp_path / "tars-uploads-left"
        left.mkdir()
        there: list[bool] = []

        def listening_late(host: str, port: int) -> Any:
            there.append(left.exists())
            return listening(host, port)

        monkeypatch.setattr("tars_hub.ui.serve.listening", listening_late)
        with page_server(_blank_page, port=free_port(HOST, 18010), uploads=tmp_path):
            pass
        assert there == [False]


def test_a_port_taken_meanwhile_is_an_error_of_ours(taken: int, tmp_path: Path) -> None:
    server = page_server(_blank_page, port=taken, uploads=tmp_path)
    with pytest.raises(UsageError, match=f"port {taken} is taken on 127.0.0.1"), server:
        pass
    assert list(tmp_path.iterdir()) == []


def _blank_page() -> Any:
    gr = pytest.importorskip("gradio", reason="the page needs gradio")
    with gr.Blocks() as page:
        gr.HTML("")
    return page
