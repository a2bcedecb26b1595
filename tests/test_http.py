"""Answers over plain HTTP beside a real hub: what they say, to whom, and what strangers cannot make of it."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from huggingface_hub import InferenceClient

from tars_hub import admission, bodies
from tars_hub.batching import Batcher
from tars_hub.beside import NearDoor, predicting
from tars_hub.hub_models import HubModels, Limits
from tars_hub.listening import address_of, listening, serving
from tars_hub.predict import Prediction, Predictor
from tars_hub.quiet import cv2
from tars_hub.server.app import create_app
from tars_hub.server.hub import Hub
from tars_hub.server.rules.access import Action
from tests.checkout import ROOT
from tests.hub_with_models import hub_in_folder, hub_of_two, push, two_models, wait_until_counted
from tests.server.rules.crowd import MAY, NO_TOKENS, STATES, Crowd, crowd
from tests.server.running import Site, done
from tests.small_model import CLASSES, held, small

WITHIN_S = 60
PREDICT = "/api/models/ann/animals/predict"
CLOSED = {"error": "There is no model ann/secret here, or it is not open to you."}


@contextmanager
def beside(hub: Hub, *, names: frozenset[str] | None = None) -> Iterator[str]:
    """The address of the same hub once more, which answers about pictures."""
    with listening("127.0.0.1", 0) as listener:
        url = address_of(listener)
        models = HubModels(NearDoor(hub, url), "", device="cpu", limits=Limits(models=8))
        with serving(create_app(hub, additions=[predicting(models)], names=names), listener):
            yield url


@pytest.fixture(scope="module")
def hub() -> Iterator[Site]:
    with hub_of_two() as running, two_models(running):
        yield running


@pytest.fixture(scope="module")
def url(hub: Site) -> Iterator[str]:
    with beside(hub.hub) as found:
        yield found


@pytest.fixture(scope="module")
def own(hub: Site, url: str) -> Predictor:
    """The same model by the library alone."""
    del url
    with tempfile.TemporaryDirectory() as cache:
        return Predictor.from_pretrained("ann/animals", endpoint=hub.url, token=False, cache_dir=cache, device="cpu")


def picture(seed: int = 0) -> bytes:
    """A PNG of 60 x 80 px, of its own for each seed."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return bytes(cv2.imencode(".png", cv2.resize(noise, (80, 60)))[1].tobytes())


def ask(url: str, content: Any, *, token: str = "", **options: Any) -> httpx.Response:
    headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **options.pop("headers", {})}
    return httpx.post(url, content=content, headers=headers, timeout=WITHIN_S, trust_env=False, **options)


class TestAnswers:
    def test_it_says_what_the_library_does(self, hub: Site, url: str, own: Predictor) -> None:
        answer = ask(url + PREDICT, picture())
        expected, said = own(picture()), answer.json()
        assert (said["label"], said["declined"]) == (expected.label, expected.declined)
        assert said["probability"] == pytest.approx(expected.probability, abs=1e-4)
        assert [each["label"] for each in said["top"]] == [label for label, _ in expected.top]
        assert [each["score"] for each in said["top"]] == pytest.approx([each for _, each in expected.top], abs=1e-4)
        assert (said["model"], said["commit"]) == ("ann/animals", hub.get("/api/models/ann/animals").json()["sha"])
        assert (answer.headers["cache-control"], answer.headers["content-type"]) == ("no-store", "application/json")

    def test_curl_needs_no_more_than_the_file(self, url: str, tmp_path: Path) -> None:
        (tmp_path / "rose.png").write_bytes(picture())
        command = ["curl", "-sS", "--fail", "--data-binary", "@rose.png", f"{url}{PREDICT}?top_k=1"]
        said = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
        assert said.count('"score"') == 1

    def test_the_stock_client_of_inference_reads_the_list(self, url: str, own: Predictor) -> None:
        found = InferenceClient().image_classification(picture(), model=f"{url}{PREDICT}?format=list")
        assert [each.label for each in found] == [label for label, _ in own(picture()).top]

    def test_a_revision_is_a_branch_a_tag_or_a_commit(self, hub: Site, url: str) -> None:
        first = hub.get("/api/models/ann/animals").json()["sha"]
        done(hub.ask("POST", "/api/models/ann/animals/tag/main", "ann", json={"tag": "v1.0"}))
        done(hub.ask("POST", "/api/models/ann/animals/branch/birds%2Fnew", "ann", json={}))
        second = push(hub, "ann/animals", ("duck", "owl"), to="birds/new")
        commits = {"v1.0": first, first: first, "birds/new": second, "birds%2Fnew": second, "": first}
        for revision, commit in commits.items():
            said = ask(f"{url}{PREDICT}?revision={revision}", picture()).json()
            assert said["commit"] == commit
            assert {each["label"] for each in said["top"]} == ({"duck", "owl"} if commit == second else set(CLASSES))
        missing = ask(f"{url}{PREDICT}?revision=v9", picture())
        assert (missing.status_code, missing.json()["error"]) == (404, "ann/animals has no revision v9.")

    def test_each_of_many_gets_their_own_and_they_go_together(
        self, url: str, own: Predictor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sizes, gate, behind, wait = list[int](), threading.Event(), threading.Semaphore(0), Batcher.answer

        def brightness(_: Predictor, found: Any, __: int = 5) -> list[Prediction]:
            sizes.append(len(found))
            assert gate.wait(WITHIN_S)
            return [Prediction(label="bright", probability=float(each.mean() / 255), top=()) for each in found]

        def counted(self: Batcher, pixels: Any, top_k: int) -> Prediction:
            behind.release()
            return wait(self, pixels, top_k)

        ask(url + PREDICT, picture())  # it is loaded
        monkeypatch.setattr(Predictor, "answer", brightness)
        monkeypatch.setattr(Batcher, "answer", counted)
        with ThreadPoolExecutor(16) as pool:
            asked = [pool.submit(ask, url + PREDICT, picture(number)) for number in range(16)]
            for _ in asked:
                assert behind.acquire(timeout=WITHIN_S)
            gate.set()
            said = [each.result(WITHIN_S).json()["probability"] for each in asked]
        assert said == pytest.approx([own.prepare(picture(number)).mean() / 255 for number in range(16)])
        assert len({round(each, 5) for each in said}) == 16
        assert sum(sizes) == 16
        assert len(sizes) <= 4


@pytest.fixture(scope="module")
def everybody() -> Iterator[tuple[Crowd, str]]:
    with hub_in_folder() as hub, crowd(hub) as found, tempfile.TemporaryDirectory() as folder, beside(hub) as url:
        small(CLASSES).save_pretrained(folder)
        for namespace, who in (("owner", "owner"), ("lab", "boss")):
            for state in STATES:
                found.site.put(f"{namespace}/{state}", who, held(Path(folder)))
        yield found, url


class TestWhoMay:
    @pytest.mark.parametrize("who", MAY)
    def test_who_may_download_a_model_may_ask_it(self, everybody: tuple[Crowd, str], who: str) -> None:
        found, url = everybody
        for state, may in [*zip(STATES, MAY[who], strict=True)] * 2:  # the second time by what is known
            name = found.repo(who, state)
            answer = ask(f"{url}/api/models/{name}/predict", picture(), token=found.tokens.get(who, ""))
            assert answer.status_code == (200 if Action.DOWNLOAD in may else 404), (state, answer.text)
            if answer.status_code == 404:
                assert answer.json() == {"error": f"There is no model {name} here, or it is not open to you."}

    @pytest.mark.parametrize("who", NO_TOKENS)
    def test_a_token_that_is_none_is_told_so(self, everybody: tuple[Crowd, str], who: str) -> None:
        found, url = everybody
        for state in (*STATES, "missing"):
            answer = ask(f"{url}/api/models/owner/{state}/predict", picture(), token=found.tokens.get(who, "hf_x"))
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert answer.json() == {"error": "The hub does not know this token."}

    def test_a_cookie_says_nothing(self, everybody: tuple[Crowd, str]) -> None:
        found, url = everybody
        cookie = {"Cookie": f"tars_session={found.sessions['owner']}"}
        assert ask(f"{url}/api/models/owner/private/predict", picture(), headers=cookie).status_code == 404
        assert ask(f"{url}/api/models/owner/public/predict", picture(), headers=cookie).status_code == 200

    def test_pages_of_other_sites_are_not_answered(self, url: str) -> None:
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
            answer = ask(url + PREDICT, picture(), headers=headers)
            assert (answer.status_code, answer.json()["error"]) == (403, "A page of another site asks for this.")
        assert ask(url + PREDICT, picture(), headers={"Origin": url}).status_code == 200

    def test_permission_is_asked_for_each_picture(self, hub: Site, url: str) -> None:
        push(hub, "ann/turning", CLASSES)
        at = f"{url}/api/models/ann/turning/predict"
        assert ask(at, picture()).status_code == 200
        done(hub.ask("PUT", "/api/models/ann/turning/settings", "ann", json={"visibility": "private"}))
        assert ask(at, picture()).status_code == 404
        assert ask(at, picture(), token=hub.tokens["ann"]).status_code == 200
        done(hub.ask("DELETE", "/api/repos/delete", "ann", json={"name": "ann/turning"}))
        assert ask(at, picture(), token=hub.tokens["ann"]).status_code == 404

    def test_it_is_not_looked_up_again_while_nothing_is_written(
        self, hub: Site, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        push(hub, "ann/calm", CLASSES)
        at = f"{url}/api/models/ann/calm/predict"
        assert ask(at, picture()).status_code == 200
        wait_until_counted(hub, "ann/calm")
        assert ask(at, picture()).status_code == 200
        monkeypatch.setattr(HubModels, "exhibit", None)
        assert ask(at, picture()).status_code == 200

    def test_this_machine_under_another_name_is_not_asked(self, hub: Site) -> None:
        with beside(hub.hub, names=frozenset({"127.0.0.1"})) as url:
            assert ask(url + PREDICT, picture(), headers={"Host": "evil.example"}).status_code == 421
            assert ask(url + PREDICT, picture()).status_code == 200


class TestRefusals:
    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"])
    def test_only_post_is_answered(self, url: str, method: str) -> None:
        answer = httpx.request(method, url + PREDICT, headers={"Origin": "https://evil.example"}, timeout=WITHIN_S)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        assert not [name for name in answer.headers if name.startswith("access-control")]

    @pytest.mark.parametrize("name", ["ann%2Fsecret/x", "ann/se%2Fcret", "ann/%ff", "ann/..%2f..", "..%2f/x", "a b/c"])
    def test_what_cannot_be_a_name_is_no_model(self, url: str, name: str) -> None:
        target = httpx.URL(url).copy_with(raw_path=f"/api/models/{name}/predict".replace(" ", "%20").encode())
        answer = httpx.post(target, content=picture(), timeout=WITHIN_S)
        assert answer.status_code == 404
        assert "\n" not in answer.json()["error"]

    def test_the_hub_keeps_its_own_addresses(self, url: str) -> None:
        for path in ("/api/models/ann/animals", "/api/models/ann/animals/predict/x", "/api/models/predict"):
            assert ask(url + path, picture()).status_code == 404
            assert "nothing at POST" in ask(url + path, picture()).json()["error"]
        assert httpx.get(f"{url}/api/models/ann/animals", timeout=WITHIN_S).status_code == 200

    def test_a_hub_alone_says_how_to_have_it(self, hub: Site) -> None:
        answer = hub.ask("POST", PREDICT, content=bytes(100_000))
        assert (answer.status_code, "tars hub serve --predict" in answer.json()["error"]) == (404, True)

    @pytest.mark.parametrize("content", [b"", b"no picture", picture()[:60], b"\x89PNG\r\n\x1a\n" + bytes(100)])
    def test_what_is_no_picture(self, url: str, content: bytes) -> None:
        answer = ask(url + PREDICT, content)
        assert answer.status_code == 422
        assert set(answer.json()) == {"error"}

    @pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "application/json", "Application/JSON"])
    def test_a_form_is_told_what_to_send(self, url: str, kind: str) -> None:
        answer = ask(url + PREDICT, picture(), headers={"Content-Type": kind})
        assert (answer.status_code, "--data-binary" in answer.json()["error"]) == (415, True)

    @pytest.mark.parametrize(
        "query", ["top_k=0", "top_k=-1", "top_k=101", "top_k=x", "top_k=٣", "top_k=" + "9" * 99, "top_k=", "format=xml"]
    )
    def test_what_is_no_number_or_format_is_named(self, url: str, query: str) -> None:
        answer = ask(f"{url}{PREDICT}?{query}", picture())
        assert answer.status_code == 400
        assert len(answer.text) < 200

    def test_a_model_that_cannot_be_loaded_says_why(self, hub: Site, url: str) -> None:
        hub.put(hub.create("bob/broken", "bob"), "bob", {"config.json": b"{"})
        answer = ask(f"{url}/api/models/bob/broken/predict", picture())
        assert answer.status_code == 404
        assert answer.json()["error"].startswith("bob/broken cannot be shown: config.json")

    def test_a_model_that_fails_shows_no_stack(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> Prediction:
            raise ArithmeticError("secret")

        monkeypatch.setattr(Batcher, "answer", fail)
        answer = ask(url + PREDICT, picture())
        assert answer.status_code == 500
        assert answer.json() == {"error": "The model failed on this picture; the server's log says why."}


class TestBounds:
    def test_what_is_too_long_or_does_not_say_how_long_it_is(self, url: str) -> None:
        head = {"Content-Length": str((64 << 20) + 1)}
        assert b" 413 " in raw(url, head)[:20]
        assert b" 413 " in raw(url, {"Content-Length": "9" * 17})[:20]
        assert ask(url + PREDICT, iter([b"in", b"pieces"])).status_code == 411

    def test_bytes_on_their_way_are_counted_over_everybody(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bodies, "_IN_FLIGHT_BYTES", 100_000)
        for _ in range(3):
            refused = ask(url + PREDICT, bytes(150_000))
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
        assert ask(url + PREDICT, picture()).status_code == 200  # nothing is left of what was refused

    def test_who_sends_slowly_is_not_waited_for_for_ever(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bodies, "_PATIENCE_S", 0.2)
        assert b" 408 " in raw(url, {"Content-Length": "5"}, b"one")[:20]

    def test_who_hangs_up_in_the_middle_harms_nobody(self, url: str) -> None:
        for _ in range(3):
            with connected(url) as connection:
                connection.sendall(f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nhalf".encode())
        assert ask(url + PREDICT, picture()).status_code == 200

    def test_more_than_there_are_places_for_are_told_so(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        begun, gate, answer = threading.Semaphore(0), threading.Event(), Batcher.answer

        def held_back(self: Batcher, pixels: Any, top_k: int) -> Prediction:
            begun.release()
            assert gate.wait(WITHIN_S)
            return answer(self, pixels, top_k)

        monkeypatch.setattr(admission, "_PLACES", 2)
        monkeypatch.setattr(Batcher, "answer", held_back)
        with ThreadPoolExecutor(2) as pool:
            first = [pool.submit(ask, url + PREDICT, picture()) for _ in range(2)]
            for _ in first:
                assert begun.acquire(timeout=WITHIN_S)
            refused = ask(url + PREDICT, picture())
            gate.set()
            assert [each.result(WITHIN_S).status_code for each in first] == [200, 200]
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")


def connected(url: str) -> socket.socket:
    at = urlsplit(url)
    return socket.create_connection((str(at.hostname), int(at.port or 0)), timeout=WITHIN_S)


def raw(url: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """What comes back for a head, and a body that it may not be true of."""
    head = {"Host": "127.0.0.1", "Connection": "close", **headers}
    with connected(url) as connection:
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        connection.sendall(f"POST {PREDICT} HTTP/1.1\r\n{lines}\r\n".encode() + body)
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def test_no_gradio_is_needed_and_nothing_touches_the_disk() -> None:
    """In a process of its own: once the model is loaded, no file is opened to write while a picture is answered."""
    code = """
import os, sys
from tests.hub_with_models import hub_of_two, two_models
from tests.test_http import PREDICT, ask, beside, picture
written, watched = [], False
def watch(event, given):
    if watched and event == "open" and isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        written.append(given[0])
with hub_of_two() as hub, two_models(hub), beside(hub.hub) as url:
    ask(url + PREDICT, picture())
    sys.addaudithook(watch)
    watched = True
    codes = [ask(url + PREDICT, content).status_code for content in (picture(), b"none", picture() + bytes(3 << 20))]
    watched = False
print(codes, written, [name for name in ("gradio", "mcp") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "[200, 422, 200] [] []\n", done.stderr
