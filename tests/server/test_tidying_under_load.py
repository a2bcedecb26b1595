"""Housekeeping beside real clients that push, and killed again and again: nothing that a commit names is lost."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.checkout import ROOT
from tests.hubs import RunningHub, running_hub
from tests.server.test_crash import CLIENTS, Reader, problems

HERE = Path(__file__).parent
WITHIN_S = 180  # for what must come, on a machine that does much else
# What a client may be told: that something came too late, or is to be sent again.
CLEAR = re.compile(
    r"upload it (again|first|before)|send it again|was freed meanwhile|removed meanwhile|ask again|"
    r"no branch|moved by somebody else"
)


@contextmanager
def process(command: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as stream:
        running = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stdout=stream, stderr=stream)
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def churning(hub: RunningHub, name: str, seed: int, folder: Path) -> Any:
    environment = {
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": hub.owner_token,
        "HF_HOME": str(folder / f"home-{name}"),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_XET_CLIENT_RETRY_BASE_DELAY": "100ms",
        **CLIENTS[name],
    }
    command = [sys.executable, str(HERE / "churning.py"), name, str(seed), str(folder / f"{name}.journal")]
    return process(command, folder / f"{name}.log", **environment)


def lines(path: Path) -> list[dict[str, Any]]:
    whole = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in whole if line.endswith("\n")]


def tidy_and_kill(hub: RunningHub, folder: Path, seconds: float, clients: list[subprocess.Popen[bytes]]) -> None:
    """Run after run, with no grace or with a second or three; each process dies before long.

    It goes on for so many seconds, and on a busy machine until all have come to work: something was freed by then.
    """
    chance, began = random.Random(seconds), time.monotonic()  # noqa: S311
    journal, log = folder / "tidied.journal", folder / "tidier.log"
    while time.monotonic() < began + seconds or (time.monotonic() < began + WITHIN_S and not freed(journal)):
        grace = chance.choice(["0", "1", "3"])
        command = [sys.executable, "-m", "tests.server.tidier", str(hub.data), grace, str(journal)]
        before = begun(log)
        with process(command, log) as tidier:
            wait_for(lambda before=before: begun(log) > before, tidier, log)
            time.sleep(chance.uniform(0.5, 4))
            assert tidier.poll() is None, log.read_text()[-3000:]
        assert all(client.poll() is None for client in clients)


def freed(journal: Path) -> int:
    """Blobs, in all runs."""
    return sum(each["blobs"] for each in lines(journal))


def begun(log: Path) -> int:
    """How many processes have begun to tidy."""
    return log.read_text().count("tidying\n") if log.exists() else 0


def wait_for(happened: Callable[[], bool], running: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + WITHIN_S
    while not happened():
        assert running.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < ends
        time.sleep(0.02)


def revisions(reader: Reader, repo: str) -> set[str]:
    """All commits that a branch, a tag or a pull request leads to."""
    found = reader._get(f"/api/models/{repo}/refs?include_prs=1").json()
    refs = [ref["ref"] for kind in ("branches", "tags", "pullRequests") for ref in found.get(kind, [])]
    commits = set[str]()
    for ref in refs:
        page = 0
        quoted = ref.replace("/", "%2F")
        while answer := reader._get(f"/api/models/{repo}/commits/{quoted}?p={page}").json():
            commits |= {each["id"] for each in answer}
            page += 1
    return commits


@pytest.mark.parametrize("seconds", [10, pytest.param(240, marks=pytest.mark.slow)])
def test_nothing_is_lost_while_clients_push(tmp_path: Path, seconds: int) -> None:
    with running_hub(tmp_path / "hub") as hub:
        with ExitStack() as stack:
            clients = [stack.enter_context(churning(hub, name, seconds, tmp_path)) for name in CLIENTS]
            tidy_and_kill(hub, tmp_path, seconds, clients)
        steps = [line for name in CLIENTS for line in lines(tmp_path / f"{name}.journal")]
        outcomes = Counter((line["step"], line["outcome"] == "done") for line in steps)
        unclear = [line for line in steps if line["outcome"] != "done" and not CLEAR.search(line["outcome"])]
        assert not unclear, unclear[:5]
        reader = Reader(hub)
        repos = [each["id"] for each in reader._get("/api/models?author=owner").json()]
        read = 0
        for repo in repos:
            for oid in revisions(reader, repo):
                reader.read(repo, oid)
                read += 1
        assert problems(hub.data) == []
        last = subprocess.run(
            [sys.executable, "-m", "tars_hub", "hub", "gc", "--data", str(hub.data), "--grace-days", "0"],
            cwd=ROOT, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        assert problems(hub.data) == []
        reader = Reader(hub)
        for repo in repos:
            for oid in revisions(reader, repo):
                reader.read(repo, oid)
    tidied = lines(tmp_path / "tidied.journal")
    assert freed(tmp_path / "tidied.journal") > 0
    done = sum(count for (_, well), count in outcomes.items() if well)
    assert done > len(steps) / 4
    sys.stderr.write(
        f"{len(steps)} steps, {done} done, {read} revisions read; {len(tidied)} runs freed "
        f"{sum(each['blobs'] for each in tidied)} blobs, {sum(each['blob_bytes'] for each in tidied):,} bytes, "
        f"{sum(each['rows'] for each in tidied):,} rows; longest transaction "
        f"{max(each['longest_s'] for each in tidied) * 1000:.0f} ms; {last!r}\n"
    )


PUSH = """
import random, sys
from huggingface_hub import HfApi
api, repo = HfApi(), sys.argv[1]
api.create_repo(repo, exist_ok=True)
data = random.Random(3).randbytes(2_000_000)
path = sys.argv[2]
open(path, "wb").write(data)
api.upload_file(path_or_fileobj=path, path_in_repo="model.safetensors", repo_id=repo)
"""


def test_a_client_that_remembers_chunks_that_were_freed(tmp_path: Path) -> None:
    """By the address of the store it knows what it sent there, and does not send it again."""
    with running_hub(tmp_path / "hub") as hub:
        environment = {
            **os.environ,
            "HF_ENDPOINT": hub.url,
            "HF_TOKEN": hub.owner_token,
            "HF_HOME": str(tmp_path / "home"),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        }

        def push(repo: str) -> None:
            command = [sys.executable, "-c", PUSH, repo, str(tmp_path / "model.safetensors")]
            subprocess.run(command, env=environment, check=True, capture_output=True, text=True)

        def tidy() -> str:
            command = [sys.executable, "-m", "tars_hub", "hub", "gc", "--data", str(hub.data), "--grace-days", "0"]
            return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout

        def delete(name: str) -> None:
            headers, url = {"Authorization": f"Bearer {hub.owner_token}"}, f"{hub.url}/api/repos/delete"
            with httpx.Client(headers=headers, timeout=60, trust_env=False) as client:
                assert client.request("DELETE", url, json={"name": name}).is_success

        for name in ("first", "second"):
            push(f"owner/{name}")
            Reader(hub).read(f"owner/{name}", "main")
            delete(name)
            assert int(tidy().split(" bytes")[0].removeprefix("freed ").replace(",", "")) > 1_900_000
        push("owner/third")
        assert list((tmp_path / "home" / "xet").iterdir())
        assert Reader(hub).read("owner/third", "main").keys() >= {"model.safetensors"}
        assert problems(hub.data) == []
