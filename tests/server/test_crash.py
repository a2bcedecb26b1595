"""Killed again and again while clients push: nothing that was answered for is lost, and nothing is broken."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tars_hub.server.check import check
from tars_hub.server.gitobjects import blob_oid
from tars_hub.server.settings import Settings
from tars_hub.server.start import opened
from tests.hubs import RunningHub, running_hub

HERE = Path(__file__).parent
CLIENTS = {"xet": {}, "lfs": {"HF_HUB_DISABLE_XET": "1"}}
WITHIN_S = 180  # for a push, on a machine that does much else


@dataclass(frozen=True)
class Pusher:
    """A client at work.

    Attributes:
        journal: what the hub answered for.
    """

    journal: Path
    process: subprocess.Popen[bytes]


@contextmanager
def asleep(clients: Sequence[Pusher]) -> Iterator[None]:
    """They stand still, in the midst of whatever they were at."""
    for client in clients:
        client.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for client in clients:
            client.process.send_signal(signal.SIGCONT)


@contextmanager
def pushing(hub: RunningHub, name: str, seed: int, folder: Path) -> Iterator[Pusher]:
    """A client that pushes without end."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": hub.owner_token,
        "HF_HOME": str(folder / f"home-{name}"),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_XET_CLIENT_RETRY_BASE_DELAY": "100ms",
        **CLIENTS[name],
    }
    journal, said = folder / f"{name}.journal", folder / f"{name}.log"
    journal.touch()
    command = [sys.executable, str(HERE / "pushing.py"), f"owner/{name}", str(seed), str(journal)]
    with said.open("wb") as stream:
        process = subprocess.Popen(command, env=environment, stdout=stream, stderr=stream)
    try:
        yield Pusher(journal, process)
        assert process.poll() is None, f"the client ended:\n{said.read_text()[-3000:]}"
    finally:
        process.kill()
        process.wait()


def answered(clients: Sequence[Pusher]) -> list[dict[str, Any]]:
    """The commits that clients got an answer for."""
    whole = (line for client in clients for line in client.journal.read_text().splitlines(keepends=True))
    return [json.loads(line) for line in whole if line.endswith("\n")]


def wait_for_more(clients: Sequence[Pusher], seen: list[int]) -> None:
    """Until each client has had another answer: the loop goes on."""
    deadline = time.monotonic() + WITHIN_S
    while not all(len(answered([client])) > count for client, count in zip(clients, seen, strict=True)):
        logs = {client.journal.stem: client.journal.with_suffix(".log").read_text()[-1500:] for client in clients}
        assert time.monotonic() < deadline, f"no push gets through any more: {logs}"
        time.sleep(0.02)


class Reader:
    """Reads back what a hub holds; contents that it has seen once it need not fetch in every revision again."""

    def __init__(self, hub: RunningHub) -> None:
        self._url, self._headers = hub.url, {"Authorization": f"Bearer {hub.owner_token}"}
        self._read: set[str] = set()

    def history(self, repo: str) -> list[str]:
        found, page = list[str](), 0
        while answer := self._get(f"/api/models/{repo}/commits/main?p={page}").json():
            found, page = [*found, *(each["id"] for each in answer)], page + 1
        return found

    def read(self, repo: str, commit: str) -> dict[str, str]:
        """Read every file of a revision; by path, its SHA-256 where it is large, else its git id."""
        found = {}
        for entry in self._get(f"/api/models/{repo}/tree/{commit}?recursive=true").json():
            if entry["type"] == "file":
                lfs = entry.get("lfs", {}).get("oid")
                if (lfs or entry["oid"]) not in self._read:
                    data = self._get(f"/{repo}/resolve/{commit}/{entry['path']}").content
                    named = hashlib.sha256(data).hexdigest() if lfs else blob_oid(data)
                    assert (len(data), named) == (entry["size"], lfs or entry["oid"]), f"{repo} {commit} {entry}"
                    self._read.add(named)
                found[entry["path"]] = lfs or entry["oid"]
        return found

    def _get(self, path: str) -> httpx.Response:
        answer = httpx.get(self._url + path, headers=self._headers, timeout=30, trust_env=False)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer


def problems(data: Path) -> list[str]:
    with opened(Settings(data=data)) as hub:
        return list(check(hub, lambda *_: None))


def verify(hub: RunningHub, sure: list[dict[str, Any]], compared: set[str], reader: Reader) -> None:
    """Nothing is wrong, and what was answered for is there, with the files that it had."""
    assert problems(hub.data) == []
    histories = {f"owner/{name}": set(reader.history(f"owner/{name}")) for name in CLIENTS}
    for commit in sure:
        assert commit["oid"] in histories[commit["repo"]], f"{commit['oid']} is lost"
        if commit["oid"] not in compared:
            assert reader.read(commit["repo"], commit["oid"]) == commit["files"], commit["oid"]
            compared.add(commit["oid"])


@pytest.mark.parametrize("kills", [5, pytest.param(30, marks=pytest.mark.slow)])
def test_killed_again_and_again(tmp_path: Path, kills: int, record_property: Any) -> None:
    chance = random.Random(kills)  # noqa: S311
    with running_hub(tmp_path / "hub") as hub, ExitStack() as stack:
        clients = [stack.enter_context(pushing(hub, name, kills, tmp_path)) for name in CLIENTS]
        compared, reader = set[str](), Reader(hub)
        wait_for_more(clients, [0, 0])
        for _ in range(kills):
            time.sleep(chance.uniform(0, 1.5))
            hub.kill()
            with asleep(clients):
                seen, sure = [len(answered([client])) for client in clients], answered(clients)
                hub.restart()
                verify(hub, sure, compared, reader)
            wait_for_more(clients, seen)
        stack.close()
        last, sure = Reader(hub), answered(clients)
        verify(hub, sure, set(), last)
        everything = [(name, oid) for name in CLIENTS for oid in last.history(f"owner/{name}")]
        for name, oid in everything:
            last.read(f"owner/{name}", oid)
    record_property("commits", len(everything))
    sys.stderr.write(f"{kills} kills, {len(sure)} answers, {len(everything)} commits\n")
