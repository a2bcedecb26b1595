"""Runs of `tars predict` that are killed at random moments; run by a test as `python -m tests.crash_predict FOLDER`.

It prints one JSON list: how each table came about. It forks, so it runs apart from the tests.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import skimage.data
import torch

from tars_hub.answers import journal, parquet
from tars_hub.cli import main as tars
from tars_hub.predict import Predictor
from tars_hub.preprocess import resize
from tars_hub.quiet import cv2
from tests.crash import in_child
from tests.small_model import small

_BATCH = 4
_MOST_KILLS = 8
assert parquet  # loaded now, and not by each child


def lay(folder: Path) -> tuple[Path, Path]:
    """A model and 30 pictures, of which 3 are broken."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # threads do not survive a fork
    small().save_pretrained(folder / "model")
    pictures = folder / "pictures"
    whole = skimage.data.astronaut()
    for number in range(30):
        (pictures / f"{number % 3}").mkdir(parents=True, exist_ok=True)
        part = resize(whole[number * 5 :, number * 7 :], 160, 120, "bilinear")
        coded = cv2.imencode(".jpg", part)[1].tobytes()
        (pictures / f"{number % 3}" / f"{number}.jpg").write_bytes(coded[:900] if number % 10 == 9 else coded)
    return folder / "model", pictures


def run(arguments: list[str], predictor: Predictor) -> None:
    """The command, in this process and without loading the model again."""
    journal._EVERY_S = 0.0
    Predictor.from_pretrained = lambda *_, **__: predictor
    code = tars(arguments)
    if code != 1:
        os._exit(code + 100)


def killed_again_and_again(folder: Path, kind: str, predictor: Predictor, rng: random.Random) -> dict[str, Any]:
    """Kill the same command until it has ended, and compare with one that nobody killed."""
    out, expected = folder / f"out.{kind}", folder / f"expected.{kind}"
    common = ["predict", str(folder / "model"), str(folder / "pictures"), "--batch-size", str(_BATCH), "--output"]
    started = time.monotonic()
    assert os.waitpid(in_child(lambda: run([*common, str(expected)], predictor)), 0)[1] == 0
    takes = time.monotonic() - started
    kills, held = 0, list[int]()
    while kills < _MOST_KILLS:
        pid = in_child(lambda: run([*common, str(out)], predictor))
        time.sleep(rng.uniform(0, takes * 0.8))
        os.kill(pid, signal.SIGKILL)
        if os.waitpid(pid, 0)[1] == 0 or out.exists():
            break
        kills += 1
        part = Path(f"{out}.part")
        held.append(part.read_bytes().count(b"\n") if part.exists() else 0)
    if kills == _MOST_KILLS or Path(f"{out}.part").exists():
        os.waitpid(in_child(lambda: run([*common, str(out)], predictor)), 0)
    same = out.read_bytes() == expected.read_bytes()
    left = sorted(path.name for path in folder.iterdir() if kind in path.name)
    out.unlink()
    return {"kind": kind, "same": same, "kills": kills, "held": held, "left": left}


def main(place: str) -> None:
    """In a folder that is empty."""
    folder = Path(place)
    model, _ = lay(folder)
    predictor = Predictor.from_pretrained(model, engine="torch")
    rng = random.Random(0)  # noqa: S311  # the same at every run
    sys.stdout.flush()
    said = os.dup(1)
    os.dup2(2, 1)  # the commands' own lines
    found = [killed_again_and_again(folder, kind, predictor, rng) for kind in ("csv", "jsonl", "parquet")]
    os.write(said, json.dumps(found).encode())
    shutil.rmtree(folder / "pictures")


if __name__ == "__main__":
    main(sys.argv[1])
