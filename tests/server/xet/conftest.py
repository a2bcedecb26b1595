"""What the real client sends, uploaded once for all tests of the formats."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tars_hub.server.xet.chunks import ChunkTable
from tars_hub.server.xet.shard import ShardFile, parse_shard
from tars_hub.server.xet.xorb import decode_chunks

from .making import noise, received
from .recorder import Recorder, recording

Upload = Callable[[Recorder, dict[str, bytes]], list[str]]


@dataclass(frozen=True)
class Uploaded:
    """Files, the Xet hash that the client gave each, and what it sent."""

    files: dict[str, bytes]
    hashes: dict[str, str]
    recorder: Recorder


@pytest.fixture(scope="session")
def upload(tmp_path_factory: pytest.TempPathFactory) -> Upload:
    """Return a function that uploads files with hf_xet, in a process with empty caches of its own."""

    def run(recorder: Recorder, files: dict[str, bytes]) -> list[str]:
        folder = tmp_path_factory.mktemp("upload")
        for name, data in files.items():
            (folder / name).write_bytes(data)
        command = [sys.executable, str(Path(__file__).parent / "uploading.py"), recorder.endpoint]
        environment = os.environ | {"HF_HOME": str(folder / "hf")}
        environment.pop("HF_XET_CACHE", None)
        done = subprocess.run(
            [*command, *(str(folder / name) for name in files)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    return run


@pytest.fixture(scope="session")
def uploaded(upload: Upload) -> Iterator[Uploaded]:
    """Upload weights, noise of more than one xorb, repeated bytes, and files of 0 to 5 bytes."""
    files = {
        "weights": np.random.default_rng(1).standard_normal(3_000_000, dtype=np.float32).tobytes(),
        "noise": noise(2, 66 << 20),
        "repeated": b"Tars" * 100_000,
    } | {f"tiny-{length}": bytes(range(length)) for length in range(6)}
    with recording() as recorder:
        hashes = upload(recorder, files)
        yield Uploaded(files, dict(zip(files, hashes, strict=True)), recorder)


@pytest.fixture(scope="session")
def tables(uploaded: Uploaded) -> dict[str, ChunkTable]:
    """Return the chunk tables of the uploaded xorbs."""
    return {name: received(data)[0].chunks for name, data in uploaded.recorder.xorbs().items()}


def shard_files(recorder: Recorder) -> dict[str, ShardFile]:
    """Return every file of every shard, by its Xet hash."""
    return {file.hash: file for data in recorder.shards() for file in parse_shard(data).files}


def reassembled(file: ShardFile, xorbs: dict[str, bytes], tables: dict[str, ChunkTable]) -> bytes:
    """Put a file together from stored xorbs."""
    parts: list[bytes] = []
    for term in file.terms:
        first, last = tables[term.xorb].packed_range(term.start, term.end)
        parts += decode_chunks(memoryview(xorbs[term.xorb])[first:last])
    return b"".join(parts)
