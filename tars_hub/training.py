"""Start the trainer as a process of its own: the library never imports it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def start_training(arguments: Sequence[str]) -> int:
    """Run `python -m train ARGUMENTS…` with this terminal; returns its exit code."""
    command, environment = _command()
    process = subprocess.Popen([*command, *arguments], env=environment)  # noqa: S603  # our own trainer
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # Ctrl-C reached the trainer too, which says how it stopped


def _command() -> tuple[list[str], dict[str, str]]:
    """Installed, the trainer lies inside this package; in a checkout, beside it."""
    environment = dict(os.environ)
    if importlib.util.find_spec("tars_hub.train") is not None:
        return [sys.executable, "-m", "tars_hub.train"], environment
    checkout = str(Path(__file__).resolve().parent.parent)
    known = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = f"{checkout}{os.pathsep}{known}" if known else checkout
    return [sys.executable, "-m", "train"], environment
