"""Two hubs with a line to each, `tars mirror` between them, and what their repositories hold."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tars_hub.cli import main
from tests.checkout import ROOT
from tests.line import Line, line_to
from tests.server.running import Site, site

Held = dict[str, tuple[int, str]]
Said = pytest.CaptureFixture[str]


@dataclass
class Pair:
    """`here` is where ann has models, `there` is where bob, and another ann, may have copies.

    Attributes:
        source, target: the lines to them; the target's is for what the Python client says, Xet goes its own way.
    """

    here: Site
    there: Site
    source: Line
    target: Line

    def clear(self) -> None:
        for hub in (self.here, self.there):
            hub.clear()
        for line in (self.source, self.target):
            line.heal()

    def make(self, repo: str = "ann/pets", *, private: bool = False, size: int = 300_000) -> str:
        """A repository of the usual kind at the source: weights, a config in a folder and a file of no bytes."""
        self.here.create(repo, "ann", private=private)
        self.here.put(repo, "ann", {"sub dir/é#1.json": b'{"a": 1}', "empty": b""})
        self.here.put_large(repo, "ann", "model.safetensors", os.urandom(size))
        return repo

    def flags(self) -> list[str]:
        return ["--from", self.source.url, "--to", self.target.url]


@contextmanager
def pair() -> Iterator[Pair]:
    with site() as here, site() as there, line_to(here.url) as source, line_to(there.url) as target:
        here.add("ann", "bob")
        there.add("ann", "bob")
        yield Pair(here, there, source, target)


def emptied(running: Pair, monkeypatch: pytest.MonkeyPatch, home: Path) -> Pair:
    """Both hubs, empty, with caches at `home` and ann's token for the target."""
    running.clear()
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(home))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr("tars_hub.mirror.transfer._WAIT_S", 0.0)
    monkeypatch.setenv("TARS_MIRROR_TO_TOKEN", running.there.tokens["ann"])
    monkeypatch.delenv("TARS_MIRROR_FROM_TOKEN", raising=False)
    return running


def mirror(hubs: Pair, *words: str, code: int = 0) -> None:
    assert main(["mirror", *words, *hubs.flags()]) == code


def refusal(hubs: Pair, capsys: Said, *words: str) -> str:
    """The one line with which it ends, nothing having moved."""
    capsys.readouterr()
    mirror(hubs, *words, code=2)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("tars: ")
    assert said.err.count("\n") == 1
    assert not hubs.source.files()
    assert not [each for each in hubs.target.asked if each.method != "GET"]
    return said.err


def info(hubs: Pair, repo: str = "ann/pets", who: str = "ann") -> dict[str, Any]:
    found: dict[str, Any] = hubs.there.get(f"/api/models/{repo}", who).json()
    return found


def held(hub: Site, repo: str, who: str, revision: str = "main") -> Held:
    """Each file's size and SHA-256, of the bytes that the hub hands out."""
    answer = hub.get(f"/api/models/{repo}/tree/{revision}?recursive=true", who)
    assert answer.status_code == 200, answer.text
    files = {}
    for each in answer.json():
        if each["type"] == "file":
            path = each["path"].replace("#", "%23")
            data = hub.get(f"/{repo}/resolve/{revision}/{path}", who).content
            files[each["path"]] = (len(data), hashlib.sha256(data).hexdigest())
    return files


def commits(hub: Site, repo: str, who: str, revision: str = "main") -> list[str]:
    return [each["title"] for each in hub.get(f"/api/models/{repo}/commits/{revision}", who).json()]


def start(home: Path, *words: str, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """`tars …` as a process of its own, with caches below `home`."""
    # A shell's background jobs, and so the tests that run in one, are started deaf to Ctrl-C.
    before: Callable[[int, object], object] | int | None = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "tars_hub", *words],
            cwd=ROOT,
            env={**os.environ, "HF_HOME": str(home), "PYTHONUNBUFFERED": "1", **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)  # type: ignore[arg-type]


def staged(home: Path) -> list[Path]:
    """Files that wait below a cache folder."""
    return sorted((home / "tars-mirror").rglob("*.part"))
