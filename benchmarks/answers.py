"""How many pictures a page answers in a second: eight visitors at once, batched and not, beside the library alone.

    python benchmarks/answers.py [--clients 8] [--seconds 5] [--rounds 5] [--json OUT]

A ResNet-18 at 224 px answers JPEGs of 500 x 375 px. Every round does each thing once, in turn; the table gives
medians, and ratios within this run alone. Gradio's own queue is asked in the first round only.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import httpx
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tars_hub.batching import MOST, Batcher  # noqa: E402  # of this checkout
from tars_hub.exhibits import Credentials, Exhibit, Wanted  # noqa: E402
from tars_hub.listening import free_port  # noqa: E402
from tars_hub.model import TarsClassifier  # noqa: E402
from tars_hub.predict import Predictor  # noqa: E402
from tars_hub.quiet import cv2  # noqa: E402
from tars_hub.ui.serve import page_server  # noqa: E402

CLASSES = [str(number) for number in range(10)]
Ask = Callable[[httpx.Client, str, bytes], None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement (default 5)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures here as well")
    given = parser.parse_args()
    figures = measure(given.clients, given.seconds, given.rounds)
    show(figures)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


@dataclass
class Swapped:
    """One model for everybody, whose batcher is changed between measurements."""

    shown: Exhibit

    @property
    def first(self) -> Exhibit:
        return self.shown

    def exhibit(self, _wanted: Wanted, _credentials: Credentials) -> Exhibit:
        return self.shown


def measure(clients: int, seconds: float, rounds: int) -> dict[str, Any]:
    """All figures: answers a second, by thing and round."""
    predictor = Predictor(TarsClassifier.create("resnet18", CLASSES))
    models, picture = Swapped(Exhibit(predictor=predictor, name="bench")), jpeg()
    rates: dict[str, list[float]] = {}
    with page(models) as url, ProcessPoolExecutor(1, get_context("spawn")) as visitors:

        def asked(most: int, ask: Ask) -> float:
            models.shown = replace(models.shown, batcher=Batcher(predictor, most))
            return visitors.submit(rate, clients, seconds, ask, url, picture).result()

        things: dict[str, Callable[[], float]] = {
            "Predictor in a loop": lambda: rate_of_loop(predictor, picture, seconds),
            f"HTTP, batches of up to {MOST}": lambda: asked(MOST, plain),
            "HTTP, one at a time": lambda: asked(1, plain),
        }
        for act in things.values():
            act()  # to be warm
        for number in range(rounds):
            for name, act in things.items():
                rates.setdefault(name, []).append(act())
                print(f"round {number + 1}: {name} {rates[name][-1]:.1f}/s", file=sys.stderr, flush=True)
        rates["Gradio's queue, batches"] = [asked(MOST, queued)]
    device, cores = str(predictor.device), os.cpu_count()
    return {"clients": clients, "seconds": seconds, "device": device, "cores": cores, "answers_per_second": rates}


def jpeg() -> bytes:
    """Blurred noise of 500 x 375 px, which compresses about as a photograph does."""
    noise = np.random.default_rng(0).integers(0, 256, (375, 500, 3), np.uint8)
    return bytes(cv2.imencode(".jpg", cv2.GaussianBlur(noise, (0, 0), 3))[1].tobytes())


@contextmanager
def page(models: Swapped) -> Iterator[str]:
    """The page in this process; its visitors are in another."""

    def build() -> Any:  # noqa: ANN401  # Gradio's
        from tars_hub.ui.page import build_page

        return build_page(models)

    with page_server(build, models=models, port=free_port("127.0.0.1", 17700)) as url:
        yield url


def plain(client: httpx.Client, url: str, picture: bytes) -> None:
    """One picture by plain HTTP."""
    client.post(f"{url}classify", content=picture).raise_for_status()


def queued(client: httpx.Client, url: str, picture: bytes) -> None:
    """One picture by Gradio's endpoint: upload, question, answer."""
    path = client.post(f"{url}gradio_api/upload", files={"files": ("a.jpg", picture)}).json()[0]
    data = [{"path": path, "meta": {"_type": "gradio.FileData"}}]
    event = client.post(f"{url}gradio_api/call/classify", json={"data": data}).raise_for_status().json()["event_id"]
    answer = client.get(f"{url}gradio_api/call/classify/{event}").text
    if "event: complete" not in answer:
        raise RuntimeError(f"no answer: {answer}")


def rate(clients: int, seconds: float, ask: Ask, url: str, picture: bytes) -> float:
    """Answers a second to clients that each ask again as soon as they are answered."""
    begin = time.perf_counter()

    def go_on(_: int) -> int:
        done = 0
        with httpx.Client(timeout=60, trust_env=False) as client:
            while time.perf_counter() - begin < seconds:
                ask(client, url, picture)
                done += 1
        return done

    with ThreadPoolExecutor(clients) as pool:
        return sum(pool.map(go_on, range(clients))) / (time.perf_counter() - begin)


def rate_of_loop(predictor: Predictor, picture: bytes, seconds: float) -> float:
    """Answers a second of the library, one after the other."""
    done, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        predictor(picture)
        done += 1
    return done / (time.perf_counter() - begin)


def show(figures: dict[str, Any]) -> None:
    """The table."""
    rates: dict[str, list[float]] = figures["answers_per_second"]
    medians = {name: statistics.median(found) for name, found in rates.items()}
    loop = medians["Predictor in a loop"]
    machine = f"{figures['device']}, {figures['cores']} cores"
    print(f"{figures['clients']} clients, {machine}; medians of {len(rates['Predictor in a loop'])}")
    for name, median in medians.items():
        print(f"{name:28} {median:7.1f} answers/s   {median / loop:5.2f} x the loop")


if __name__ == "__main__":
    main()
