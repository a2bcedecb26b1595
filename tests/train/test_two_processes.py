"""Two processes on this machine's own network train and measure as one does."""

from __future__ import annotations

import csv
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.train.killing import result
from tests.train.launched import answers
from tests.train.runs import copied, same, weights_of
from train.__main__ import main
from train.state import STATE_NAME, read_state

pytestmark = pytest.mark.slow  # each starts processes that import torch

ROOT = Path(__file__).resolve().parents[2]
SHORT = "--weights none --img-size 32 --workers 1 --epochs 2 --batch-size 8 --deterministic".split()
SQUEEZENET = [*SHORT, "--model", "squeezenet1_1", "--mixup", "0.2", "--cutmix", "1", "--augment", "strong"]


@pytest.fixture(autouse=True)
def _as_many_threads() -> Iterator[None]:
    """The launched processes have one each; with another number, the last bits of a sum differ."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def environment() -> dict[str, str]:
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
    kept = {name: value for name, value in os.environ.items() if name not in names}
    return {**kept, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}


def torchrun(*words: object) -> list[str]:
    """The command that starts two processes, which find each other by a port that it holds from the first."""
    where = ["--standalone", "--local_addr", "127.0.0.1"]
    return [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", *where, "-m", *map(str, words)]


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def launch(command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment(), cwd=cwd, capture_output=True, text=True, check=False, timeout=600)


def train_command(data: Path, output: Path, flags: list[str]) -> list[str]:
    return ["--data", str(data), "--output", str(output), *flags]


def trained_by_two(data: Path, output: Path, flags: list[str]) -> str:
    """What two processes say that train."""
    done = launch(torchrun("train", *train_command(data, output, flags)), output.parent)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return done.stdout


def numbers(output: Path) -> list[list[float]]:
    rows = list(csv.reader((output / "training" / "history.csv").read_text().splitlines()))[1:]
    return [[float(value or -1) for value in row] for row in rows]


def assert_same_training(one: Path, two: Path) -> None:
    assert same(weights_of(one), weights_of(two), tolerance=1e-5)
    assert np.allclose(numbers(one), numbers(two), rtol=0, atol=1e-4)


def spoilt(data: Path, target: Path) -> Path:
    """An odd number of pictures in both sets, three broken ones among them."""
    mine = copied(data, target)
    for name in ("train", "val"):
        pictures = sorted((mine / name / "0").iterdir())
        pictures[0].unlink()
        pictures[1].write_bytes(pictures[1].read_bytes()[:90])
    sorted((mine / "train" / "1").iterdir())[-1].write_bytes(b"")
    return mine


@pytest.mark.parametrize("batch_size", [4, 64])  # with 64, one of the processes has nothing to do
def test_two_processes_measure_exactly_as_one(data: Path, tmp_path: Path, batch_size: int) -> None:
    mine = spoilt(data, tmp_path / "data")
    done = launch(torchrun("tests.train.launched", tmp_path, batch_size, mine), ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    one = answers(mine, batch_size)
    assert len(one.labels) == 10
    for rank in "01":  # both know all answers
        two = np.load(tmp_path / f"{rank}.npz")
        assert np.array_equal(two["logits"], one.logits)
        assert two["labels"].tolist() == one.labels.tolist()
        assert two["positions"].tolist() == list(one.positions)


CASES: dict[str, list[str]] = {
    "dropout, mixup, cutmix": SQUEEZENET,
    "averaged weights, sgd, odd batches": [*SQUEEZENET, *"--ema 0.9 --optimizer sgd --batch-size 7".split()],
    "a batch of one picture": [*SHORT, *"--model squeezenet1_1 --batch-size 1 --epochs 1".split()],
    "stochastic depth": [*SHORT, *"--model convnext_tiny --epochs 1 --batch-size 16 --augment none".split()],
    "frozen BatchNorm": [*SHORT, *"--model resnet18 --freeze backbone --mixup 0.2 --balance".split()],
}


@pytest.mark.parametrize("flags", list(CASES.values()), ids=list(CASES))
def test_two_processes_train_the_weights_of_one(data: Path, tmp_path: Path, flags: list[str]) -> None:
    mine = spoilt(data, tmp_path / "data")
    assert main(train_command(mine, tmp_path / "one", flags)) == 0
    trained_by_two(mine, tmp_path / "two", flags)
    assert_same_training(tmp_path / "one", tmp_path / "two")


def test_two_processes_train_as_one_and_say_everything_once(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = spoilt(data, tmp_path / "data")
    flags = [*SQUEEZENET, *"--ema 0.9 --epochs 1".split()]
    assert main(train_command(mine, tmp_path / "one", flags)) == 0
    alone = capsys.readouterr().out
    said = trained_by_two(mine, tmp_path / "two", flags)
    assert_same_training(tmp_path / "one", tmp_path / "two")
    assert "in 2 processes" in said
    for output, lines in ((tmp_path / "one", alone), (tmp_path / "two", said)):
        told = [line for line in lines.splitlines() if str(output) not in line]
        assert len(told) == len(set(told))
        assert sum("epoch 1/1" in line for line in told) == 1
        assert sum("skipped" in line for line in told) == 3, told
        assert "3 pictures could not be read and left out" in told


def test_accelerate_launches_a_head_first_run(data: Path, start: Path, tmp_path: Path) -> None:
    mine = copied(data, tmp_path / "data")
    for name in ("train", "val"):  # other classes, so that the head is new
        (mine / name / "0").rename(mine / name / "zero")
    flags = f"--weights {start} --workers 1 --epochs 1 --batch-size 8 --deterministic".split()
    assert main(train_command(mine, tmp_path / "one", flags)) == 0
    accelerate = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", "2", "--num_machines", "1"]
    # With --cpu it would start one process, or ask for MPI.
    options = ["--multi_gpu", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", free_port()]
    command = [
        *accelerate,
        *options,
        "-m",
        "train",
        *train_command(mine, tmp_path / "two", [*flags, "--device", "cpu"]),
    ]
    done = launch(command, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert "in 2 processes" in done.stdout
    assert done.stdout.count("head only") == 1
    assert_same_training(tmp_path / "one", tmp_path / "two")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_two_processes_that_were_ended_go_on_with_the_same_bits(data: Path, tmp_path: Path, number: int) -> None:
    flags = [*SQUEEZENET, "--epochs", "12", "--save-minutes", "0", "--ema", "0.9"]
    trained_by_two(data, tmp_path / "whole", flags)
    output = tmp_path / "out"
    process = subprocess.Popen(
        torchrun("train", *train_command(data, output, flags)),
        env=environment(),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: steps_of(output) > 5, process)
    if number == signal.SIGKILL:
        kill_all(process.pid)
    else:
        process.send_signal(number)
    said, _ = process.communicate(timeout=180)
    assert 5 < steps_of(output) < 48
    if number == signal.SIGINT:
        assert said.count("the same command goes on from here") == 1
    assert "going on with epoch" in trained_by_two(data, output, flags)
    assert result(output) == result(tmp_path / "whole")


def steps_of(output: Path) -> int:
    state = read_state(output)
    return 0 if state is None else (state.progress.epoch - 1) * 4 + state.progress.step


def wait_for(happened: Any, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 180  # a busy machine takes long to start them
    while not happened():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def kill_all(launcher: int) -> None:
    """The launcher and the processes that it started, which live in sessions of their own."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(launcher)], capture_output=True, text=True, check=True)
    for pid in [launcher, *map(int, listed.stdout.split())]:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--precision", "fp16"], "--precision fp16 needs a GPU"),
        (["--weights", "./nowhere"], "nowhere"),
        (["--lr", "100", "--clip-norm", "0", "--optimizer", "sgd", "--epochs", "20"], "training diverged"),
    ],
)
def test_a_mistake_is_said_once(data: Path, tmp_path: Path, flags: list[str], said: str) -> None:
    done = launch(torchrun("train", *train_command(data, tmp_path / "out", [*SQUEEZENET, *flags])), tmp_path)
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if line.startswith("tars: ")]
    assert len(lines) == 1, done.stderr[-3000:]
    assert said in lines[0]


def test_half_precision_on_a_cpu(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(train_command(data, tmp_path / "out", [*SQUEEZENET, "--precision", "bf16"])) == 0
    assert not (tmp_path / "out" / STATE_NAME).exists()
    assert main(train_command(data, tmp_path / "other", [*SQUEEZENET, "--precision", "fp16"])) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("tars: --precision fp16 needs a GPU")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("flags", [[], ["--set", "ema=0.9"]])
def test_with_batch_norm_the_model_that_is_measured_is_the_one_that_is_saved(
    data: Path, tmp_path: Path, flags: list[str]
) -> None:
    # Each process has statistics of its own pictures; the measured ones must be the main one's, which are saved.
    network = "--model resnet18 --weights none --img-size 32 --epochs 2 --batch-size 4".split()
    said = trained_by_two(data, tmp_path / "out", [*network, *flags])
    assert "proven on real files" in said


def test_auxiliary_heads_do_not_wait_for_a_process_without_pictures(data: Path, tmp_path: Path) -> None:
    mine = copied(data, tmp_path / "data")
    pictures = sorted((mine / "train").rglob("*.png"))
    for path in pictures[18:]:  # 8, 8 and 2: one pair, for one of the processes
        path.unlink()
    flags = "--model googlenet --weights none --img-size 32 --epochs 1 --batch-size 8".split()
    trained_by_two(mine, tmp_path / "out", flags)
