"""The hub's memory does not grow with the files it takes and gives."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.hubs import RunningHub, running_hub

MIB = 1 << 20
MOST_BYTES = 200 * MIB
PUSH_AND_PULL = """
import hashlib, sys
from pathlib import Path
from huggingface_hub import HfApi, hf_hub_download
repo, path, target = sys.argv[1:]
api = HfApi()
api.create_repo(repo, exist_ok=True)
api.upload_file(path_or_fileobj=path, path_in_repo=Path(path).name, repo_id=repo)
if target:
    found = Path(hf_hub_download(repo, Path(path).name, local_dir=target))
    with open(path, "rb") as sent, found.open("rb") as got:
        assert hashlib.file_digest(sent, "sha256").digest() == hashlib.file_digest(got, "sha256").digest()
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    with running_hub(tmp_path / "hub") as running:
        yield running


def weights(path: Path, size: int) -> Path:
    """Noise, which no packing makes smaller."""
    with path.open("wb") as stream:
        for _ in range(size // MIB):
            stream.write(os.urandom(MIB))
    return path


def client(hub: RunningHub, tmp_path: Path, path: Path, target: str, **environment: str) -> None:
    env = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": hub.owner_token,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        **environment,
    }
    command = [sys.executable, "-c", PUSH_AND_PULL, "owner/m", str(path), target]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def told(hub: RunningHub, what: str) -> None:
    sys.stderr.write(f"{what}: {hub.peak_rss_bytes / MIB:.0f} MiB at the most\n")


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
class TestMemory:
    @pytest.mark.parametrize("way", ["xet", "lfs"])
    def test_two_gigabytes_up_and_down(self, hub: RunningHub, tmp_path: Path, way: str) -> None:
        path = weights(tmp_path / "model.safetensors", 2048 * MIB)
        client(hub, tmp_path, path, str(tmp_path / "down"), **({"HF_HUB_DISABLE_XET": "1"} if way == "lfs" else {}))
        told(hub, f"2 GiB by {way}")
        assert hub.peak_rss_bytes < MOST_BYTES

    @pytest.mark.parametrize("way", ["xet", "lfs"])
    def test_eight_downloads_at_once(self, hub: RunningHub, tmp_path: Path, way: str) -> None:
        path = weights(tmp_path / "model.safetensors", 200 * MIB)
        client(hub, tmp_path, path, "", **({"HF_HUB_DISABLE_XET": "1"} if way == "lfs" else {}))
        sizes: list[int] = []

        def download() -> None:
            url, headers = (
                f"{hub.url}/owner/m/resolve/main/model.safetensors",
                {"Authorization": f"Bearer {hub.owner_token}"},
            )
            with httpx.stream("GET", url, headers=headers, timeout=120, trust_env=False) as answer:
                sizes.append(sum(len(piece) for piece in answer.iter_raw()))

        threads = [threading.Thread(target=download) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        told(hub, f"8 downloads of 200 MiB that came by {way}")
        assert sizes == [200 * MIB] * 8
        assert hub.peak_rss_bytes < MOST_BYTES
