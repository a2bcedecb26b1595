"""The hub's pages beside nginx, which serves the very same bytes from disk: 1,000 models of 50 revisions each.

    python benchmarks/pages.py [--models 1000] [--revisions 50] [--requests 200] [--json OUT]

Every address is asked for once, so that nothing of it is remembered: of the hub, then of nginx, over one connection
each. Wants nginx (`apt-get install nginx-light`), without which there is nothing to compare with.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from full_hub import BACKBONES, OWNERS, WORDS, fill  # noqa: E402  # beside this file
from hub import free_port, running_hub, wait_for  # noqa: E402

from tars_hub.server.settings import Settings  # noqa: E402
from tars_hub.server.start import opened  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--revisions", type=int, default=50, help="of each model")
    parser.add_argument("--requests", type=int, default=200, help="for each kind of page")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures here as well")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tars-bench-") as folder:
        figures = measure(Path(folder), given.models, given.revisions, given.requests)
    show(figures)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(folder: Path, models: int, revisions: int, requests: int) -> dict[str, dict[str, list[float]]]:
    """Milliseconds of each request, by kind of page and by who answered."""
    begin = time.perf_counter()
    with opened(Settings(data=folder / "data")) as hub:
        made = fill(hub, models, revisions)
    took = time.perf_counter() - begin
    print(f"{models:,} models of {revisions} revisions made in {took:.0f} s", file=sys.stderr, flush=True)
    found: dict[str, dict[str, list[float]]] = {}
    with running_hub(folder / "data") as running, running_nginx(folder) as nginx:
        for kind, paths in addresses(made, requests).items():
            found[kind] = compared(folder / "www", running.url, nginx, paths)
            line = ", ".join(f"{who} {statistics.median(times):.1f} ms" for who, times in found[kind].items())
            print(f"{kind}: {line}", file=sys.stderr, flush=True)
    return found


def compared(www: Path, hub: str, nginx: str | None, paths: list[str]) -> dict[str, list[float]]:
    """Ask the hub for each address, and then nginx for what it answered."""
    times: dict[str, list[float]] = {"hub": [], "nginx": []}
    ours, theirs = connection(hub), connection(nginx) if nginx else None
    for number, path in enumerate(paths):
        took, body = asked(ours, path)
        times["hub"].append(took)
        if theirs is not None:
            (www / f"{number}.html").write_bytes(body)
            took, same = asked(theirs, f"/{number}.html")
            times["nginx"].append(took)
            if same != body:
                raise SystemExit(f"nginx answered something else for {path}")
    return times


def connection(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    return http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)


def asked(server: http.client.HTTPConnection, path: str) -> tuple[float, bytes]:
    """Milliseconds until the whole answer is there, and the answer."""
    begin = time.perf_counter()
    server.request("GET", path, headers={"Accept": "text/html"})
    answer = server.getresponse()
    body = answer.read()
    took = (time.perf_counter() - begin) * 1000
    if answer.status != 200:
        raise SystemExit(f"GET {path}: {answer.status} {body[:200]!r}")
    return took, body


def addresses(made: list[tuple[str, list[str]]], count: int) -> dict[str, list[str]]:
    """What is asked for, by kind; models and revisions by chance."""
    chance = random.Random(0)  # noqa: S311  # the same in each run

    def some() -> tuple[str, str, str]:
        name, commits = chance.choice(made)
        return name, chance.choice(commits), chance.choice(commits)

    picked = [some() for _ in range(count)]
    pages = max(len(made) // 30, 1)
    return {
        "/": ["/"] * count,
        "/?page=": [f"/?{urlencode({'page': 1 + number % pages})}" for number in range(count)],
        "/?search=": [f"/?{urlencode({'search': chance.choice(WORDS), 'sort': 'name'})}" for _ in picked],
        "/?backbone=&classes=": [f"/?backbone={chance.choice(BACKBONES)}&classes=3-10" for _ in picked],
        "/?tag=": [f"/?tag={chance.choice(BACKBONES)}" for _ in picked],
        "/{owner}": [f"/{chance.choice(OWNERS)}" for _ in picked],
        "/{model}": [f"/{name}" for name, _, _ in picked],
        "/{model}?rev=": [f"/{name}?rev={commit}" for name, commit, _ in picked],
        "/{model}/tree": [f"/{name}/tree/main" for name, _, _ in picked],
        "/{model}/blob": [f"/{name}/blob/{commit}/config.json" for name, commit, _ in picked],
        "/{model}/commits": [f"/{name}/commits/main" for name, _, _ in picked],
        "/{model}/commit": [f"/{name}/commit/{commit}" for name, commit, _ in picked],
        "/{model}/compare": [f"/{name}/compare/{one}...{other}" for name, one, other in picked],
    }


@contextlib.contextmanager
def running_nginx(folder: Path) -> Iterator[str | None]:
    """The plain file server, over what lies in `www`."""
    (folder / "www").mkdir()
    if shutil.which("nginx") is None:
        print("no nginx here: nothing to compare with", file=sys.stderr)
        yield None
        return
    port, conf = free_port(), folder / "nginx.conf"
    folder.chmod(0o755)  # its workers may be another user
    conf.write_text(
        f"""daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
        events {{}}
        http {{
          access_log off; sendfile on; tcp_nodelay on; keepalive_requests 1000000; default_type text/html;
          client_body_temp_path {folder}/n1; proxy_temp_path {folder}/n2; fastcgi_temp_path {folder}/n3;
          uwsgi_temp_path {folder}/n4; scgi_temp_path {folder}/n5;
          server {{ listen 127.0.0.1:{port}; root {folder}/www; location = /health {{ return 200; }} }}
        }}"""
    )
    process = subprocess.Popen(["nginx", "-c", str(conf), "-p", str(folder)])
    try:
        wait_for(f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def show(figures: dict[str, dict[str, list[float]]]) -> None:
    """The table, in milliseconds."""
    print(f"{'':24}{'p50':>8}{'p95':>8}{'max':>8}{'nginx p50':>12}{'p95':>8}{'p50 ratio':>12}")
    for kind, times in figures.items():
        line = f"{kind:24}" + "".join(f"{value:8.1f}" for value in summary(times["hub"]))
        if times["nginx"]:
            median, high, _ = summary(times["nginx"])
            line += f"{median:12.2f}{high:8.2f}{statistics.median(times['hub']) / median:11.0f}x"
        print(line)


def summary(times: list[float]) -> tuple[float, float, float]:
    """Median, 95th percentile, the longest."""
    ordered = sorted(times)
    return statistics.median(ordered), ordered[int(0.95 * (len(ordered) - 1))], ordered[-1]


if __name__ == "__main__":
    main()
