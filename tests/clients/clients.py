"""The clients that are tried: an interpreter with its own huggingface_hub each, and the scripts that run in it."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
SCENARIOS = HERE / "scenarios"
MAIN = "main"
NAMES = [MAIN, *sorted(path.stem for path in HERE.glob("hub-*.txt"))]
TIMEOUT_S = 600  # of what never ends; a busy machine takes minutes


def built(name: str) -> Path | None:
    """The folder of a client's environment as TARS_CLIENTS tells it; None when it was not built."""
    told = dict(part.split("=", 1) for part in os.environ.get("TARS_CLIENTS", "").split(os.pathsep) if "=" in part)
    folder = Path(told[name]) if name in told else None
    return folder if folder and (folder / "bin" / "python").exists() else None


def executable(name: str) -> Path | None:
    """The interpreter of a client; `main` is the one that runs the tests."""
    if name == MAIN:
        return Path(sys.executable)
    folder = built(name)
    return folder and folder / "bin" / "python"


HOW = "export TARS_CLIENTS=$(tests/clients/build)"
# Tried also where there is no time for all: today's client.
QUICK = {MAIN}
# Every client as a parameter of a test; those whose environment was not built are skipped, and say how to build it.
CLIENTS = {
    name: pytest.param(
        name,
        marks=[
            pytest.mark.skipif(not executable(name), reason=f"no environment of the client {name}; build it: {HOW}"),
            *([] if name in QUICK else [pytest.mark.slow]),
        ],
    )
    for name in NAMES
}


def checks_of(scenario: str) -> list[str]:
    """The names of a scenario's checks, in order, read without importing it: its imports are another client's."""
    tree = ast.parse((SCENARIOS / f"{scenario}.py").read_text())
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("check_")]


@dataclass(kw_only=True)
class Client:
    """One huggingface_hub with a home, a user and a token of its own."""

    name: str
    python: Path
    home: Path
    url: str
    user: str
    token: str
    facts: dict[str, Any] = field(default_factory=dict)
    outcomes: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def xet(self) -> bool:
        return not self.name.endswith("-without-xet")

    def environment(self, **more: str) -> dict[str, str]:
        """The environment variables a person at this hub would set, and a home nobody else uses."""
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING", "TRANSFORMERS_"))
        }
        return {
            **kept,
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(self.home),
            "HF_TOKEN": self.token,
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            # Whatever is not on this machine is asked of a proxy that is not there.
            **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9"),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
            "NO_COLOR": "1",
            "COLUMNS": "400",
            **more,
        }

    def start(self, script: str, **facts: Any) -> subprocess.Popen[str]:
        """Begin a script of `scenarios`; it gets `facts`, beside those of this client, as JSON in its environment."""
        told = {
            "url": self.url,
            "user": self.user,
            "token": self.token,
            "client": self.name,
            "xet": self.xet,
            **self.facts,
            **facts,
        }
        return subprocess.Popen(
            [str(self.python), "-W", "ignore", str(SCENARIOS / f"{script}.py")],
            env=self.environment(TARS_SCENARIO=json.dumps(told), HF_ENDPOINT=told["url"]),
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, script: str, **facts: Any) -> Any:
        """What a script of `scenarios` tells: the JSON of its last line."""
        return told_by(self.start(script, **facts))

    def outcome(self, scenario: str, check: str) -> str:
        """ "ok", or how this check of a scenario failed; the whole scenario runs at the first question about it."""
        if scenario not in self.outcomes:
            work = self.home / "work" / scenario
            work.mkdir(parents=True)
            started = time.monotonic()
            self.outcomes[scenario] = self.run(scenario, folder=str(work))
            self.outcomes[scenario]["seconds"] = f"{time.monotonic() - started:.1f}"
        return self.outcomes[scenario].get(check, "the script did not come this far")

    def hf(self, *words: str, token: str | None = None, check: bool | None = True, **more: str) -> str:
        """What the `hf` command prints, on both streams.

        Args:
            token: instead of the client's; an empty one leaves out HF_TOKEN.
            check: whether it is to end well; None takes either.
        """
        environment = self.environment(**more)
        if token is not None:
            environment |= {"HF_TOKEN": token}
        if not environment["HF_TOKEN"]:
            del environment["HF_TOKEN"]
        command = [str(self.python.parent / "hf"), *words]
        done = subprocess.run(
            command, env=environment, cwd=self.home, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        said = f"{done.stdout}{done.stderr}"
        if check:
            assert done.returncode == 0, f"hf {' '.join(words)} ended with {done.returncode}:\n{said[-3000:]}"
        elif check is False:
            assert done.returncode != 0, f"hf {' '.join(words)} was to fail and said:\n{said[-3000:]}"
        return said


class NoEndError(AssertionError):
    """A script did not end by itself."""


def told_by(process: subprocess.Popen[str], *, timeout_s: float = TIMEOUT_S) -> Any:
    """Wait for a script that `Client.start` began, and read what it tells. Raises NoEndError, after it was killed."""
    try:
        output, errors = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        output, errors = process.communicate()
        raise NoEndError(f"no end after {timeout_s} s:\n{output[-2000:]}\n{errors[-4000:]}") from None
    assert process.returncode == 0, f"the script ended with {process.returncode}:\n{output[-2000:]}\n{errors[-4000:]}"
    return json.loads(output.splitlines()[-1])
