"""Programs that die while they save, again and again; run by the tests as `python -m tests.crash WHAT FOLDER`.

They print one JSON list: what was found in the folder after each death. They fork, so they run apart from the tests.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tars_hub import files
from tests.checkout import ROOT

# `weights` and `config` are replaced, `run` is a sub-folder of both, and `run/state` goes.
MINE = {"kept/diary.txt": "mine", "run/notes": "mine"}
OLD = {**MINE, "weights": "old weights", "config": "old config", "run/history": "old history", "run/state": "old state"}
FRESH = {"weights": "new weights", "config": "new config", "run/history": "new history", "run/figure": "new figure"}
NEW = {**MINE, **FRESH}
GONE = "run/state"


def crash(what: str, place: Path) -> list[dict[str, Any]]:
    """What one of these programs found."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash", what, place], cwd=ROOT, check=True, capture_output=True, text=True
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def read(folder: Path) -> dict[str, str]:
    """Every file below the folder by its relative path."""
    return {str(p.relative_to(folder)): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


def lay(folder: Path, content: dict[str, str]) -> None:
    """Write these files below the folder."""
    for name, text in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def lay_old(home: Path) -> Path:
    """A folder that holds something, with nothing beside it."""
    lay(home / "model", OLD)
    return home / "model"


def save_new(folder: Path) -> None:
    """One save, from OLD to NEW."""
    files.replace_folder(folder, lambda fresh: lay(fresh, FRESH), remove=[GONE])


def die_in_the_middle(folder: Path) -> None:
    """As Ctrl-C would have it."""
    (folder / "weights").write_text("half")
    raise KeyboardInterrupt


def in_child(act: Callable[[], None]) -> int:
    """Run it in a forked process; that one's pid."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            act()
            status = 0
        finally:
            os._exit(status)
    return pid


def die_at_step(step: int) -> None:
    """From now on count what this process asks of the system, and be gone at that one."""
    left = step

    def count(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os._exit(9)  # nothing is tidied up, as after kill -9

    sys.addaudithook(count)


def at_every_step(folder: Path, *, exists: bool) -> list[dict[str, Any]]:
    """Die at the first step of a save, at the second, … until one save lives to its end."""
    found: list[dict[str, Any]] = []
    died = True
    while died:
        if exists:
            lay(folder, OLD)

        def doomed() -> None:
            die_at_step(len(found))
            save_new(folder)

        died = os.waitstatus_to_exitcode(os.waitpid(in_child(doomed), 0)[1]) == 9
        state = read(folder) if folder.exists() else None
        beside = len(list(folder.parent.iterdir())) - folder.exists()
        save_new(folder)  # the next program's: tidies up
        after = [str(path.relative_to(folder.parent)) for path in folder.parent.rglob("*") if path.is_file()]
        found.append({"state": state, "beside": beside, "after": sorted(after)})
        shutil.rmtree(folder)
    return found


def two_models() -> list[Any]:
    """Classifiers of one backbone that differ in everything else."""
    import torch

    from tars_hub.model import TarsClassifier

    torch.set_num_threads(1)  # threads do not survive a fork
    torch.manual_seed(0)
    return [TarsClassifier.create("squeezenet1_1", classes) for classes in (["a", "b"], ["c", "d", "e"])]


def save_in_turn(model: Any, folder: Path) -> None:
    """Save it with a folder about its training, where the first of the two leaves a file that the second removes."""
    name = "-".join(model.config.classes)

    def finish(fresh: Path) -> None:
        lay(fresh, {"training/metrics.json": name, **({"training/state": name} if name == "a-b" else {})})

    model.save_pretrained(folder, finish=finish, remove=["training/state"])


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of every file below the folder by its relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def kill_a_saving_model(folder: Path, kills: int = 60) -> list[dict[str, Any]]:
    """kill -9 at random moments of a program that saves two models in turn into the same folder."""
    models = two_models()
    versions = []
    lay(folder, {"training/notes": "mine"})
    began = time.monotonic()
    for model in models:
        save_in_turn(model, folder)
        versions.append(contents(folder))
    both = time.monotonic() - began  # it takes ten times as long on a busy machine
    found: list[dict[str, Any]] = []
    rng = random.Random(0)  # noqa: S311  # the same at every run
    for _ in range(kills):
        reading, writing = os.pipe()

        def saving() -> None:
            os.write(writing, b"!")  # noqa: B023  # called in this round
            save_for_ever(models, folder)

        pid = in_child(saving)
        os.read(reading, 1)  # it is under way, however busy the machine is
        os.close(reading)
        os.close(writing)
        time.sleep(rng.uniform(0, 2 * both))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        held = contents(folder)
        version = versions.index(held) if held in versions else None
        classes = type(models[0]).from_pretrained(folder).config.classes
        found.append({"version": version, "classes": classes, "beside": len(list(folder.parent.iterdir())) - 1})
    save_in_turn(models[0], folder)
    found.append({"version": 0, "classes": ["a", "b"], "beside": len(list(folder.parent.iterdir())) - 1})
    return found


def load_while_saving(folder: Path, loads: int = 150) -> list[dict[str, Any]]:
    """What is loaded while another program saves two models in turn into the same folder."""
    import torch

    models = two_models()
    models[0].save_pretrained(folder)
    heads = [model.backbone.classifier[1].weight for model in models]
    pid = in_child(lambda: save_for_ever(models, folder))
    found: list[dict[str, Any]] = []
    try:
        for _ in range(loads):
            model = type(models[0]).from_pretrained(folder)
            version = [model.config.classes == other.config.classes for other in models].index(True)
            found.append({"version": version, "same": torch.equal(model.backbone.classifier[1].weight, heads[version])})
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return found


def save_for_ever(models: list[Any], folder: Path) -> None:
    """Until killed."""
    while True:
        for model in models:
            save_in_turn(model, folder)


def main(what: str, place: str) -> None:
    """Run one of them in `place`, which is empty."""
    folder = Path(place) / "model"
    if what == "steps":
        result = at_every_step(folder, exists=True)
    elif what == "first":
        result = at_every_step(folder, exists=False)
    elif what == "no-swap":
        files._swap_at_once = lambda *_: False
        result = at_every_step(folder, exists=True)
    elif what == "by-file":
        files._can_be_swapped = lambda _: False
        result = at_every_step(folder, exists=True)
    elif what == "kill":
        result = kill_a_saving_model(folder)
    else:
        result = load_while_saving(folder)
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
