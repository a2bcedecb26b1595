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
from tars_hub.ui.serve import free_port, page_server
from tars_hub.ui.uploads import upload_folder

HOST = "127.0.0.1"


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


class TestFreePort:
    def test_a_free_port_is_kept(self, taken: int) -> None:
        port = free_port(HOST, taken + 1)
        assert free_port(HOST, port) == port

    def test_a_taken_one_gives_the_next(self, taken: int) -> None:
        assert taken < free_port(HOST, taken) <= taken + 5

    def test_the_last_port_has_no_next(self) -> None:
        with socket.create_server((HOST, 65535)), pytest.raises(UsageError, match=r"port 65535 .* taken"):
            free_port(HOST, 65535)

    @pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid"])
    def test_a_foreign_host_is_refused(self, host: str) -> None:
        with pytest.raises(UsageError, match=f"cannot listen on {host}, port 7860"):
            free_port(host, 7860)


class TestUploadFolder:
    def test_it_is_private_and_goes(self, tmp_path: Path) -> None:
        with upload_folder(tmp_path) as folder:
            assert folder.parent == tmp_path
            assert folder.stat().st_mode & 0o777 == 0o700
            (folder / "picture.png").write_bytes(b"private")
        assert list(tmp_path.iterdir()) == []

    def test_it_goes_after_an_error_too(self, tmp_path: Path) -> None:
        with pytest.raises(KeyError), upload_folder(tmp_path):
            raise KeyError
        assert list(tmp_path.iterdir()) == []

    def test_the_next_removes_what_a_killed_one_left(self, tmp_path: Path) -> None:
        left = tmp_path / "tars-uploads-0123"
        left.mkdir()
        (left / "picture.png").write_bytes(b"private")
        left.with_name("tars-uploads-0123.lock").touch()
        with upload_folder(tmp_path):
            assert not left.exists()
        assert list(tmp_path.iterdir()) == []

    def test_that_of_a_living_one_stays(self, tmp_path: Path) -> None:
        with upload_folder(tmp_path) as first:
            with upload_folder(tmp_path) as second:
                assert first.is_dir()
                assert first != second
            assert first.is_dir()

    def test_a_link_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "tars-uploads-link").symlink_to(tmp_path / "elsewhere")
        with upload_folder(tmp_path):
            assert (tmp_path / "elsewhere").is_dir()


# A page without a model; the test gives it the folder for uploads.
_SCRIPT = """
import signal, sys
from pathlib import Path
from tars_hub.ui.serve import free_port, page_server, wait_until_interrupted

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
        said, complained = self.process.communicate(timeout=20)
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
        with upload_folder(one.uploads):
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

    def test_a_file_too_large_is_refused(self, address: str) -> None:
        answer = httpx.post(f"{address}gradio_api/upload", files={"files": ("big.png", bytes(65 << 20))})
        assert answer.status_code == 413


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
