"""Programs that train and die on the way; run by the tests as `python -m tests.train.killing WHAT FOLDER DATA`.

They print one JSON object. They fork, which is far quicker than to start Python anew, so they run apart from the tests.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import random
import shutil
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from tars_hub.predict import Predictor
from tests.crash import in_child
from tests.train.runs import config_for
from train import run
from train.config import TrainConfig
from train.console import Console
from train.keep import Keeper
from train.learner import Learner
from train.recipe import RECIPES
from train.state import STATE_NAME, read_state, read_tensors

KEPT = ("model.safetensors", "config.json", "training/history.csv", "training/metrics.json")
EVERYTHING = {"augment": "strong", "mixup": 0.2, "cutmix": 1.0, "ema": 0.9, "balance": True}
STEPS = 4  # an epoch's
DIED, LIVED = 9, 8  # exit codes: at the step, or after a save that came to its end before it
_LONGEST_S = 1.0
_FILE_STEPS = {"_save_state": 6, "_save_best": 400, "finish": 130}  # what each asks of the file system, about


def config(data: Path, output: Path, start: Path | None = None) -> TrainConfig:
    """A run that saves at every step: from nothing with BatchNorm and all that is random, or a head first."""
    shared = {"save_minutes": 0.0, "deterministic": True, "workers": 1, **EVERYTHING}
    if start is None:
        return config_for(data, output, epochs=3, model="shufflenet_v2_x0_5", **shared)
    return config_for(
        data, output, recipe=RECIPES["finetune"], epochs=2, lr=1e-3, model=None, weights=str(start), **shared
    )


def work(this: TrainConfig) -> None:
    """Train in silence."""
    with (
        Path(os.devnull).open("w") as nothing,
        contextlib.redirect_stdout(nothing),
        contextlib.redirect_stderr(nothing),
    ):
        run.run(this, Console())


def ended(pid: int) -> int:
    """A child's exit code; minus the number of the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def worked(this: TrainConfig) -> None:
    """Train in a child to the end."""
    code = ended(in_child(lambda: work(this)))
    if code:
        raise RuntimeError(f"a run ended with {code}")


def result(output: Path) -> dict[str, bytes]:
    """What two equal runs must share."""
    return {name: (output / name).read_bytes() for name in KEPT}


def uninterrupted(this: TrainConfig) -> dict[str, bytes]:
    """What such a run leaves that nobody disturbs; the folder is gone then."""
    worked(this)
    found = result(this.output)
    shutil.rmtree(this.output)
    return found


def look(this: TrainConfig) -> dict[str, Any]:
    """What lies in the folder after a death; in a child, because OpenCV's threads must not be forked."""
    reading, writing = os.pipe()
    code = ended(in_child(lambda: os.write(writing, json.dumps(seen(this)).encode())))
    os.close(writing)
    with os.fdopen(reading) as stream:
        found: dict[str, Any] = json.load(stream) if code == 0 else {"updates": 0, "finished": False, "model": "broken"}
    return found


def seen(this: TrainConfig) -> dict[str, Any]:
    """How many steps the state has, and what the model is; all that is there must load.

    Weights, config and metrics of one save belong together: asked anew, the model answers as its metrics say.
    """
    found: dict[str, Any] = {"updates": 0, "finished": False, "model": "none"}
    state = read_state(this.output)
    if state is not None:
        read_tensors(this.output)
        found["updates"] = (state.progress.epoch - 1) * STEPS + state.progress.step
    if any((this.output / name).exists() for name in ("config.json", "model.safetensors")):
        predictor = Predictor.from_pretrained(this.output)
        metrics = json.loads((this.output / "training" / "metrics.json").read_text())
        pictures = sorted((this.data / "val").rglob("*.png"))
        answers = zip(predictor.batch(pictures), pictures, strict=True)
        right = [answer.label == path.parent.name for answer, path in answers]
        found["model"] = "whole" if abs(sum(right) / len(right) - metrics["top1"]) < 1e-6 else "mixed"
        found["finished"] = metrics["finished"]
    return found


def count_updates() -> mmap.mmap:
    """Memory shared with children, into which they write how many steps they have done."""
    shared = mmap.mmap(-1, 8)
    step = Learner.step

    def counted(self: Learner, *arguments: Any) -> Any:
        found = step(self, *arguments)
        shared[:] = self.updates.to_bytes(8, "little")
        return found

    Learner.step = counted  # type: ignore[method-assign]
    return shared


def at_random(this: TrainConfig, kills: int) -> dict[str, Any]:
    """kill -9 at random moments, so many times; every run that came to its end is compared with `plain`."""
    plain = uninterrupted(this)
    done = count_updates()
    rng = random.Random(0)  # noqa: S311  # the same at every run
    deaths: list[dict[str, Any]] = []
    ends: list[dict[str, Any]] = []
    while len(deaths) < kills:
        done[:] = bytes(8)
        pid = in_child(lambda: work(this))
        time.sleep(rng.uniform(0.0, _LONGEST_S))
        os.kill(pid, signal.SIGKILL)
        ended(pid)
        found = look(this)
        deaths.append({**found, "done": int.from_bytes(done[:], "little")})
        if found["finished"]:
            ended(in_child(lambda: work(this)))  # refused, but it tidies up
            ends.append(end(this, plain))
    worked(this)
    return {"deaths": deaths, "ends": [*ends, end(this, plain)]}


def die_at_file(step: int) -> None:
    """From now on count what this process asks of the file system, and be gone at that one."""
    left = step

    def count(event: str, _: Any) -> None:
        nonlocal left
        left -= event == "open" or event.startswith(("os.", "shutil.", "fcntl.", "ctypes.dlopen"))
        if left < 0:
            os._exit(DIED)  # nothing is tidied up, as after kill -9

    sys.addaudithook(count)


def inside(this: TrainConfig, save: str, steps: list[int]) -> dict[str, Any]:
    """Die at each of these steps inside a save, and go on to the end."""
    plain = uninterrupted(this)
    owner: Any = run if save == "finish" else Keeper
    real = getattr(owner, save)
    deaths: list[dict[str, Any]] = []
    ends: list[dict[str, Any]] = []
    for step in steps:

        def doomed(*arguments: Any) -> None:
            die_at_file(step)  # noqa: B023  # called in this round
            real(*arguments)
            os._exit(LIVED)

        def dying() -> None:
            setattr(owner, save, doomed)
            work(this)

        code = ended(in_child(dying))
        deaths.append({**look(this), "code": code, "step": step})
        again = ended(in_child(lambda: work(this)))
        if (again == 0) == deaths[-1]["finished"]:  # a finished run is refused
            raise RuntimeError(f"the next run ended with {again}")
        ends.append(end(this, plain))
    return {"deaths": deaths, "ends": ends}


def end(this: TrainConfig, plain: dict[str, bytes]) -> dict[str, Any]:
    """What a finished run left; its folder is gone then."""
    paths = [path for path in this.output.parent.rglob("*") if path.name.startswith(".")]
    found = result(this.output)
    differing = [name for name in plain if found[name] != plain[name]]
    state = [STATE_NAME] if (this.output / STATE_NAME).exists() else []
    shutil.rmtree(this.output)
    return {"differing": differing, "strays": sorted(path.name for path in paths) + state}


def main(what: str, place: str, data: str, start: str, number: str) -> None:
    """Run one of them in `place`, which is empty."""
    torch.set_num_threads(1)  # threads do not survive a fork
    output = Path(place) / "model"
    if what in ("scratch", "finetune"):
        found = at_random(config(Path(data), output, Path(start) if what == "finetune" else None), int(number))
    else:
        once = config(Path(data), output)
        once = replace(once, recipe=replace(once.how, epochs=1))
        steps = random.Random(0).sample(range(_FILE_STEPS[what]), int(number))  # noqa: S311  # the same at every run
        found = inside(once, what, sorted(steps))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
