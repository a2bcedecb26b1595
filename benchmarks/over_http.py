"""How many pictures a hub answers over HTTP in a second, beside the engine alone on the same bytes.

    python benchmarks/over_http.py [--backbone resnet50] [--engine torch] [--clients 8] [--seconds 5] [--rounds 5]

Clients are threads of another process, each with one connection that stays, and ask again as soon as they are
answered: a JPEG of 500 x 375 px each time. The hub looks for each picture who may. Beside it, on the same bytes, the
engine alone: a Predictor in a loop, in as many threads as there are clients, and in batches (`stream`). "HTTP alone"
posts to a server that does nothing with them: what it takes of the machine nobody can save. Every round does each
thing once, in turn; the table gives medians, and ratios within this run alone; and the CPU's time of this process for
an answer, which says more on a machine that does much else.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import repeat, takewhile
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tars_hub.beside import NearDoor, predicting  # noqa: E402  # of this checkout
from tars_hub.exhibits import Credentials, Wanted  # noqa: E402
from tars_hub.hub_door import HubDoor  # noqa: E402
from tars_hub.hub_models import HubModels  # noqa: E402
from tars_hub.listening import address_of, listening, serving  # noqa: E402
from tars_hub.model import TarsClassifier  # noqa: E402
from tars_hub.predict import Predictor  # noqa: E402
from tars_hub.quiet import cv2  # noqa: E402
from tars_hub.server.additions import Addition  # noqa: E402
from tars_hub.server.app import create_app  # noqa: E402
from tars_hub.server.settings import Settings  # noqa: E402
from tars_hub.server.start import first_owner, opened  # noqa: E402

MODEL = "owner/bench"
AT = f"/api/models/{MODEL}/predict"
FAR, NOTHING = "/far/{model}", "/nothing/{model}"
CLASSES = [str(number) for number in range(1000)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--engine", choices=["onnx", "torch"], help="default: as the library chooses")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement (default 5)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures here as well")
    given = parser.parse_args()
    if given.engine:
        os.environ["TARS_ENGINE"] = given.engine
    figures = measure(given.backbone, given.clients, given.seconds, given.rounds)
    show(figures)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(backbone: str, clients: int, seconds: float, rounds: int) -> dict[str, Any]:
    """All figures: answers a second, by thing and round."""
    picture, rates, costs = jpeg(), dict[str, list[float]](), dict[str, list[float]]()
    with hub(backbone) as (url, predictor), ProcessPoolExecutor(1, get_context("spawn")) as visitors:

        def asked(path: str) -> float:
            return visitors.submit(rate, clients, seconds, url, path, picture).result()

        things: dict[str, Callable[[], float]] = {
            "Predictor, a loop": lambda: rate_here(lambda: predictor(picture), 1, seconds),
            f"Predictor, {clients} threads": lambda: rate_here(lambda: predictor(picture), clients, seconds),
            "Predictor, batches": lambda: rate_of_stream(predictor, picture, seconds),
            "HTTP": lambda: asked(AT),
            "HTTP, the hub asked by HTTP": lambda: asked(FAR.format(model="x")),
            "HTTP alone": lambda: asked(NOTHING.format(model="x")),
        }
        for act in things.values():
            act()  # to be warm
        for number in range(rounds):
            for name, act in things.items():
                spent, begin = time.process_time(), time.perf_counter()
                rates.setdefault(name, []).append(act())
                done = rates[name][-1] * (time.perf_counter() - begin)
                costs.setdefault(name, []).append(1000 * (time.process_time() - spent) / done)
                print(f"round {number + 1}: {name} {rates[name][-1]:.1f}/s", file=sys.stderr, flush=True)
    facts = {"backbone": backbone, "clients": clients, "seconds": seconds, "cores": os.cpu_count()}
    return {**facts, "device": str(predictor.device), "answers_per_second": rates, "cpu_ms": costs}


@contextmanager
def hub(backbone: str) -> Iterator[tuple[str, Predictor]]:
    """A hub that answers, with an open model; and the very Predictor that it answers with."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tars-bench-")))
        listener = stack.enter_context(listening("127.0.0.1", 0))
        kept = stack.enter_context(opened(Settings(data=folder / "hub"), serving=True))
        token, url = first_owner(kept), address_of(listener)
        near, far = HubModels(NearDoor(kept, url), ""), HubModels(HubDoor(url), "")
        additions = [
            predicting(near),
            Addition(path=FAR, app=asking_about_the_model(predicting(far).app), operations={}),
            Addition(path=NOTHING, app=nothing, operations={}),
        ]
        stack.enter_context(serving(create_app(kept, additions=additions), listener))
        TarsClassifier.create(backbone, CLASSES).push_to_hub(MODEL, endpoint=url, token=token, private=False)
        yield url, near.exhibit(Wanted(model=MODEL), Credentials()).predictor


def asking_about_the_model(app: Any) -> Any:  # noqa: ANN401  # ASGI's
    async def renamed(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        await app({**scope, "path": AT, "raw_path": AT.encode()}, receive, send)

    return renamed


async def nothing(_scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  # ASGI's
    """Reads a body, and answers."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


def jpeg() -> bytes:
    """Blurred noise of 500 x 375 px, which compresses about as a photograph does."""
    noise = np.random.default_rng(0).integers(0, 256, (375, 500, 3), np.uint8)
    return bytes(cv2.imencode(".jpg", cv2.GaussianBlur(noise, (0, 0), 3))[1].tobytes())


def rate(clients: int, seconds: float, url: str, path: str, picture: bytes) -> float:
    """Answers a second to clients that cost little: what they send was made before, and what comes is hardly read."""
    at = urlsplit(url)
    head = f"POST {path} HTTP/1.1\r\nHost: {at.netloc}\r\nContent-Length: {len(picture)}\r\n\r\n"
    request = head.encode() + picture
    begin = time.perf_counter()

    def go_on(_: int) -> int:
        done = 0
        with socket.create_connection((str(at.hostname), int(at.port or 0)), timeout=60) as connection:
            while time.perf_counter() - begin < seconds:
                connection.sendall(request)
                take_answer(connection)
                done += 1
        return done

    with ThreadPoolExecutor(clients) as pool:
        return sum(pool.map(go_on, range(clients))) / (time.perf_counter() - begin)


def take_answer(connection: socket.socket) -> None:
    """Read one answer, which must be a good one."""
    said = b""
    while b"\r\n\r\n" not in said:
        said += read(connection)
    head, _, body = said.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"no answer: {said!r}")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    while len(body) < length:
        body += read(connection)


def read(connection: socket.socket) -> bytes:
    piece = connection.recv(1 << 16)
    if not piece:
        raise RuntimeError("the server hung up")
    return piece


def rate_here(ask: Callable[[], object], threads: int, seconds: float) -> float:
    """Answers a second of the library, in this process."""
    begin = time.perf_counter()

    def go_on(_: int) -> int:
        done = 0
        while time.perf_counter() - begin < seconds:
            ask()
            done += 1
        return done

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(go_on, range(threads))) / (time.perf_counter() - begin)


def rate_of_stream(predictor: Predictor, picture: bytes, seconds: float) -> float:
    """Answers a second of the library in its own batches."""
    begin = time.perf_counter()
    pictures = takewhile(lambda _: time.perf_counter() - begin < seconds, repeat(picture))
    done = sum(1 for _ in predictor.stream(pictures))
    return done / (time.perf_counter() - begin)


def show(figures: dict[str, Any]) -> None:
    """The table."""
    rates: dict[str, list[float]] = figures["answers_per_second"]
    medians = {name: statistics.median(found) for name, found in rates.items()}
    best = max(median for name, median in medians.items() if name.startswith("Predictor"))
    machine = f"{figures['device']}, {figures['cores']} cores"
    print(f"{figures['backbone']}, {figures['clients']} clients, {machine}; medians of {len(rates['HTTP'])} rounds")
    for name, median in medians.items():
        cost = statistics.median(figures["cpu_ms"][name])
        print(f"{name:28} {median:8.1f}/s {median / best:6.2f} x the engine at its best {cost:8.2f} ms of CPU here")


if __name__ == "__main__":
    main()
