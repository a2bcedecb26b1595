"""The hub beside a plain file server and `cp`: a large file up and down by the stock client, and a changed head.

    python benchmarks/hub.py [--bytes 1073741824] [--rounds 3] [--json OUT]

Every round does each thing once, in turn; the table gives medians, and ratios within this run alone. Wants nginx
(`apt-get install nginx-light`), without which its line is missing.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parent.parent
PIECE = 1 << 24
# Runs in a process of its own, so that nothing is remembered; says how long the client's call took.
CLIENT = """
import sys, time
from huggingface_hub import HfApi
api, (what, repo, path) = HfApi(), sys.argv[1:]
if what == "push":
    api.create_repo(repo, exist_ok=True)
begin = time.perf_counter()
if what == "push":
    api.upload_file(path_or_fileobj=path, path_in_repo="model.safetensors", repo_id=repo)
else:
    api.hf_hub_download(repo, "model.safetensors", local_dir=path)
print(time.perf_counter() - begin)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bytes", type=int, default=1 << 30, help="size of the large file (default 1 GiB)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures here as well")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tars-bench-") as folder:
        figures = measure(Path(folder), given.bytes, given.rounds)
    show(figures)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(folder: Path, size: int, rounds: int) -> dict[str, object]:
    """All figures: seconds of each thing by round, bytes of the changed head, the server's peak memory."""
    weights = folder / "weights.safetensors"
    write_weights(weights, size, seed=0)
    seconds: dict[str, list[float]] = {}
    with running_hub(folder / "data") as hub, running_nginx(folder, weights) as nginx:
        for number in range(rounds):
            for name, act in things(folder, hub, nginx, weights, number):
                seconds.setdefault(name, []).append(act())
                print(f"round {number + 1}: {name} {seconds[name][-1]:.2f} s", file=sys.stderr, flush=True)
        head = changed_head(folder, hub)
        return {"bytes": size, "seconds": seconds, "server_peak_bytes": hub.peak_bytes, "changed_head": head}


def things(
    folder: Path, hub: Hub, nginx: str | None, weights: Path, number: int
) -> Iterator[tuple[str, Callable[[], float]]]:
    """What is measured, in order; each gives its seconds."""
    by_xet, by_lfs = f"owner/xet-{number}", f"owner/lfs-{number}"
    fresh = folder / f"fresh-{number}.safetensors"
    write_weights(fresh, weights.stat().st_size, seed=number + 1)  # else the second push would find all of it there
    yield "cp", lambda: copied(fresh, folder / "copy")
    yield "push by Xet", lambda: client(folder, hub.url, "push", by_xet, fresh, hub.token)
    yield "push by LFS", lambda: client(folder, hub.url, "push", by_lfs, fresh, hub.token, xet=False)
    yield "pull what came by Xet", lambda: client(folder, hub.url, "pull", by_xet, folder / "down", hub.token)
    yield "pull what came by LFS", lambda: client(folder, hub.url, "pull", by_lfs, folder / "down", hub.token)
    if nginx is not None:
        yield "pull from nginx", lambda: client(folder, nginx, "pull", "owner/plain", folder / "down", "none")
    fresh.unlink()


def client(folder: Path, url: str, what: str, repo: str, path: Path, token: str, *, xet: bool = True) -> float:
    """One push or pull by the stock client in a process of its own; its seconds."""
    home = folder / "home"
    environment = {
        **os.environ,
        "HF_ENDPOINT": url,
        "HF_HOME": str(home),
        "HF_TOKEN": token,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_XET": "" if xet else "1",
    }
    command = [sys.executable, "-c", CLIENT, what, repo, str(path)]
    try:
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    finally:
        shutil.rmtree(home, ignore_errors=True)
        if what == "pull":
            shutil.rmtree(path, ignore_errors=True)
    return float(done.stdout.split()[-1])


def copied(source: Path, target: Path) -> float:
    begin = time.perf_counter()
    subprocess.run(["cp", "--reflink=never", source, target], check=True)
    took = time.perf_counter() - begin
    target.unlink()
    return took


def write_weights(path: Path, size: int, *, seed: int) -> None:
    """A safetensors file of about `size` bytes, of float32 noise as fresh weights are."""
    chance = np.random.default_rng(seed)
    header = {"weight": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size // 4 * 4]}}
    text = json.dumps(header).encode()
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        for at in range(0, size // 4 * 4, PIECE):
            count = min(PIECE, size // 4 * 4 - at) // 4
            stream.write((chance.standard_normal(count, np.float32) * np.float32(0.02)).tobytes())


class Hub:
    """A hub in a process of its own, and the most memory it was seen to use."""

    def __init__(self, process: psutil.Popen, url: str, data: Path) -> None:
        self.url, self.data, self.peak_bytes = url, data, 0
        self.token = (data / "owner-token").read_text().strip()
        self.process = process

    def watch(self, end: Event) -> None:
        while not end.wait(0.02):
            with contextlib.suppress(psutil.Error):
                self.peak_bytes = max(self.peak_bytes, self.process.memory_info().rss)

    def stored(self) -> int:
        """Bytes in its folder."""
        return sum(path.stat().st_size for path in self.data.rglob("*") if path.is_file())


@contextlib.contextmanager
def running_hub(data: Path) -> Iterator[Hub]:
    port = free_port()
    command = [sys.executable, "-m", "tars_hub", "hub", "serve", "--data", str(data), "--port", str(port)]
    process = psutil.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    end = Event()
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/health")
        hub = Hub(process, url, data)
        Thread(target=hub.watch, args=(end,), daemon=True).start()
        yield hub
    finally:
        end.set()
        process.terminate()
        process.wait()


@contextlib.contextmanager
def running_nginx(folder: Path, weights: Path) -> Iterator[str | None]:
    """The plain file server: one file, with the two headers without which the client takes none."""
    if shutil.which("nginx") is None:
        yield None
        return
    port = free_port()
    conf = folder / "nginx.conf"
    etag = hashlib.sha256(b"plain").hexdigest()
    conf.write_text(
        f"""daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
        events {{}}
        http {{
          access_log off; sendfile on; etag off;
          client_body_temp_path {folder}/n1; proxy_temp_path {folder}/n2; fastcgi_temp_path {folder}/n3;
          uwsgi_temp_path {folder}/n4; scgi_temp_path {folder}/n5;
          server {{
            listen 127.0.0.1:{port};
            location /owner/plain/resolve/main/model.safetensors {{
              alias {weights}; add_header X-Repo-Commit {"0" * 39}1; add_header ETag '"{etag}"';
            }}
            location /health {{ return 200; }}
          }}
        }}"""
    )
    process = subprocess.Popen(["nginx", "-c", str(conf), "-p", str(folder)])
    try:
        wait_for(f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def changed_head(folder: Path, hub: Hub) -> dict[str, int]:
    """Push a ResNet-18, then the same with another head, by a client that remembers nothing of the first push."""
    from safetensors.torch import load_file, save_file
    from torchvision.models import resnet18

    path = folder / "resnet18.safetensors"
    state = resnet18(num_classes=10).state_dict()
    save_file(state, path)
    client(folder, hub.url, "push", "owner/resnet18", path, hub.token)
    state = load_file(path)
    state["fc.weight"] += 1
    save_file(state, path)
    stored, moved = hub.stored(), loopback_bytes()
    client(folder, hub.url, "push", "owner/resnet18", path, hub.token)
    return {"file": path.stat().st_size, "moved": loopback_bytes() - moved, "stored": hub.stored() - stored}


def loopback_bytes() -> int:
    """What went over this machine's own network, both ways; the machine should be quiet."""
    return int(psutil.net_io_counters(pernic=True)["lo"].bytes_sent)


def show(figures: dict[str, object]) -> None:
    """The table."""
    seconds: dict[str, list[float]] = figures["seconds"]  # type: ignore[assignment]
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    plain = medians.get("pull from nginx")
    print(f"{figures['bytes']:,} bytes, medians of {len(seconds['cp'])}")
    for name, median in medians.items():
        beside = f"   {median / plain:5.2f} x nginx" if plain and name.startswith("pull") else ""
        print(f"{name:24} {median:7.2f} s   {median / medians['cp']:6.2f} x cp{beside}")
    head: dict[str, int] = figures["changed_head"]  # type: ignore[assignment]
    for what in ("moved", "stored"):
        print(f"changed head, {what:6}     {head[what]:,} of {head['file']:,} bytes, {head[what] / head['file']:.2%}")
    print(f"server's peak memory     {int(str(figures['server_peak_bytes'])) / 2**20:.0f} MiB")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError), urllib.request.urlopen(url):
            return
        time.sleep(0.05)
    raise SystemExit(f"{url} does not answer")


if __name__ == "__main__":
    main()
