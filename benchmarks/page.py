"""The page beside a bare `gr.Interface` around the same model, in a real browser.

    python benchmarks/page.py [--rounds 7] [--json OUT]

Four times of each, in milliseconds, taken in turns: until the page can be used, by a browser that never saw it and by
one that did; from choosing a picture until its answer is on the screen, at 500 × 375 and at 12 megapixels. The bare
page's answer needs a click on Submit, which comes as soon as its button can be pressed. Wants chromium.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from hub import free_port, wait_for  # noqa: E402  # beside this file

from tests.browsers import chromium  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_SIDES = {"500x375": (500, 375), "12 MP": (4000, 3000)}
# As the front page of Gradio's documentation has it, but with a model.
_BARE = """
import os, sys
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
import gradio as gr
from tars_hub import Predictor

predictor = Predictor.from_pretrained(sys.argv[1])
page = gr.Interface(lambda picture: dict(predictor(picture).top), gr.Image(type="pil"), gr.Label(num_top_classes=5))
page.launch(server_port=int(sys.argv[2]), quiet=True)
"""
Figures = dict[str, dict[str, list[float]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures here as well")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tars-bench-") as folder:
        figures = measure(Path(folder), given.rounds)
    show(figures)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(folder: Path, rounds: int) -> Figures:
    """Milliseconds of each round, by what was timed and whose page it was."""
    model, pictures = write_model(folder / "model"), write_pictures(folder)
    ours = [str(ROOT / "app.py"), "--model", str(model), "--no-browser", "--port", "{port}"]
    found: Figures = {}
    with running(ours) as page, running(["-c", _BARE, str(model), "{port}"]) as bare, chromium() as browser:
        for number in range(rounds + 1):
            for who, url, answered in (("page", page, until_card), ("bare", bare, until_label)):
                for what, took in one_round(browser, url, pictures, answered):
                    if number:  # the first is for warming up
                        found.setdefault(what, {}).setdefault(who, []).append(took)
            print(f"round {number} of {rounds}", file=sys.stderr, flush=True)
    return found


def write_model(folder: Path) -> Path:
    """A ResNet-18 at 224 px; its weights are random, which takes as long."""
    from tars_hub import TarsClassifier

    TarsClassifier.create("resnet18", ["ant", "bee", "cat", "dog", "eel", "fox"]).save_pretrained(folder)
    return folder


def write_pictures(folder: Path) -> dict[str, Path]:
    """A photograph as JPEG, in sizes that cameras and the web have."""
    from PIL import Image
    from skimage.data import astronaut

    photograph = Image.fromarray(astronaut())
    found = {name: folder / f"{size[0]}.jpg" for name, size in _SIDES.items()}
    for name, size in _SIDES.items():
        photograph.resize(size, Image.Resampling.BICUBIC).save(found[name], quality=90)
    return found


@contextmanager
def running(command: list[str]) -> Iterator[str]:
    """A page's address while its process runs."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, *(part.replace("{port}", str(port)) for part in command)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/")
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait()


def one_round(
    browser: Browser, url: str, pictures: dict[str, Path], answered: Callable[[Page], None]
) -> Iterator[tuple[str, float]]:
    """A visitor who never saw the page, comes back, and asks about each picture."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    try:
        for what in ("usable, first visit", "usable, next visit"):
            page = context.new_page()
            yield what, timed(partial(arrive, page, url))
        for name, picture in pictures.items():
            page = context.new_page()
            arrive(page, url)
            yield f"answer, {name}", timed(partial(ask, page, picture, answered))
    finally:
        context.close()


def timed(action: Callable[[], None]) -> float:
    begin = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - begin)


def arrive(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_selector("input[type=file]", state="attached")


def ask(page: Page, picture: Path, answered: Callable[[Page], None]) -> None:
    page.locator("input[type=file]").first.set_input_files(picture)
    answered(page)


def until_card(page: Page) -> None:
    page.wait_for_selector(".tars-answer[data-state=ok], .tars-answer[data-state=unsure]")


def until_label(page: Page) -> None:
    page.wait_for_selector("[data-testid=image] img, .image-container img")
    page.get_by_role("button", name="Submit").click()
    page.wait_for_selector("[data-testid=label-output-value]")


def show(figures: Figures) -> None:
    """Medians in milliseconds, and how often the bare page's time fits into ours."""
    print(f"{'':22}{'page':>9}{'bare':>9}{'bare / page':>14}")
    for what, times in figures.items():
        page, bare = (statistics.median(times[who]) for who in ("page", "bare"))
        print(f"{what:22}{page:9.0f}{bare:9.0f}{bare / page:13.2f}x")


if __name__ == "__main__":
    main()
