"""The page's `/classify`, asked over plain HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

_TIMEOUT_S = 60  # a busy machine takes a while


def call(url: str, picture: dict[str, Any], **options: Any) -> tuple[str, Any]:
    """The kind of the last event, and its data; options as `httpx.post`."""
    api = f"{url}gradio_api/call/classify"
    picture = {**picture, "meta": {"_type": "gradio.FileData"}}
    event = httpx.post(api, json={"data": [picture]}, timeout=_TIMEOUT_S, **options).json()["event_id"]
    lines = httpx.get(f"{api}/{event}", timeout=_TIMEOUT_S).text.strip().splitlines()
    return lines[-2].removeprefix("event: "), json.loads(lines[-1].removeprefix("data: "))


def upload(url: str, file: Path) -> str:
    """The path that the server keeps it under."""
    files = {"files": (file.name, file.read_bytes())}
    answer = httpx.post(f"{url}gradio_api/upload", files=files, timeout=_TIMEOUT_S)
    path: str = answer.json()[0]
    return path
