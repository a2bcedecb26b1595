"""The page as a tool for language models: real clients over HTTP, and whoever else might ask."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest

from tars_hub import admission, cli, demo
from tars_hub.exhibits import Credentials, Exhibit, OneModel, Wanted
from tars_hub.listening import free_port
from tars_hub.predict import Prediction, Predictor
from tests.clients.clients import HERE, HOW, MAIN, executable
from tests.small_model import small
from tests.ui import pictures
from tests.ui.house import House, house_with
from tests.ui.pictures import HOSTILE
from tests.ui.visitor import TOLERANCE

pytest.importorskip("gradio", reason="the page needs gradio")
pytest.importorskip("mcp_types", reason="language models need mcp")

from tars_hub.ui.page import build_page
from tars_hub.ui.serve import page_server

Ask: TypeAlias = Callable[..., httpx.Response]
Shows: TypeAlias = Callable[["Parted"], str]
WITHIN_S = 60
INTERNAL_ERROR = -32603
CLOSED = "There is no model ann/hidden here, or it is not open to you."
OLD = pytest.mark.skipif(not executable("mcp-1"), reason=f"no environment of the client mcp-1; build it: {HOW}")
LATER = "2026-07-28"
# With the protocol's version that each comes to speak.
CLIENTS = [(MAIN, LATER), pytest.param("mcp-1", "2025-11-25", marks=OLD)]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    examples = tmp_path_factory.mktemp("examples")
    pictures.save(examples / "rose.png", "red")
    with house_with(examples, tmp_path_factory.mktemp("uploads"), mcp=True) as house:
        house.push("ann/letters", small(("a", "b", "c")))
        house.push("ann/hidden", small(("x", "y")), private=True)
        yield house


def served(models: Any, house: House, uploads: Path, port: int) -> AbstractContextManager[str]:
    """A page without a hub; gives its address."""
    shown = OneModel(Exhibit(predictor=house.colours, name="colours"))
    build = lambda: build_page(shown, mcp=True)  # noqa: E731
    return page_server(build, models=models, mcp=True, port=free_port("127.0.0.1", port), uploads=uploads)


@pytest.fixture(scope="module")
def alone(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page without a hub."""
    models = OneModel(Exhibit(predictor=house.colours, name="colours"))
    with served(models, house, tmp_path_factory.mktemp("alone"), 18160) as url:
        yield url


@dataclass
class Parted:
    """Models by who asks for them.

    Attributes:
        shown: by model, revision and token.
        meeting: so many ask at once.
    """

    shown: dict[str, Exhibit]
    meeting: threading.Barrier = field(default_factory=lambda: threading.Barrier(1))
    first = None

    def exhibit(self, wanted: Wanted, credentials: Credentials) -> Exhibit:
        self.meeting.wait(WITHIN_S)
        asked = f"{wanted.model}@{wanted.revision} {credentials.token}" if wanted.model else ""
        return self.shown[asked]

    def at_hand(self, _wanted: Wanted, _credentials: Credentials) -> None:
        """Never: each is asked for."""


@dataclass
class Fixed:
    """A batcher that has one answer for all."""

    outcome: Prediction

    def answer(self, _pixels: Any, _top_k: int) -> Prediction:
        return self.outcome


def named(name: str) -> Exhibit:
    return Exhibit(predictor=Predictor(small((f"{name}1", f"{name}2")), device="cpu"), name=name)


@pytest.fixture
def shows(house: House, tmp_path: Path) -> Iterator[Shows]:
    """From models to where language models may ask them."""
    with ExitStack() as stack:
        yield lambda models: f"{stack.enter_context(served(models, house, tmp_path, 18460))}mcp"


def visit(client: str, url: str, *calls: dict[str, Any], token: str = "") -> dict[str, Any]:
    """What a real client finds, as `tests/clients/mcp_client.py` tells it."""
    command = [str(executable(client)), str(HERE / "mcp_client.py")]
    told = json.dumps({"url": url, "token": token, "calls": calls})
    done = subprocess.run(command, input=told, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def call(url: str, method: str, /, headers: dict[str, str] | None = None, **parameters: Any) -> httpx.Response:
    """One message of the older protocol, with nothing before it."""
    message = {"jsonrpc": "2.0", "id": 7, "method": method, "params": parameters}
    return httpx.post(url, json=message, headers=headers, timeout=WITHIN_S)


def call_later(url: str, method: str, /, headers: dict[str, str] | None = None, **parameters: Any) -> httpx.Response:
    """One message of the later protocol, which says in its head and its body what it is."""
    told = {"MCP-Protocol-Version": LATER, "Mcp-Method": method, "Mcp-Name": parameters.get("name", "")}
    meta = {"protocolVersion": LATER, "clientCapabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    parameters["_meta"] = {f"io.modelcontextprotocol/{key}": value for key, value in meta.items()}
    return call(url, method, headers={**told, **(headers or {})}, **parameters)


CALLS = (call, call_later)


def classify(url: str, picture: object, *, ask: Ask = call, **options: Any) -> dict[str, Any]:
    answer = ask(url, "tools/call", name="classify", arguments={"picture": picture}, **options)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()["result"]
    return result


def said(result: dict[str, Any]) -> str:
    """What a language model reads in place of an answer."""
    assert result["isError"] is True
    text: str = result["content"][0]["text"]
    return text


def agrees(result: dict[str, Any], predictor: Predictor, picture: Path) -> None:
    expected = predictor(picture, top_k=10)
    classes = result["structuredContent"]["classes"]
    assert [each["label"] for each in classes] == [label for label, _ in expected.top]
    scores = [score for _, score in expected.top]
    assert [each["score"] for each in classes] == pytest.approx(scores, abs=TOLERANCE)
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"]


@pytest.mark.parametrize(("client", "protocol"), CLIENTS)
class TestRealClients:
    def test_it_finds_one_tool_and_gets_the_librarys_answer(
        self, client: str, protocol: str, alone: str, house: House
    ) -> None:
        rose = house.pictures / "rose.png"
        data = in_base64(rose.read_bytes())
        calls = [
            {"picture": data},
            {"picture": f"data:image/png;base64,{data}"},
            {"picture": "no base64!"},
            {"picture": in_base64(b"no picture")},
            {"picture": f"{alone}picture.png"},
            {},
        ]
        found = visit(client, f"{alone}mcp", *calls)
        assert (found["server"], [tool["name"] for tool in found["tools"]]) == ("tars-hub", ["classify"])
        assert found["protocol"] == protocol
        good, as_url, no_base64, no_picture, address, nothing = found["answers"]
        agrees(good, house.colours, rose)
        agrees(as_url, house.colours, rose)
        assert said(no_base64).startswith("The picture is no base64:")
        assert said(no_picture).startswith("The picture cannot be read: ")
        assert said(address).startswith("Addresses are not fetched:")
        assert "base64" in nothing["refused"]

    def test_the_address_names_the_model_and_the_token_opens_it(self, client: str, protocol: str, house: House) -> None:
        del protocol
        picture = {"picture": in_base64((house.pictures / "rose.png").read_bytes())}
        letters = visit(client, f"{house.page}mcp?model=ann/letters&revision=main", picture)["answers"][0]
        assert {each["label"] for each in letters["structuredContent"]["classes"]} == {"a", "b", "c"}
        hidden = f"{house.page}mcp?model=ann/hidden"
        refused = [visit(client, hidden, picture, token=token) for token in ("", house.site.tokens["bob"])]
        assert [said(each["answers"][0]) for each in refused] == [CLOSED, CLOSED]
        owner = visit(client, hidden, picture, token=house.site.tokens["ann:read"])["answers"][0]
        assert {each["label"] for each in owner["structuredContent"]["classes"]} == {"x", "y"}


class TestWhatItSays:
    def test_the_tool_holds_nothing_of_strangers(self, alone: str) -> None:
        """What stands in a tool a language model takes for instructions."""
        told = call(f"{alone}mcp", "tools/list").json()["result"]["tools"]
        assert len(told) == 1
        assert HOSTILE not in json.dumps(told)
        assert "colours" not in json.dumps(told)
        assert told[0]["inputSchema"]["required"] == ["picture"]
        assert "url" not in told[0]["inputSchema"]["properties"]["picture"]["description"].replace("data URL", "")

    def test_a_client_is_told_the_version_it_asks_for_or_the_newest(self, alone: str) -> None:
        client = {"name": "test", "version": "1"}
        for asked, given in (("2024-11-05", "2024-11-05"), ("2025-06-18", "2025-06-18"), ("1999-01-01", "2025-11-25")):
            answer = call(f"{alone}mcp", "initialize", protocolVersion=asked, capabilities={}, clientInfo=client)
            assert (answer.json()["id"], answer.json()["result"]["protocolVersion"]) == (7, given)
            assert "mcp-session-id" not in answer.headers
        assert LATER in call_later(f"{alone}mcp", "server/discover").json()["result"]["supportedVersions"]

    def test_it_answers_where_clients_of_gradios_pages_ask(self, alone: str, house: House) -> None:
        for address in (f"{alone}gradio_api/mcp/", f"{house.page}gradio_api/mcp", f"{house.page}mcp/"):
            assert call(address, "ping").json() == {"jsonrpc": "2.0", "id": 7, "result": {}}

    def test_a_notification_has_no_answer(self, alone: str) -> None:
        answer = httpx.post(f"{alone}mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert (answer.status_code, answer.content) == (202, b"")

    @pytest.mark.parametrize("version", ["2025-11-25", LATER])
    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b"[" * 100_000,
            b"\xff\xfe\x00",
            b"[]",
            b'{"id": 1, "method": "ping"}',
            b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": [1]}',
            b'{"jsonrpc": "2.0", "id": 1, "method": {"a": 1}}',
            b'{"jsonrpc": "2.0", "id": "\\ud800", "method": "\\ud800"}',
            b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "rm", "arguments": {}}}',
            b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "classify"}}',
        ],
    )
    def test_what_is_no_message_gets_an_error_and_no_stack(self, alone: str, body: bytes, version: str) -> None:
        head = {"Content-Type": "application/json", "MCP-Protocol-Version": version}
        answer = httpx.post(f"{alone}mcp", content=body, headers=head)
        assert answer.status_code in (200, 400)
        assert answer.json()["error"]["code"] in range(-32799, -31999)
        assert "Traceback" not in answer.text

    @pytest.mark.parametrize("ask", CALLS)
    def test_an_answer_is_kept_nowhere_and_taken_for_nothing_else(self, alone: str, ask: Ask) -> None:
        head = ask(f"{alone}mcp", "tools/list").headers
        assert (head["content-type"], head["cache-control"]) == ("application/json", "no-store")
        assert head["x-content-type-options"] == "nosniff"

    @pytest.mark.parametrize("ask", CALLS)
    def test_what_is_no_number_and_half_a_letter_are_answered(self, house: House, shows: Shows, ask: Ask) -> None:
        odd = Prediction(label="\ud800", probability=float("nan"), top=(("\ud800", float("nan")),))
        exhibit = Exhibit(predictor=house.colours, name="colours")
        url = shows(Parted({"": replace(exhibit, batcher=Fixed(odd))}))  # type: ignore[arg-type]  # it stands in
        result = classify(url, in_base64((house.pictures / "rose.png").read_bytes()), ask=ask)
        assert result["structuredContent"] == {"classes": [{"label": "?", "score": None}], "declined": False}


class TestManyAtOnce:
    @pytest.mark.parametrize("ask", CALLS)
    def test_two_callers_are_not_mixed(self, house: House, shows: Shows, ask: Ask) -> None:
        """Their messages have the same number, and both are being answered when either is."""
        names = {f"{name}@v-{name} {name}-token": name for name in ("ann", "bob")}
        models = Parted({key: named(name) for key, name in names.items()}, meeting=threading.Barrier(2))
        url, data = shows(models), in_base64((house.pictures / "rose.png").read_bytes())

        def asked_by(name: str) -> dict[str, Any]:
            head = {"Authorization": f"Bearer {name}-token"}
            return classify(f"{url}?model={name}&revision=v-{name}", data, ask=ask, headers=head)

        with ThreadPoolExecutor(2) as both:
            for name, result in zip(names.values(), both.map(asked_by, names.values()), strict=True):
                assert {each["label"] for each in result["structuredContent"]["classes"]} == {f"{name}1", f"{name}2"}

    @pytest.mark.parametrize("ask", CALLS)
    def test_who_would_wait_for_long_is_told_so(
        self, house: House, shows: Shows, ask: Ask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(admission, "_LOADING_S", 0.0)
        url = shows(Parted({"": Exhibit(predictor=house.colours, name="colours")}))
        assert said(classify(url, "", ask=ask)) == "The model is still being opened; try again soon."

    def test_the_pages_end_is_theirs(self, house: House, tmp_path: Path) -> None:
        asked, gate = threading.Event(), threading.Event()

        class Slow(OneModel):
            def exhibit(self, wanted: Wanted, credentials: Credentials) -> Exhibit:
                asked.set()
                assert gate.wait(WITHIN_S)
                return super().exhibit(wanted, credentials)

            def at_hand(self, _wanted: Wanted, _credentials: Credentials) -> None:  # type: ignore[override]
                """Never: each is asked for."""

        models = Slow(Exhibit(predictor=house.colours, name="colours"))
        try:
            with ThreadPoolExecutor(1) as one:
                with served(models, house, tmp_path, 18360) as url:
                    answer = one.submit(call, f"{url}mcp", "tools/call", name="classify", arguments={"picture": ""})
                    assert asked.wait(WITHIN_S)
                assert answer.result().json()["error"]["code"] == INTERNAL_ERROR
        finally:
            gate.set()


class TestWhoMayAsk:
    def test_nobody_where_it_was_not_asked_for(
        self, tmp_path: Path, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "tars_hub.ui.mcp", None)  # not even where it cannot be had
        models = OneModel(Exhibit(predictor=house.colours, name="colours"))
        port = free_port("127.0.0.1", 18260)
        with page_server(lambda: build_page(models), models=models, port=port, uploads=tmp_path) as url:
            answers = [call(f"{url}{address}", "tools/list") for address in ("mcp", "gradio_api/mcp/")]
            assert [answer.status_code for answer in answers] == [404, 404]

    def test_no_page_of_a_browser_and_no_other_name(self, alone: str) -> None:
        """Neither another site's page, nor one that had its name mean this machine (DNS rebinding)."""
        evil = {"Origin": "http://evil.example:7860"}
        statuses = [
            call(f"{alone}mcp", "tools/list", headers=headers).status_code
            for headers in (
                evil,
                {"Sec-Fetch-Site": "cross-site"},
                {"Host": "evil.example"},
                {**evil, "Host": "evil.example"},
            )
        ]
        assert statuses == [403, 403, 421, 421]

    def test_there_is_no_stream_to_listen_to(self, alone: str) -> None:
        for method in ("GET", "DELETE"):
            answer = httpx.request(method, f"{alone}mcp", headers={"Accept": "text/event-stream"})
            assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        both = {"Accept": "application/json, text/event-stream"}
        for ask in CALLS:
            answer = ask(f"{alone}mcp", "subscriptions/listen", headers=both, notifications={"toolsListChanged": True})
            assert answer.json()["error"]["code"] == -32601

    def test_a_picture_that_is_too_large_is_not_read(self, alone: str) -> None:
        answer = call(f"{alone}mcp", "tools/call", name="classify", arguments={"picture": "A" * (25 << 20)})
        assert (answer.status_code, answer.text) == (413, "Request body too large")

    def test_the_other_alphabet_and_broken_lines_are_base64_too(self, alone: str, house: House) -> None:
        rose = house.pictures / "rose.png"
        text = base64.urlsafe_b64encode(rose.read_bytes()).decode().rstrip("=")
        agrees(
            classify(f"{alone}mcp", "\n".join(text[at : at + 76] for at in range(0, len(text), 76))),
            house.colours,
            rose,
        )


class TestTheFlag:
    def test_it_is_off_until_a_flag_or_a_spaces_variable_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        shown: list[bool] = []
        monkeypatch.setattr("tars_hub.demo.show", lambda options, **_: shown.append(options.mcp) or 0)
        monkeypatch.delenv("TARS_MCP", raising=False)
        command = ["demo", "--model", "somebody/something", "--no-browser"]
        assert cli.main(command) == cli.main([*command, "--mcp"]) == 0
        for value in ("1", "0", ""):
            monkeypatch.setenv("TARS_MCP", value)
            assert cli.main(command) == 0
        assert shown == [False, True, True, False, False]

    @pytest.mark.parametrize("by", ["flag", "variable"])
    def test_without_the_package_one_line_says_how_to_get_it(
        self, by: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("tars_hub.demo.show", lambda *_, **__: pytest.fail("it was begun"))
        monkeypatch.setattr("tars_hub.cli.find_spec", lambda _: None)
        monkeypatch.setenv("TARS_MCP", str(int(by == "variable")))
        assert cli.main(["demo", "--model", "somebody/something", *(["--mcp"] if by == "flag" else [])]) == 2
        told = capsys.readouterr().err
        assert "pip install 'tars-hub[mcp]'" in told
        assert told.count("\n") == 1

    def test_the_page_calls_a_folder_by_its_name_and_a_repository_by_its_id(
        self, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As the lines to copy need it."""
        names: list[str] = []
        monkeypatch.setattr("tars_hub.demo.Predictor.from_pretrained", lambda *_, **__: house.colours)
        monkeypatch.setattr("tars_hub.demo._serve", lambda _options, name, *_: names.append(name))
        (tmp_path / "mine").mkdir()
        monkeypatch.chdir(tmp_path / "mine")
        for model in (str(tmp_path / "mine"), ".", "somebody/something"):
            demo.show(demo.Options(model=model), say=print)
        assert names == ["mine", "mine", "somebody/something"]
