"""The application as a whole: mounts, paths as they were sent, and what goes wrong below it."""

from __future__ import annotations

import errno
from typing import Any
from unittest.mock import patch

import httpx
import pytest

from tars_hub.listening import address_of, listening, serving
from tars_hub.server.app import create_app
from tars_hub.server.hub import Hub
from tests.server.running import Site, done, large, site


async def _echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the path it sees, and whose it is."""
    del receive
    body = f"{scope['path']} below {scope.get('root_path', '')}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


class TestMounts:
    @pytest.mark.parametrize(
        ("path", "mounted"),
        [
            ("/demo", True),
            ("/demo/", True),
            ("/demo/a%20b?x=1", True),
            ("/demos/x", False),
            ("/ann/demo", False),
            ("/api/demo", False),
            ("/Demo", False),
        ],
    )
    def test_a_mount_gets_what_is_below_it(self, hub: Hub, path: str, mounted: bool) -> None:
        with listening("127.0.0.1", 0) as listener, serving(create_app(hub, mounts=[("/demo", _echo)]), listener):
            answer = httpx.get(address_of(listener) + path, trust_env=False, timeout=60)
        assert (answer.status_code == 200) == mounted
        if mounted:
            assert answer.text.startswith(path.replace("%20", " ").partition("?")[0])

    def test_the_hub_answers_beside_it(self, hub: Hub) -> None:
        with listening("127.0.0.1", 0) as listener, serving(create_app(hub, mounts=[("/demo", _echo)]), listener):
            answer = httpx.get(f"{address_of(listener)}/health", trust_env=False, timeout=60)
            assert answer.json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/no/such/address/at/all"), ("POST", "/health"), ("PATCH", "/api/models"), ("GET", "/api/repos/create")],
)
def test_no_such_address_is_json(shared: Site, method: str, path: str) -> None:
    answer = shared.ask(method, path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/json")
    assert answer.json() == {"error": f"nothing at {method} {path}"}


class TestDisk:
    def test_a_full_disk_is_said_so(self, shared: Site) -> None:
        repo = shared.create("ann/full", "ann")
        full = OSError(errno.ENOSPC, "No space left on device")
        with patch.object(type(shared.hub.blobs), "writing", side_effect=full):
            answer = shared.ask("POST", f"/api/models/{repo}/commit/main", "ann", content=_commit())
            assert (answer.status_code, "No space left" in answer.json()["error"]) == (507, True)
        assert len(shared.get(f"/api/models/{repo}/commits/main").json()) == 1
        done(shared.ask("POST", f"/api/models/{repo}/commit/main", "ann", content=_commit()))

    def test_what_was_lost_is_no_good_answer(self) -> None:
        """A blob that is gone."""
        with site() as running:
            running.add("ann")
            repo = running.create("ann/m", "ann")
            sha256 = running.upload(repo, "ann", b"weights" * 1000)
            done(running.commit(repo, "ann", large("model.bin", sha256)))
            from tars_hub.server.blobs.interface import Key

            running.hub.blobs.delete(Key("file", sha256))
            assert running.get(f"/{repo}/resolve/main/model.bin").status_code == 404
            assert running.get("/health").status_code == 200


def _commit() -> bytes:
    from tests.server.running import line, ndjson, small

    return ndjson(line("header", summary="s"), small("a", b"some new bytes"))


def test_the_hub_starts_without_the_model_side() -> None:
    """Neither torch nor OpenCV, which take seconds and hundreds of megabytes."""
    from tests.checkout import run_python

    script = "import sys, tars_hub.server.app, tars_hub.server.start, tars_hub.server.check; print(sorted(sys.modules))"
    loaded = run_python(script)
    assert not [name for name in ("torch", "cv2", "PIL", "gradio", "transformers") if f"'{name}'" in loaded]
