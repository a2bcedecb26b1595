"""The page's plain routes: what they answer, what they refuse, and what strangers cannot make of them."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest

from tars_hub import admission, bodies
from tars_hub.errors import ModelNotFoundError
from tars_hub.exhibits import Credentials, Exhibit, Wanted
from tars_hub.predict import Prediction, Predictor
from tars_hub.preprocess import decode
from tests.ui import pictures

gr = pytest.importorskip("gradio", reason="the page needs gradio")

from tars_hub.ui.serve import page_server  # noqa: E402  # only where gradio is there

WITHIN_S = 60
ROUTES = ("classify", "card", "row")
HALF = "\ud800"  # of a letter; JSON can carry it, UTF-8 cannot


@dataclass
class OneOpenModel:
    """One model, and what was asked about it.

    Attributes:
        refusal: what everybody is told instead.
        gate: who asks waits until it is set.
    """

    shown: Exhibit
    asked: list[tuple[Wanted, Credentials]] = field(default_factory=list)
    refusal: Exception | None = None
    gate: threading.Event = field(default_factory=threading.Event)

    first = None

    def exhibit(self, wanted: Wanted, credentials: Credentials) -> Exhibit:
        self.asked.append((wanted, credentials))
        assert self.gate.wait(WITHIN_S)
        if self.refusal:
            raise self.refusal
        return self.shown

    def at_hand(self, _wanted: Wanted, _credentials: Credentials) -> None:
        """Never: each is asked for."""


class Held:
    """A batcher that answers once its gate is open."""

    def __init__(self, answer: Prediction | Exception) -> None:
        self.answered, self.begun, self.gate, self.outcome = 0, threading.Semaphore(0), threading.Event(), answer

    def answer(self, _pixels: Any, _top_k: int) -> Prediction:
        self.answered += 1
        self.begun.release()
        assert self.gate.wait(WITHIN_S)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.fixture(scope="module")
def exhibit(predictor: Predictor) -> Exhibit:
    return Exhibit(predictor=predictor, name="ann/colours", commit="c" * 40)


@pytest.fixture(scope="module")
def models(exhibit: Exhibit) -> OneOpenModel:
    return OneOpenModel(exhibit)


@pytest.fixture(scope="module")
def served(models: OneOpenModel, uploads: Path) -> Iterator[str]:
    def build() -> Any:
        with gr.Blocks() as page:
            gr.HTML("")
        return page

    with page_server(build, models=models, port=0, uploads=uploads) as url:
        yield url


@pytest.fixture
def url(served: str, models: OneOpenModel, exhibit: Exhibit) -> str:
    models.shown, models.refusal = exhibit, None
    models.asked.clear()
    models.gate.set()
    return served


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return pictures.save(tmp_path_factory.mktemp("pictures") / "rose.png", "red").read_bytes()


def ask(url: str, content: Any, **options: Any) -> httpx.Response:
    return httpx.post(url, content=content, timeout=WITHIN_S, trust_env=False, **options)


class TestAnswers:
    def test_classify_says_what_the_library_does(self, url: str, exhibit: Exhibit, picture: bytes) -> None:
        answer = ask(f"{url}classify", picture)
        top = exhibit.predictor(picture).top
        assert [each["label"] for each in answer.json()] == [label for label, _ in top]
        assert [each["score"] for each in answer.json()] == pytest.approx([share for _, share in top], abs=1e-4)
        assert answer.headers["cache-control"] == "no-store"

    def test_a_row_has_all_that_a_table_shows(self, url: str, exhibit: Exhibit, picture: bytes) -> None:
        row = ask(f"{url}row", picture).json()
        (label, score), (second, second_score) = exhibit.predictor(picture).top[:2]
        assert (row["label"], row["second"], row["model"], row["commit"]) == (label, second, "ann/colours", "c" * 40)
        assert [row["score"], row["second_score"]] == pytest.approx([score, second_score], abs=1e-4)
        assert (row["declined"], row["unsure"]) == (False, False)
        assert min(row["prepare_ms"], row["model_ms"]) > 0
        kind, _, data = row["thumbnail"].partition(",")
        assert kind == "data:image/jpeg;base64"
        thumbnail = decode(base64.b64decode(data))
        assert thumbnail.shape == (32, 32, 3)  # all that the model saw
        assert np.abs(thumbnail.mean((0, 1)) - pictures.COLOURS["red"]).max() < 10

    @pytest.mark.parametrize(
        "shown", ["2", "", "0", "-1", "nan", "inf", "1e99", "9" * 99, "٣", "<b>", "%00", "2&shown=x"]
    )
    def test_a_card_shows_any_number_of_classes(self, url: str, picture: bytes, shown: str) -> None:
        card = ask(f"{url}card?shown={shown}", picture)
        assert card.status_code == 200
        assert 'data-state="ok"' in card.text
        assert card.text.count("data-label") == (2 if shown == "2" else 3)
        assert card.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in card.headers["content-security-policy"]

    def test_the_address_and_the_head_of_a_question_say_what_is_meant_and_who_asks(
        self, url: str, models: OneOpenModel, picture: bytes
    ) -> None:
        headers = {"Authorization": "Bearer hf_x", "Cookie": "a=b; tars_session=s"}
        for query in ("?key=ann/colours@v1", "?model=ann/colours&revision=v1", "?key="):
            assert ask(f"{url}classify{query}", picture, headers=headers).status_code == 200
        named, same, default = (wanted for wanted, _ in models.asked)
        assert named == same == Wanted(model="ann/colours", revision="v1")
        assert default == Wanted()
        assert {credentials for _, credentials in models.asked} == {Credentials(token="hf_x", session="s")}  # noqa: S106  # nobody's

    @pytest.mark.parametrize("route", ROUTES)
    def test_what_is_no_number_and_half_a_letter_are_answered(
        self, url: str, models: OneOpenModel, exhibit: Exhibit, picture: bytes, route: str
    ) -> None:
        batcher = Held(Prediction(label=HALF, probability=float("nan"), top=((HALF, float("nan")),)))
        batcher.gate.set()
        models.shown = replace(exhibit, batcher=batcher)  # type: ignore[arg-type]  # it stands in
        answer = ask(f"{url}{route}", picture)
        assert answer.status_code == 200
        if route == "row":
            row = json.loads(answer.text)
            assert (row["label"], row["score"], row["second"], row["unsure"]) == (HALF, None, None, True)

    def test_nothing_touches_the_disk(self, url: str, uploads: Path, picture: bytes) -> None:
        for route in ROUTES:
            ask(f"{url}{route}", picture)
            ask(f"{url}{route}", b"no picture")
        assert [path for path in uploads.rglob("*") if path.is_file() and path.suffix != ".lock"] == []


class TestRefusals:
    def test_a_form_is_told_what_to_send(self, url: str, picture: bytes) -> None:
        answer = httpx.post(f"{url}classify", files={"file": ("rose.png", picture)}, timeout=WITHIN_S)
        said = "This is a form; send the picture's bytes alone, as curl does with --data-binary."
        assert (answer.status_code, answer.json()) == (415, {"error": said})

    @pytest.mark.parametrize("route", ["classify", "row"])
    def test_what_is_no_picture(self, url: str, route: str) -> None:
        for content in (b"", b"no picture"):
            answer = ask(f"{url}{route}", content)
            assert answer.status_code == 422
            assert "not a picture" in answer.json()["error"] or "empty" in answer.json()["error"]

    def test_a_card_says_itself_that_it_is_none(self, url: str) -> None:
        card = ask(f"{url}card", b"no picture")
        assert (card.status_code, 'data-state="error"' in card.text) == (200, True)

    @pytest.mark.parametrize("route", ROUTES)
    def test_permission_is_asked_for_each_picture(
        self, url: str, models: OneOpenModel, picture: bytes, route: str
    ) -> None:
        assert ask(f"{url}{route}", picture).status_code == 200
        models.refusal = ModelNotFoundError("There is no model here, or it is not open to you.")
        answer = ask(f"{url}{route}", picture)
        assert "not open to you" in answer.text
        assert answer.status_code == (200 if route == "card" else 404)

    @pytest.mark.parametrize("route", ROUTES)
    def test_other_sites_and_other_ways_to_ask(
        self, url: str, models: OneOpenModel, picture: bytes, route: str
    ) -> None:
        for site in ("cross-site", "same-site"):
            answer = ask(f"{url}{route}", picture, headers={"Sec-Fetch-Site": site})
            assert (answer.status_code, answer.json()["error"]) == (403, "A page of another site asks for this.")
        for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
            refused = httpx.request(method, f"{url}{route}", headers={"Origin": "https://evil.example"})
            assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
            assert not [name for name in refused.headers if name.startswith("access-control")]
        assert models.asked == []

    @pytest.mark.parametrize("route", ROUTES)
    def test_what_is_too_long_or_does_not_say_how_long_it_is(self, url: str, models: OneOpenModel, route: str) -> None:
        too_long = ask(f"{url}{route}", bytes((64 << 20) + 1))
        assert (too_long.status_code, too_long.json()["error"]) == (413, "It is too large; up to 64 MiB are taken.")
        assert ask(f"{url}{route}", iter([b"in", b"pieces"])).status_code == 411
        assert models.asked == []

    @pytest.mark.parametrize("route", ROUTES)
    def test_a_model_that_fails_shows_no_stack(
        self, url: str, models: OneOpenModel, exhibit: Exhibit, picture: bytes, route: str
    ) -> None:
        batcher = Held(ArithmeticError("secret"))
        batcher.gate.set()
        models.shown = replace(exhibit, batcher=batcher)  # type: ignore[arg-type]  # it stands in
        answer = ask(f"{url}{route}", picture)
        assert answer.status_code == (200 if route == "card" else 500)
        said = answer.text if route == "card" else answer.json()["error"]
        assert "The model failed on this picture; the server" in said
        assert "secret" not in said


class TestBounds:
    def test_bytes_on_their_way_are_counted_over_everybody(
        self, url: str, picture: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bodies, "_IN_FLIGHT_BYTES", 100_000)
        for _ in range(3):
            refused = ask(f"{url}classify", bytes(150_000))
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
            assert "try again soon" in refused.json()["error"]
        assert ask(f"{url}classify", picture).status_code == 200  # nothing is left of what was refused

    def test_who_sends_slowly_is_not_waited_for_for_ever(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bodies, "_PATIENCE_S", 0.2)
        with connected(url, length=5) as connection:
            connection.sendall(b"one")
            said = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        assert said.startswith(b"HTTP/1.1 408 ")
        assert b"too slowly" in said

    def test_who_waits_for_a_model_is_sent_away_in_the_end(
        self, url: str, models: OneOpenModel, picture: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(admission, "_LOADING_S", 0.2)
        models.gate.clear()
        answer = ask(f"{url}classify", picture)
        models.gate.set()
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.json()["error"] == "The model is still being opened; try again soon."

    def test_more_than_there_are_places_for_are_told_so(
        self, url: str, models: OneOpenModel, exhibit: Exhibit, picture: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        batcher = Held(exhibit.predictor(picture))
        models.shown = replace(exhibit, batcher=batcher)  # type: ignore[arg-type]  # it stands in
        monkeypatch.setattr(admission, "_PLACES", 2)
        with ThreadPoolExecutor(2) as pool:
            first = [pool.submit(ask, f"{url}classify", picture) for _ in range(2)]
            for _ in first:
                assert batcher.begun.acquire(timeout=WITHIN_S)
            refused = ask(f"{url}classify", picture)
            batcher.gate.set()
            assert [each.result(WITHIN_S).status_code for each in first] == [200, 200]
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
        assert refused.json()["error"] == "Many pictures are being answered just now; try again soon."
        assert ask(f"{url}classify", picture).status_code == 200

    def test_who_hung_up_is_not_worked_for(
        self, url: str, models: OneOpenModel, exhibit: Exhibit, picture: bytes
    ) -> None:
        models.gate.clear()
        batcher = Held(exhibit.predictor(picture))
        batcher.gate.set()
        models.shown = replace(exhibit, batcher=batcher)  # type: ignore[arg-type]  # it stands in
        with connected(url, length=len(picture)) as connection:
            connection.sendall(picture)
            wait_for(lambda: len(models.asked) == 1)  # it came, and waits for the model
        ask(url, b"")  # by when the server knows of the end before
        models.gate.set()
        assert ask(f"{url}classify", picture).status_code == 200
        assert batcher.answered == 1


def connected(url: str, *, length: int) -> socket.socket:
    """A connection on which a question has begun."""
    at = urlsplit(url)
    connection = socket.create_connection((str(at.hostname), int(at.port or 0)), timeout=WITHIN_S)
    head = f"POST /classify HTTP/1.1\r\nHost: {at.netloc}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    connection.sendall(head.encode())
    return connection


def wait_for(is_so: Any) -> None:
    pause = threading.Event()
    for _ in range(WITHIN_S * 200):
        if is_so():
            return
        pause.wait(0.005)
    raise AssertionError("it did not come to be")


def test_many_at_once_are_answered_as_each_alone(url: str, exhibit: Exhibit, picture: bytes) -> None:
    predictor: Predictor = exhibit.predictor
    expected = predictor(picture).top
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: ask(f"{url}classify", picture).json(), range(48)))
    for answer in answers:
        assert [each["label"] for each in answer] == [label for label, _ in expected]
        assert [each["score"] for each in answer] == pytest.approx([share for _, share in expected], abs=1e-4)


def test_a_body_is_no_longer_than_it_says() -> None:
    """Not every way to read HTTP sees to that: one with `Transfer-Encoding` besides may be of any length."""

    async def receive() -> Any:
        return {"type": "http.request", "body": b"123", "more_body": True}

    async def read() -> None:
        with bodies.Bodies().counting(receive, 5) as counted:
            await counted()
            with pytest.raises(bodies.RefusedError, match="longer than it says"):
                await counted()

    asyncio.run(read())
