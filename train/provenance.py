"""Where a model comes from: the exact command, versions, data and code of a run."""

from __future__ import annotations

import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .config import TrainConfig
from .data import PictureFolder
from .processes import Processes

_PACKAGES = ("torch", "torchvision", "accelerate", "numpy", "opencv-python", "scikit-learn", "safetensors", "tars-hub")
_GIT_TIMEOUT_S = 10


def provenance(config: TrainConfig, folder: PictureFolder, processes: Processes, fingerprint: str) -> dict[str, Any]:
    """The JSON object of training/run.json, at the start of a run."""
    return {
        "command": command_line(),
        "settings": config.to_dict(),
        "data": {
            "fingerprint": fingerprint,
            "classes": len(folder.classes),
            "pictures": {name: len(pictures) for name, pictures in folder.sets.items()},
        },
        "versions": versions(),
        "git": git_revision(),
        "machine": {
            "system": platform.platform(),
            "device": _device_name(processes),
            "processes": processes.count,
            "precision": str(processes.accelerator.mixed_precision),
        },
        "started": now(),
    }


def command_line(arguments: Sequence[str] | None = None) -> str:
    """What was typed, as a shell takes it."""
    return shlex.join(arguments or sys.orig_argv)


def versions() -> dict[str, str]:
    """Of Python and of what the numbers come from."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # the project itself, in a checkout
            continue
    return found


def git_revision() -> dict[str, Any] | None:
    """Commit of this code and whether it was changed since; None where it lies in no checkout of its own."""
    here = Path(__file__).resolve()
    if _git(here.parent, "ls-files", "--error-unmatch", here.name) is None:
        return None
    commit = _git(here.parent, "rev-parse", "HEAD")
    changed = _git(here.parent, "status", "--porcelain", "--untracked-files=no")
    return None if commit is None else {"commit": commit, "changed": bool(changed)}


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        process = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), *arguments],  # noqa: S607  # whichever git the person uses
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return process.stdout.strip()


def _device_name(processes: Processes) -> str:
    if processes.device.type == "cuda":
        import torch

        return str(torch.cuda.get_device_name(processes.device))
    return processes.device.type
