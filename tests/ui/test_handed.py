"""What anybody may hand to the page's private handlers, and what comes of it: nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tars_hub.exhibits import Exhibit, OneModel
from tests.ui import pictures
from tests.ui.endpoint import upload

pytest.importorskip("gradio", reason="the page needs gradio")

from gradio import processing_utils  # only where it is there

from tars_hub.ui.serve import page_server

_FILE = {"_type": "gradio.FileData"}
ADDRESS = {"path": "http://192.0.2.1/picture.png", "meta": _FILE}


class Stranger:
    """Calls handlers by their names, with anything."""

    def __init__(self, url: str, page: Any) -> None:
        self.url, self.page, self.asked = url, page, 0

    def ask(self, name: str, *data: Any, session: str = "", **more: Any) -> tuple[bool, str]:
        """Whether it was answered, and what."""
        self.asked += 1
        session = session or f"stranger{self.asked}"
        numbers = {each["api_name"]: each["id"] for each in httpx.get(f"{self.url}config").json()["dependencies"]}
        body = {"data": data, "fn_index": numbers[name], "session_hash": session, **more}
        httpx.post(f"{self.url}gradio_api/queue/join", json=body).raise_for_status()
        lines = httpx.get(f"{self.url}gradio_api/queue/data", params={"session_hash": session}).text.splitlines()
        said = next(json.loads(line.removeprefix("data: ")) for line in lines if "process_completed" in line)
        return said["success"], json.dumps(said["output"])


@contextmanager
def _served(uploads: Path) -> Iterator[Stranger]:
    made: list[Any] = []

    def build() -> Any:
        from tars_hub.ui.page import build_page

        made.append(build_page(models))
        return made[0]

    models = OneModel(Exhibit(predictor=pictures.train_on_colours(), name="colours"))
    with page_server(build, models=models, port=0, uploads=uploads) as url:
        yield Stranger(url, made[0])


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stranger]:
    with _served(tmp_path_factory.mktemp("uploads")) as stranger:
        yield stranger


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A picture of this machine's owner."""
    return pictures.save(tmp_path / "own.png", "red")


def test_no_file_of_the_machine_is_read_whatever_it_is_called(stranger: Stranger, own: Path) -> None:
    sent = {"path": upload(stranger.url, own)}
    aside = f"{Path(sent['path']).parent}/../../../{own}"
    for handler, rest in (
        ("answer", [None, "picture", "", 5]),
        ("look", [None, "picture", "", True]),
        ("classify", []),
    ):
        answered, said = stranger.ask(handler, sent, *rest)
        assert answered, said
        for path in (str(own), aside, f"http://x/../{own}", "/dev/zero", "\0"):
            for more in ({}, {"meta": _FILE}, {"meta": _FILE, "is_stream": True}):
                answered, said = stranger.ask(handler, {"path": path, **more}, *rest)
                assert not answered, (handler, path, more)
                assert "image/" not in said


def test_no_address_is_fetched_in_whatever_input_it_stands(stranger: Stranger, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []

    async def fetch(url: str, **_: Any) -> str:
        fetched.append(url)
        raise OSError(url)

    monkeypatch.setattr(processing_utils, "async_ssrf_protected_download", fetch)
    usual = [None, None, "picture", "", 5]
    for place in range(len(usual)):
        for value in (ADDRESS, [ADDRESS], {"deep": {"er": ADDRESS}}):
            answered, _ = stranger.ask("answer", *usual[:place], value, *usual[place + 1 :])
            assert not answered
    assert fetched == []


def test_what_was_handed_in_is_not_kept(stranger: Stranger) -> None:
    mark = "a drawing that nobody should find again"
    answered, said = stranger.ask("answer", None, f"data:image/png;base64,{mark}", "draw", "", 5, session="someone")
    assert answered, said
    kept = stranger.page.state_holder.session_data["someone"]
    assert mark not in repr(kept.config_values)
    long = stranger.ask("answer", None, None, "picture", "x" * 2000, 5)
    assert not long[0]
