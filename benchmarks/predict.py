"""Prediction beside others': JPEG bytes to a label, folders, start, loading, memory; in turns, in one run, medians.

    python benchmarks/predict.py [--work DIR] [--networks resnet50 …] [--quick] [--int8 FOLDER] [--json OUT]

Each way of answering has a process of its own, on the processor alone, and all are asked in turns. "limit" is OpenCV
and a bare ONNX Runtime. DIR gets the pictures and the models that are missing (benchmarks/data.py, models.py): the
first time takes an hour, mostly of training ResNet-50; --quick takes random weights where none are trained. FOLDER is
what `tars export MODELS/resnet50 --int8` wrote; its accuracy is measured beside the others'.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # instead of this folder

from benchmarks import data, models  # noqa: E402
from benchmarks.workers import FailedError, Rounds, Worker, in_turns, worker  # noqa: E402

PEERS = ("tars", "transformers", "timm", "torchvision", "limit")
INT8 = "tars, int8"
LOADERS = ("tars", "tars, torch", "transformers", "timm", "limit", "file")
Figures = dict[str, dict[str, Rounds]]
"""What was measured → peer → its figures."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How often.

    Attributes:
        answers: of one turn, whose median is the round's figure.
        starts: of fresh processes.
        mixed: pictures of the folder; half of them large.
        tune: of these, what each peer's batch size is chosen by.
        labelled: pictures that accuracy is measured on.
    """

    rounds: int = 9
    answers: int = 5
    starts: int = 5
    mixed: int = 80
    tune: int = 24
    labelled: int = 1000


QUICK = Plan(rounds=1, answers=2, starts=1, mixed=8, tune=4, labelled=20)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the pictures and the models lie."""

    data: Path
    models: Path
    int8: Path | None

    def mixed(self, count: int) -> list[str]:
        """Large and small in turn."""
        found = sorted(self.data.glob("mixed/*/*.jpg"), key=lambda path: path.name)
        return [str(path) for path in found[:count]]

    def one(self, kind: str) -> str:
        """A picture of the middle size in bytes, of those of one size in pixels."""
        found = sorted(self.data.glob(f"mixed/*/*-{kind}.jpg"), key=lambda path: path.stat().st_size)
        return str(found[len(found) // 2])

    def labelled(self, count: int) -> dict[str, int]:
        """Pictures of `val` and the numbers that a trained model has for their classes."""
        classes = sorted(data.CLASSES)
        found = sorted(self.data.glob("val/*/*.jpg"), key=lambda path: path.name)
        return {str(path): classes.index(path.parent.name) for path in found[:count]}


def main() -> None:
    given = _given()
    plan = QUICK if given.quick else Plan()
    plan = replace(plan, rounds=given.rounds or plan.rounds, starts=min(given.rounds or plan.starts, plan.starts))
    trained = given.models or given.work / "models"
    hurry = given.quick and not (trained / models.TRAINED).exists()
    place = Place(
        data=given.work / "data", models=trained.with_name("models-quick") if hurry else trained, int8=given.int8
    )
    try:
        data.write(place.data, train=0 if hurry else data.TRAIN, val=plan.labelled, large=plan.mixed // 2)
    except OSError as error:
        sys.exit(f"predict.py: {error}")
    for name in given.networks:
        models.prepare(place.models, name, train_on=None if hurry else place.data)
    figures = {name: measure(name, place, plan, given.peers) for name in given.networks}
    if given.json:
        about = {"cores": os.cpu_count(), "machine": platform.machine(), "plan": asdict(plan)}
        given.json.write_text(json.dumps({**about, "figures": figures}, indent=2) + "\n", encoding="utf-8")
    for name, found in figures.items():
        show(f"{name}{', random weights' if hurry or name != models.TRAINED else ''}", found, plan)


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "tars-bench-predict", metavar="DIR")
    parser.add_argument("--models", type=Path, metavar="DIR", help="default: models in the --work folder")
    parser.add_argument("--networks", nargs="+", choices=models.NETWORKS, default=list(models.NETWORKS))
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--rounds", type=int, metavar="N", help=f"default {Plan.rounds}")
    parser.add_argument("--quick", action="store_true", help="a few of each, to see that it runs")
    parser.add_argument("--int8", type=Path, metavar="FOLDER")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures here as well")
    return parser.parse_args()


def measure(name: str, place: Place, plan: Plan, peers: list[str]) -> Figures:
    """All figures of one network: seconds, MB, or right answers of 100."""
    if place.int8 and name == models.TRAINED:
        peers = [*peers, INT8]
    found = warm(name, place, plan, peers)
    small, large = place.one("small"), place.one("large")
    fresh = {peer: peer for peer in peers}

    def start(peer: str) -> float:
        begin = time.perf_counter()
        with _worker(peer, name, place) as who:
            who.ask("answer", picture=small, times=1)
            return time.perf_counter() - begin

    def load(peer: str) -> float:
        with _worker(peer, name, place) as who:
            return float(who.ask("load")["seconds"])

    def memory(peer: str) -> float:
        with _worker(peer, name, place) as who:
            who.ask("answer", picture=small, times=3)
            who.ask("answer", picture=large, times=3)
            return _peak(who)

    found["start to first answer"] = in_turns(f"{name}, start", fresh, start, plan.starts)
    loaders = {peer: peer for peer in LOADERS if peer in peers or peer not in PEERS}
    found["load"] = in_turns(f"{name}, load", loaders, load, plan.starts)
    found["memory, answers"] = in_turns(f"{name}, memory", fresh, memory, 1, warm_up=False)
    return found


def warm(name: str, place: Place, plan: Plan, peers: list[str]) -> Figures:
    """The figures of processes that have been running for a while."""
    mixed, small, large = place.mixed(plan.mixed), place.one("small"), place.one("large")
    found: Figures = {}
    with ExitStack() as stack:
        workers = {peer: stack.enter_context(_worker(peer, name, place)) for peer in peers}

        def ask(what: str, act: Callable[[Worker], float], rounds: int, who: dict[str, Worker] = workers) -> None:
            found[what] = in_turns(f"{name}, {what}", who, act, rounds, warm_up=rounds > 1)

        ask("(choosing)", lambda who: _tune(who, mixed[: plan.tune]), 1)
        ask("answer, 500x375", lambda who: _answer(who, small, plan.answers), plan.rounds)
        ask("answer, 12 MP", lambda who: _answer(who, large, plan.answers), plan.rounds)
        ask("folder, a picture", lambda who: _folder(who, mixed), max(1, plan.rounds // 3))
        ask("memory, folder", _peak, 1)
        if name == models.TRAINED:
            labelled = place.labelled(plan.labelled)
            same = {peer: who for peer, who in workers.items() if peer in {"tars", "limit", INT8}}  # the same weights
            ask("right, of 100", lambda who: _right(who, labelled), 1, same)
    del found["(choosing)"]
    return found


def _worker(peer: str, name: str, place: Place) -> Any:  # noqa: ANN401  # a context manager
    if peer == INT8 and place.int8:
        folder = place.int8.resolve()
        return worker(peer, folder.name, folder.parent)
    return worker(peer, name, place.models)


def _answer(who: Worker, picture: str, times: int) -> float:
    return statistics.median(who.ask("answer", picture=picture, times=1 + times)["seconds"][1:])


def _tune(who: Worker, pictures: list[str]) -> float:
    print(who.ask("tune", pictures=pictures)["setting"], file=sys.stderr, flush=True)
    return 0


def _folder(who: Worker, pictures: list[str]) -> float:
    found = who.ask("folder", pictures=pictures)
    if len(found["numbers"]) != len(pictures):
        raise FailedError(f"{len(found['numbers'])} answers about {len(pictures)} pictures")
    return float(found["seconds"]) / len(pictures)


def _peak(who: Worker) -> float:
    return float(who.ask("peak")["bytes"] / 2**20)


def _right(who: Worker, labelled: dict[str, int]) -> float:
    numbers = who.ask("folder", pictures=list(labelled))["numbers"]
    return 100 * statistics.mean(a == b for a, b in zip(numbers, labelled.values(), strict=True))


def show(title: str, figures: Figures, plan: Plan) -> None:
    """Medians, and beside them how others' compare with ours."""
    peers = list(dict.fromkeys(peer for row in figures.values() for peer in row))
    pairs = [("transformers", "tars"), ("limit", "tars"), *([("transformers", INT8)] if INT8 in peers else [])]
    head = [*peers, *(f"{other[:7]}/{'int8' if ours == INT8 else ours}" for other, ours in pairs)]
    print(f"\n{title}; medians of {plan.rounds} rounds, of {plan.starts} processes")
    print(f"{'':24}" + "".join(f"{cell:>13}" for cell in head))
    for what, row in figures.items():
        medians = {peer: statistics.median(found) for peer, found in row.items() if not isinstance(found, str)}
        cells = [_cell(what, medians.get(peer), failed=peer in row) for peer in peers]
        cells += [f"{medians[a] / medians[b]:.2f}" if {a, b} <= medians.keys() else "" for a, b in pairs]
        print(f"{_title(what):24}" + "".join(f"{cell:>13}" for cell in cells))
    failures = {peer: found for row in figures.values() for peer, found in row.items() if isinstance(found, str)}
    for peer, why in failures.items():
        print(f"{peer} failed: {why}")


def _title(what: str) -> str:
    if what.startswith("memory"):
        return f"{what} (MB)"
    return what if what.startswith("right") else f"{what} (ms)"


def _cell(what: str, median: float | None, *, failed: bool) -> str:
    if median is None:
        return "failed" if failed else ""
    return f"{median:.1f}" if what.startswith(("memory", "right")) else f"{1000 * median:.1f}"


if __name__ == "__main__":
    main()
