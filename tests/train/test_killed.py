"""A run that dies or is stopped, at any moment, leaves what it can go on from, and nothing half done."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tars_hub.files import replacing
from tests.crash import contents
from tests.train.killing import DIED, LIVED, result
from tests.train.runs import config_for, copied, trained
from tests.train.stopping import EVERY_STEP, SLOW, command, refused, signalling
from train import epochs
from train import run as running
from train.__main__ import main
from train.console import Console
from train.learner import Learner
from train.run import run
from train.state import STATE_NAME, read_state

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def killing(what: str, place: Path, data: Path, start: Path, number: int) -> dict[str, Any]:
    """What one of the programs in tests.train.killing found."""
    place.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "tests.train.killing", what, place, data, start, str(number)],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,  # of what never ends; a busy machine takes minutes
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def assert_nothing_was_lost(found: dict[str, Any]) -> None:
    """Every end is that of an undisturbed run, with nothing left over, and every death left a whole model or none."""
    assert found["ends"]
    assert all(each == {"differing": [], "strays": []} for each in found["ends"]), found["ends"]
    assert {each["model"] for each in found["deaths"]} <= {"none", "whole"}


@pytest.mark.parametrize(
    ("what", "kills"),
    [
        ("scratch", 12),
        pytest.param("scratch", 24, marks=pytest.mark.slow),
        pytest.param("finetune", 24, marks=pytest.mark.slow),
    ],
)
def test_a_run_killed_at_any_moment_ends_with_the_same_bits(
    data: Path, start: Path, tmp_path: Path, what: str, kills: int
) -> None:
    found = killing(what, tmp_path / "place", data, start, kills)
    assert_nothing_was_lost(found)
    # It saves after each step, so that no more than the last one can be lost.
    assert all(each["done"] - each["updates"] <= 1 for each in found["deaths"] if not each["finished"])


@pytest.mark.parametrize(
    ("save", "deaths"),
    [
        ("_save_state", 3),
        ("_save_best", 3),
        ("finish", 3),
        pytest.param("_save_best", 24, marks=pytest.mark.slow),
        pytest.param("finish", 16, marks=pytest.mark.slow),
    ],
)
def test_a_death_inside_a_save_leaves_the_old_or_the_new(
    data: Path, start: Path, tmp_path: Path, save: str, deaths: int
) -> None:
    found = killing(save, tmp_path / "place", data, start, deaths)
    assert_nothing_was_lost(found)
    died = [each["code"] for each in found["deaths"]]
    assert DIED in died
    assert set(died) <= {DIED, LIVED}


@pytest.mark.parametrize(("owner", "name"), [(running, "fit_head"), (epochs, "evaluate")])
def test_a_run_stopped_before_the_head_is_kept_begins_again(
    data: Path, start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], owner: Any, name: str
) -> None:
    mine = copied(data, tmp_path / "data")
    for split in ("train", "val"):
        (mine / split / "0").rename(mine / split / "zero")
    flags = f"--weights {start} --augment none --epochs 1 --batch-size 16 --deterministic".split()
    with pytest.MonkeyPatch.context() as patch:
        signalling(owner, name, patch)
        assert main(command(mine, tmp_path / "out", *flags)) == 130
    assert "the same command" in capsys.readouterr().out.splitlines()[-1]
    assert main(command(mine, tmp_path / "out", *flags)) == 0
    assert "head only" in capsys.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_real_process_is_stopped_by_a_signal(data: Path, tmp_path: Path, number: int) -> None:
    arguments = command(data, tmp_path / "out", *EVERY_STEP, "--epochs", "1000")
    process = subprocess.Popen(
        [sys.executable, "-m", "train", *arguments],
        env=ENVIRONMENT,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 180  # a busy machine takes long to start it
    while not (tmp_path / "out" / STATE_NAME).exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=180)
    assert process.returncode == 130
    assert "the same command goes on from here" in out.splitlines()[-1]
    assert "Traceback" not in err
    assert read_state(tmp_path / "out") is not None


def test_going_on_with_every_kind_of_optimizer_and_network(data: Path, tmp_path: Path) -> None:
    kinds: list[dict[str, Any]] = [
        {"optimizer": "sgd", "momentum": 0.9},
        {"optimizer": "sgd", "momentum": 0.0},
        {"model": "mnasnet0_5"},  # its state carries a version
        {"ema": 0.9, "freeze": "initial"},
    ]
    for number, kind in enumerate(kinds):
        config = config_for(data, tmp_path / f"{number}", epochs=2, deterministic=True, **kind)
        run(config, Console())
        whole = result(config.output)
        shutil.rmtree(config.output)
        with pytest.MonkeyPatch.context() as patch:
            signalling(Learner, "step", patch, at=6)
            with pytest.raises(epochs.InterruptedRunError):
                run(config, Console())
        run(config, Console())
        assert result(config.output) == whole, kind


def test_a_finished_run_is_not_overwritten_unless_told(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    trained(data, output, seed=3)
    before = contents(output)
    assert "already holds a model" in refused(capsys, command(data, output))
    assert "no unfinished run" in refused(capsys, command(data, output, *SLOW, "--resume"))
    assert "no unfinished run" in refused(capsys, command(data, tmp_path / "nothing", *SLOW, "--resume"))
    assert contents(output) == before
    with pytest.MonkeyPatch.context() as patch:  # until its first epoch is measured, the old model stays
        signalling(Learner, "step", patch, at=3)
        assert main(command(data, output, *SLOW, "--overwrite")) == 130
    assert {**contents(output), STATE_NAME: b""} == {**before, STATE_NAME: b""}
    assert main(command(data, output)) == 0


def test_what_a_dead_writer_left_goes_and_a_living_ones_stays(tmp_path: Path) -> None:
    path = tmp_path / "state"
    dead, other = tmp_path / ".state.0123abcd", tmp_path / ".other.0123abcd"
    dead.write_text("half")
    other.write_text("another file's")
    with replacing(path) as living:
        living.write("first")
        with replacing(path) as second:
            second.write("second")
        assert not dead.exists()
    assert path.read_text() == "first"
    assert sorted(tmp_path.iterdir()) == [other, path]
