"""What every test stands on: no network but this machine's own, and caches of its own."""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import tempfile
from typing import Any

# huggingface_hub reads these when it is imported, so they are set before any test module is.
_CACHES = tempfile.mkdtemp(prefix="tars-tests-")
atexit.register(shutil.rmtree, _CACHES, ignore_errors=True)
os.environ |= {"HF_HOME": f"{_CACHES}/hf", "TORCH_HOME": f"{_CACHES}/torch", "HF_HUB_DISABLE_TELEMETRY": "1"}
# A graph takes seconds to export; the tests that are about it ask for it.
os.environ |= {"TARS_CACHE": f"{_CACHES}/tars", "TARS_ENGINE": "torch"}
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch's threads spin, and would take each other's cores
for _name in (
    "HF_HUB_OFFLINE",
    "TRANSFORMERS_OFFLINE",
    "HF_ENDPOINT",
    "HF_TOKEN",
    "HF_HUB_CACHE",
    "HF_HUB_DISABLE_XET",
):
    os.environ.pop(_name, None)

_HERE = {"127.0.0.1", "::1", "localhost", "0.0.0.0", "", None}  # noqa: S104  # compared, not listened on


class NetworkBlockedError(OSError):
    """A test asked for something outside this machine."""


def _refuse_outside(host: object) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name not in _HERE:
        raise NetworkBlockedError(f"tests may not use the network, and this one asked for {name}")


def _block_network() -> None:
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _refuse_outside(address[0])
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _refuse_outside(address[0])
        return connect_ex(self, address)

    def guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        _refuse_outside(host)
        return getaddrinfo(host, *args, **kwargs)

    socket.socket.connect = guarded_connect  # type: ignore[method-assign]
    socket.socket.connect_ex = guarded_connect_ex  # type: ignore[method-assign]
    socket.getaddrinfo = guarded_getaddrinfo


_block_network()
