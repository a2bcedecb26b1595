"""Commands of short runs, a signal that reaches one at a chosen moment, and the line of one that cannot be."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.train.runs import FLAGS
from train.__main__ import main

# Four steps an epoch; no state is saved but at an epoch's end, or when the run is stopped.
SLOW = [*FLAGS, "--epochs", "2", "--batch-size", "8", "--deterministic", "--save-minutes", "1000"]
EVERY_STEP = [*SLOW, "--save-minutes", "0"]


def command(data: Path, output: Path, *more: str) -> list[str]:
    """Arguments of a run over these pictures into that folder."""
    return ["--data", str(data), "--output", str(output), *(more or SLOW)]


def refused(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """The one line that a run says which cannot be."""
    capsys.readouterr()
    assert main(arguments) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("tars: ") or "Error" in line]
    assert len(lines) == 1, lines
    assert "Traceback" not in lines[0]
    return lines[0]


def signalling(owner: Any, name: str, patch: pytest.MonkeyPatch, *, at: int = 1, number: int = signal.SIGINT) -> None:
    """Let this function's call of that count receive a signal before it begins."""
    real: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def signalled(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            signal.raise_signal(number)
        return real(*arguments, **options)

    patch.setattr(owner, name, signalled)
