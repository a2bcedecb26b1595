"""Where a model comes from, as run.json keeps it."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.checkout import ROOT
from tests.train.runs import config_for, set_up_run
from train import provenance as module
from train.provenance import command_line, git_revision, now, provenance, versions


def test_the_facts(data: Path, tmp_path: Path) -> None:
    config = config_for(data, tmp_path, seed=7)
    with set_up_run(config) as (this, _):
        found = provenance(config, this.folder, this.processes, "f" * 64)
    assert found["settings"] == config.to_dict()
    assert found["data"] == {"fingerprint": "f" * 64, "classes": 2, "pictures": {"train": 32, "val": 12}}
    assert (found["machine"]["device"], found["machine"]["processes"]) == ("cpu", 1)


def test_versions_are_of_what_is_installed() -> None:
    import torch

    found = versions()
    assert found["torch"] == torch.__version__.split("+")[0] or found["torch"] == torch.__version__
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"torchvision", "numpy", "safetensors", "accelerate"} <= found.keys()


def test_the_command_is_one_that_a_shell_takes() -> None:
    assert command_line(["python", "-m", "train", "--data", "my pictures"]) == "python -m train --data 'my pictures'"


def test_the_time_is_utc() -> None:
    assert datetime.fromisoformat(now()).utcoffset() == timedelta(0)


def test_the_commit_is_that_of_the_checkout() -> None:
    head = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    if head.returncode:
        pytest.skip("this is no checkout")
    found = git_revision()
    assert found is not None
    assert found["commit"] == head.stdout.strip()
    assert type(found["changed"]) is bool


def test_outside_a_checkout_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "__file__", str(tmp_path / "provenance.py"))
    assert git_revision() is None
    subprocess.run(["git", "init", "-q", tmp_path], check=True)  # somebody else's, around an installed package
    assert git_revision() is None


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_revision() is None
