"""A whole hub in this process, over HTTP, with people and the requests they make."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tars_hub.listening import address_of, listening, serving
from tars_hub.server.app import create_app
from tars_hub.server.blobs.memory import MemoryBlobs
from tars_hub.server.catalog.sql import SqlCatalog
from tars_hub.server.hub import Hub
from tars_hub.server.records import Caller, Role
from tars_hub.server.rules.accounts import add_user
from tars_hub.server.rules.tokens import caller_of, create_token
from tars_hub.server.settings import Limits, Settings
from tars_hub.server.signing import Signer


@contextmanager
def memory_hub(**settings: Any) -> Iterator[Hub]:
    """A hub that keeps nothing."""
    with tempfile.TemporaryDirectory(prefix="tars-hub-") as folder:
        catalog = SqlCatalog.open("sqlite://")
        chosen = Settings(data=Path(folder), **settings)
        try:
            yield Hub(settings=chosen, catalog=catalog, blobs=MemoryBlobs(), signer=Signer(catalog.secret))
        finally:
            catalog.close()


@dataclass
class Site:
    """A hub that answers.

    Attributes:
        tokens: texts of tokens, by user and role: `ann` and `ann:read`.
    """

    hub: Hub
    url: str
    client: httpx.Client
    tokens: dict[str, str] = field(default_factory=dict)

    def add(self, *names: str) -> None:
        """Users, each with a token that may write and one that may not."""
        for name in names:
            add_user(self.hub, name)
            self.tokens[name] = self.token(name, "write")
            self.tokens[f"{name}:read"] = self.token(name, "read")

    def clear(self) -> None:
        """Remove all repositories."""
        for repo in self.hub.catalog.repositories.all(0, 1000):
            self.hub.catalog.repositories.remove(repo.id)

    def token(self, name: str, role: Role) -> str:
        return create_token(self.hub, name, role=role)

    def caller(self, who: str) -> Caller:
        return caller_of(self.hub, self.tokens[who])

    def ask(self, method: str, path: str, who: str = "", **options: Any) -> httpx.Response:
        """A request by the holder of a token, by nobody, or with a text that is no token (`who` unknown)."""
        headers = dict(options.pop("headers", {}))
        if who:
            headers["Authorization"] = f"Bearer {self.tokens.get(who, who)}"
        url = path if path.startswith("http") else self.url + path
        return self.client.request(method, url, headers=headers, **options)

    def get(self, path: str, who: str = "", **options: Any) -> httpx.Response:
        return self.ask("GET", path, who, **options)

    def create(self, full_name: str, who: str, *, private: bool = False, gated: bool = False) -> str:
        wanted = {"name": full_name.partition("/")[2], "visibility": "private" if private else "public"}
        done(self.ask("POST", "/api/repos/create", who, json=wanted))
        if gated:
            done(self.ask("PUT", f"/api/models/{full_name}/settings", who, json={"gated": "auto"}))
        return full_name

    def commit(self, repo: str, who: str, *lines: dict[str, Any], to: str = "main", **more: Any) -> httpx.Response:
        """Commit lines; `more` goes into the header."""
        body = ndjson(line("header", **{"summary": "a change", **more}), *lines)
        return self.ask("POST", f"/api/models/{repo}/commit/{to}", who, content=body)

    def put(self, repo: str, who: str, files: dict[str, bytes], to: str = "main") -> str:
        """Commit small files; the commit's id."""
        found = done(self.commit(repo, who, *(small(path, data) for path, data in files.items()), to=to))
        return str(found.json()["commitOid"])

    def upload(self, repo: str, who: str, data: bytes) -> str:
        """A large file's content by LFS, not committed; its SHA-256."""
        sha256 = hashlib.sha256(data).hexdigest()
        action = self.batch(repo, who, sha256, len(data)).get("actions")
        if action:
            done(self.client.put(action["upload"]["href"], content=data))
        return sha256

    def batch(self, repo: str, who: str, sha256: str, size: int, *transfers: str) -> dict[str, Any]:
        wanted = {
            "operation": "upload",
            "transfers": list(transfers) or ["basic"],
            "objects": [{"oid": sha256, "size": size}],
        }
        answer = done(self.ask("POST", f"/{repo}.git/info/lfs/objects/batch", who, json=wanted)).json()
        found: dict[str, Any] = answer["objects"][0]
        return found

    def put_large(self, repo: str, who: str, path: str, data: bytes, to: str = "main") -> str:
        """Upload and commit a large file; the commit's id."""
        sha256 = self.upload(repo, who, data)
        return str(done(self.commit(repo, who, large(path, sha256), to=to)).json()["commitOid"])

    def raw(self, request: bytes, *, hang_up: bool = False) -> bytes:
        """What comes back for bytes that no client would send, which must ask for the connection to be closed."""
        at = urlsplit(self.url)
        with socket.create_connection((str(at.hostname), int(at.port or 0)), timeout=20) as connection:
            connection.sendall(request)
            if hang_up:
                connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(1 << 16), b""))


@contextmanager
def site(hub: Hub | None = None, **limits: int) -> Iterator[Site]:
    """A hub that answers: in memory, or the one that is given."""
    if hub is None:
        with memory_hub(limits=Limits(**limits)) as made, site(made) as found:
            yield found
        return
    with (
        listening("127.0.0.1", 0) as listener,
        serving(create_app(hub), listener),
        httpx.Client(timeout=60, trust_env=False) as client,
    ):
        yield Site(hub, address_of(listener), client)


def done(answer: httpx.Response) -> httpx.Response:
    """The answer, which must be a good one."""
    assert answer.status_code < 300, f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
    return answer


def line(key: str, **value: Any) -> dict[str, Any]:
    return {"key": key, "value": value}


def small(path: str, data: bytes) -> dict[str, Any]:
    return line("file", path=path, content=base64.b64encode(data).decode(), encoding="base64")


def large(path: str, sha256: str, size: int | None = None) -> dict[str, Any]:
    more = {} if size is None else {"size": size}
    return line("lfsFile", path=path, algo="sha256", oid=sha256, **more)


def gone(path: str, *, folder: bool = False) -> dict[str, Any]:
    return line("deletedFolder" if folder else "deletedFile", path=path)


def ndjson(*lines: dict[str, Any]) -> bytes:
    return "".join(json.dumps(each) + "\n" for each in lines).encode()
