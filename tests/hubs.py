"""A real hub in a process of its own, to be used, killed and started again."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.checkout import ROOT
from tests.server.hubs import launch

STOP_S = 60.0  # 0.3 on a machine that does nothing else


class RunningHub:
    """`tars hub serve` over one folder; `url` stays the same from one start to the next."""

    def __init__(self, data: Path, *, environment: dict[str, str] | None = None) -> None:
        self.data = data
        self.environment = environment or {}
        self.port = 0
        self._log = data.with_name(f"{data.name}.log")
        self._known: set[str] = set()
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def owner_token(self) -> str:
        return (self.data / "owner-token").read_text().strip()

    def start(self) -> None:
        command = [sys.executable, "-m", "tars_hub", "hub", "serve", "--data", str(self.data)]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **self.environment}
        where = ["--host", "127.0.0.1", "--port", str(self.port)]
        served = launch([*command, *where], self._log, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
        self._process = served.process
        try:
            served.wait_until_it_answers(line=r"the hub answers at (\S+)")
        except AssertionError:
            self.kill()
            raise
        self.port = urlsplit(served.url).port or 0

    def restart(self) -> None:
        """Start again after `stop` or `kill`, at the same address."""
        assert not self.alive, "it runs"
        self.start()

    def stop(self) -> int:
        """End it as the system would, and return its exit status."""
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the hub did not end on SIGTERM:\n{self.said}") from None

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def said(self) -> str:
        """All that its processes said."""
        return self._log.read_text(errors="replace")

    @property
    def rss_bytes(self) -> int:
        """Memory in use now."""
        pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    @property
    def peak_rss_bytes(self) -> int:
        """The most memory it ever used since it started."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024

    @property
    def stored_bytes(self) -> int:
        """What it keeps: files by their sizes, and the catalogue's pages.

        The catalogue's file grows only when its log is copied into it, which may be long after what was written.
        """
        catalog = self.data / "catalog.sqlite"
        with closing(sqlite3.connect(catalog)) as connection:
            [kept] = connection.execute(
                "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
            ).fetchone()
        others = (path for path in self.data.rglob("*") if path.is_file() and not path.name.startswith(catalog.name))
        return int(kept) + sum(path.stat().st_size for path in others)

    def command(self, *words: str) -> str:
        """What `tars hub …` prints for this folder, the process running beside it or not."""
        command = [sys.executable, "-m", "tars_hub", "hub", *words, "--data", str(self.data)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
        assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def check(self) -> str:
        """Verify every byte with `tars hub check`; raises with what is wrong."""
        return self.command("check")

    def token(self, user: str, *, write: bool = True) -> str:
        """Make a token, and the user as well when there is none of that name."""
        if user not in {"owner", *self._known}:
            self.command("user", "add", user)
            self._known.add(user)
        return self.command("token", "create", user, "--write" if write else "--read").split()[-1]


@contextmanager
def running_hub(data: Path, *, environment: dict[str, str] | None = None) -> Iterator[RunningHub]:
    """Run a hub over `data` with these environment variables; show what it said when the block fails."""
    hub = RunningHub(data, environment=environment)
    try:
        yield hub
    except BaseException as error:
        if hasattr(error, "add_note"):
            error.add_note(f"the hub {'runs' if hub.alive else 'has ended'}; it said:\n{hub.said[-20_000:]}")
        raise
    finally:
        if hub.alive:
            hub.kill()
