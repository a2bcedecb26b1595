"""One process and its device, precision and determinism."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest
import torch

from tars_hub.errors import DataError, UsageError
from tests.train.runs import config_for
from train.config import TrainConfig
from train.processes import Watch, started


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    return config_for(tmp_path, tmp_path)


def test_alone_it_is_the_main_process_of_one(config: TrainConfig) -> None:
    with started(config) as processes:
        assert (processes.count, processes.rank, processes.is_main) == (1, 0, True)
        assert processes.gather([1, 2]) == [1, 2]
        assert processes.from_main("said") == "said"
        assert processes.once(lambda: 7) == 7
        with pytest.raises(DataError, match="no pictures"):
            processes.once(lambda: (_ for _ in ()).throw(DataError("no pictures")))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"device": "cuda:99"}, "--device cuda:99 cannot be used here; cpu always can"),
        ({"device": "abacus"}, "--device abacus cannot be used here"),
        ({"device": "cpu", "precision": "fp16"}, "--precision fp16 needs a GPU"),
    ],
)
def test_what_this_machine_lacks_is_said_in_one_line(tmp_path: Path, changes: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught, started(config_for(tmp_path, tmp_path, **changes)):
        pass
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("asked", "found"), [("fp32", "no"), ("bf16", "bf16"), ("auto", "no")])
def test_precision_and_that_a_later_run_may_choose_another(tmp_path: Path, asked: str, found: str) -> None:
    for _ in range(2):
        with started(config_for(tmp_path, tmp_path, device="cpu", precision=asked)) as processes:
            assert str(processes.accelerator.mixed_precision) == found
            assert processes.device.type == "cpu"
        with started(config_for(tmp_path, tmp_path, device="cpu", precision="fp32")) as processes:
            assert str(processes.accelerator.mixed_precision) == "no"


def test_determinism_lasts_as_long_as_the_run(tmp_path: Path) -> None:
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    with started(config_for(tmp_path, tmp_path, deterministic=True)):
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.backends.cudnn.benchmark
    assert (torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark) == before


def test_the_watch_counts_from_what_was_done_before(config: TrainConfig) -> None:
    with started(config) as processes:
        stop, elapsed_s = Watch(processes, already_s=100.0).look(1)
    assert not stop
    assert 100 <= elapsed_s < 160


def test_the_first_signal_is_a_request_and_handlers_come_back(config: TrainConfig) -> None:
    before = [signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)]
    with started(config) as processes:
        watch = Watch(processes, already_s=0.0)
        with watch.listening():
            assert not watch.asked
            signal.raise_signal(signal.SIGINT)
            assert watch.asked
            assert watch.look(1)[0]
            assert signal.getsignal(signal.SIGINT) == before[0]  # a second one ends the process
    assert [signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_run_in_a_thread_leaves_signals_alone(config: TrainConfig) -> None:
    seen: list[bool] = []

    def listen() -> None:
        with started(config) as processes, Watch(processes, already_s=0.0).listening():
            seen.append(True)

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert seen == [True]
