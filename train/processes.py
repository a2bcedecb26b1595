"""The processes that train together, one of them where nobody launched more; the only code that knows accelerate."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from types import FrameType
from typing import Any, TypeVar

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import InitProcessGroupKwargs, broadcast_object_list, gather_object
from torch import nn

from tars_hub.errors import TarsError, UsageError

from .config import TrainConfig

T = TypeVar("T")

_PATIENCE = timedelta(days=7)  # of processes that wait while the main one measures or writes

_PLAIN = frozenset({"NO", "MULTI_CPU", "MULTI_GPU", "MULTI_XPU", "MULTI_NPU", "MULTI_HPU", "MULTI_MLU"})


@dataclass(frozen=True)
class Processes:
    """All processes of a run, seen from one of them."""

    accelerator: Accelerator

    @property
    def device(self) -> torch.device:
        device: torch.device = self.accelerator.device
        return device

    @property
    def rank(self) -> int:
        return int(self.accelerator.process_index)

    @property
    def count(self) -> int:
        return int(self.accelerator.num_processes)

    @property
    def is_main(self) -> bool:
        return bool(self.accelerator.is_main_process)

    def gather(self, items: list[Any]) -> list[Any]:
        """Everybody's items in the order of the processes, for everybody."""
        return items if self.count == 1 else list(gather_object(items))

    def from_main(self, value: Any) -> Any:  # noqa: ANN401  # any value that pickles between our own processes
        """The main process's value, for everybody."""
        return value if self.count == 1 else broadcast_object_list([value])[0]

    def share_buffers(self, network: nn.Module) -> None:
        """Give everybody the main process's buffers: BatchNorm's statistics are those of each one's own pictures."""
        if self.count > 1:
            for buffer in network.buffers():
                torch.distributed.broadcast(buffer.data, 0)

    def once(self, act: Callable[[], T]) -> T | None:
        """Let the main process act, and all wait for it; what a person can mend, all raise. Its result is its own."""
        result: T | None = None
        failure: TarsError | OSError | None = None
        if self.is_main:
            try:
                result = act()
            except (TarsError, OSError) as error:
                failure = error
        failure = self.from_main(failure)
        if failure is not None:
            raise failure
        return result


@contextlib.contextmanager
def started(config: TrainConfig) -> Iterator[Processes]:
    """The processes for the length of a run: as `accelerate launch` or `torchrun` started them, or this one alone.

    Raises:
        UsageError: the device or precision cannot be used here.
    """
    with _determinism(on=config.deterministic):
        cpu = _checked_device(config.device).type == "cpu"
        if not PartialState._shared_state or PartialState().num_processes == 1:
            AcceleratorState._reset_state(reset_partial_state=True)  # an earlier run in this process chose otherwise
        try:
            patience = InitProcessGroupKwargs(timeout=_PATIENCE)
            accelerator = Accelerator(cpu=cpu, mixed_precision=_precision(config, cpu=cpu), kwargs_handlers=[patience])
        except (ValueError, RuntimeError) as error:
            raise UsageError(f"training cannot start here: {' '.join(str(error).split())[:200]}") from error
        if accelerator.distributed_type.name not in _PLAIN:
            raise UsageError(
                f"{accelerator.distributed_type.name} is not supported; launch plain data-parallel training"
            )
        yield Processes(accelerator)
        if accelerator.num_processes > 1:
            accelerator.end_training()


def _checked_device(name: str | None) -> torch.device:
    """The device as asked for; each of several processes here looks at its own GPU alone."""
    own = f":{os.environ['LOCAL_RANK']}" if "LOCAL_RANK" in os.environ else ""
    chosen = name or (f"cuda{own}" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(chosen)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(f"--device {chosen} cannot be used here; cpu always can") from error
    if device.type == "meta":
        raise UsageError("--device meta computes nothing; cpu always can")
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)
    return device


def _precision(config: TrainConfig, *, cpu: bool) -> str:
    launched = os.environ.get("ACCELERATE_MIXED_PRECISION")  # as `accelerate launch` was told
    if config.precision == "auto" and launched in {"bf16", "fp16"}:
        return launched
    if config.precision == "auto":
        return "bf16" if not cpu and torch.cuda.is_available() and _has_bf16() else "no"
    if config.precision == "fp16" and cpu:
        raise UsageError("--precision fp16 needs a GPU; bf16 works on a CPU too")
    return {"fp32": "no"}.get(config.precision, config.precision)


def _has_bf16() -> bool:
    """In hardware: emulated it is slower than fp32."""
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


@contextlib.contextmanager
def _determinism(*, on: bool) -> Iterator[None]:
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    if on:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it when it starts
        torch.use_deterministic_algorithms(mode=True)
    torch.backends.cudnn.benchmark = not on  # batches are of one shape: the search for the fastest pays
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]


class Watch:
    """The clock of a run, and whether somebody asked it to stop: Ctrl-C, or a system that shuts down."""

    def __init__(self, processes: Processes, *, already_s: float, every: int = 10) -> None:
        self._processes = processes
        self._began = time.monotonic() - already_s
        self._asked = False
        self._every = every if processes.count > 1 else 1
        self._agreed = (False, already_s)

    @property
    def asked(self) -> bool:
        """Whether this process was asked to stop."""
        return self._asked

    def look(self, step: int, *, last: bool = False) -> tuple[bool, float]:
        """Whether to stop, and the seconds since the run began: the same for all processes, asked now and then.

        Args:
            last: of the epoch, which may have few.
        """
        if last or step % self._every == 0:
            here = (self._asked, time.monotonic() - self._began)
            heard = self._processes.gather([here])
            self._agreed = (any(asked for asked, _ in heard), float(heard[0][1]))
        return self._agreed

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Turn the first signal into a request and leave a second one to end the process."""
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread may
            return
        names = [signal.SIGINT, signal.SIGTERM]
        before = {name: signal.getsignal(name) for name in names}

        def ask(number: int, _: FrameType | None) -> None:
            self._asked = True
            signal.signal(number, before[signal.Signals(number)])

        for name in names:
            signal.signal(name, ask)
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)
