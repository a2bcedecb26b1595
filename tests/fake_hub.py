"""A small hub in a thread, written from the protocol and not from the project's own server.

It answers what huggingface_hub's client asks while it pushes a folder and pulls it again: repositories live in memory,
every file is a "regular" one (its content travels inside the commit), and there is one user, alice, with one token.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_alices_token"  # noqa: S105  # of the fake hub alone


@dataclass
class Repository:
    """Commits by their id, each the whole tree, and the branches that name them."""

    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def commit(self, branch: str, changes: dict[str, bytes], deleted: Collection[str] = ()) -> str:
        """Lay the changes over the branch's tree; the new commit's id."""
        tree = {**self.commits.get(self.branches.get(branch, ""), {}), **changes}
        tree = {path: content for path, content in tree.items() if path not in deleted}
        parent = self.branches.get(branch, "")
        text = parent + "".join(f"{path}{hashlib.sha1(tree[path]).hexdigest()}" for path in sorted(tree))  # noqa: S324
        sha = hashlib.sha1(text.encode()).hexdigest()  # noqa: S324  # an id, as git's are
        self.commits[sha] = tree
        self.branches[branch] = sha
        return sha

    def find(self, revision: str) -> str | None:
        """The commit a branch or a commit id stands for."""
        return self.branches.get(revision) or (revision if revision in self.commits else None)


@dataclass
class FakeHub:
    """The hub's content and what it was asked.

    Attributes:
        url: where it listens.
        repositories: by "namespace/name".
        requests: "METHOD path" of each request, in order.
        answers: path prefixes that are answered with this status and body instead, to play a broken hub.
    """

    url: str
    repositories: dict[str, Repository] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    """A running hub on a free port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    hub = FakeHub(url=f"http://127.0.0.1:{server.server_address[1]}")
    server.hub = hub  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _RefusedError(Exception):
    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {}) | headers


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *_: Any) -> None:
        """Say nothing: the tests' output is not the place."""

    @property
    def hub(self) -> FakeHub:
        return self.server.hub  # type: ignore[attr-defined,no-any-return]

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        self.hub.requests.append(f"{self.command} {path}")
        played = next((answer for prefix, answer in self.hub.answers.items() if path.startswith(prefix)), None)
        if played is not None:
            return self._send(played[0], played[1], {"Content-Type": "text/html"})
        try:
            status, content, headers = self._route([unquote(part) for part in path.strip("/").split("/")], body)
        except _RefusedError as refusal:
            return self._send(refusal.status, b"", refusal.headers)
        if not isinstance(content, bytes):
            content, headers = json.dumps(content).encode(), {**headers, "Content-Type": "application/json"}
        return self._send(status, content, headers)

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _route(self, parts: list[str], body: bytes) -> tuple[int, Any, dict[str, str]]:  # noqa: PLR0911  # one a route
        match [self.command, *parts]:
            case ["POST", "api", "repos", "create"]:
                return self._create(json.loads(body))
            case ["POST", "api", "validate-yaml"]:
                return 200, {"errors": [], "warnings": []}, {}
            case ["POST", "api", "models", owner, name, "preupload", revision]:
                self._find(owner, name, revision if revision != "main" else None, write=True)
                files = [
                    {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for file in json.loads(body)["files"]
                ]
                return 200, {"files": files}, {}
            case ["POST", "api", "models", owner, name, "commit", branch]:
                return self._commit(owner, name, branch, body)
            case ["GET", "api", "models", owner, name]:
                return self._info(owner, name, "main")
            case ["GET", "api", "models", owner, name, "revision", revision]:
                return self._info(owner, name, revision)
            case ["GET", "api", "models", owner, name, "tree", revision]:
                tree, _ = self._tree(owner, name, revision)
                listed = [{"type": "file", "path": p, "size": len(c), "oid": _blob_id(c)} for p, c in tree.items()]
                return 200, listed, {}
            case ["GET" | "HEAD", owner, name, "resolve", revision, *path]:
                return self._file(owner, name, revision, "/".join(path))
        raise _RefusedError(404, "", f"no such route: {self.command} {self.path}")

    def _signed_in(self) -> bool:
        given = self.headers.get("Authorization")
        if given not in (None, f"Bearer {TOKEN}"):
            raise _RefusedError(401, "", "Invalid credentials in Authorization header")
        return given is not None

    def _find(self, owner: str, name: str, revision: str | None, *, write: bool = False) -> tuple[Repository, str]:
        signed_in = self._signed_in()
        repository = self.hub.repositories.get(f"{owner}/{name}")
        if repository is None or (repository.private and not signed_in):
            raise _RefusedError(404 if signed_in else 401, "RepoNotFound", "Repository not found")
        if write and not signed_in:
            raise _RefusedError(403, "", "You have no right to write here")
        sha = repository.find(revision) if revision else ""
        if sha is None:
            raise _RefusedError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return repository, sha

    def _tree(self, owner: str, name: str, revision: str) -> tuple[dict[str, bytes], str]:
        repository, sha = self._find(owner, name, revision)
        return repository.commits[sha], sha

    def _create(self, asked: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        if not self._signed_in():
            raise _RefusedError(401, "", "Sign in to create a repository")
        name = f"{asked.get('organization') or 'alice'}/{asked['name']}"
        url = {"url": f"{self.hub.url}/{name}"}
        if name in self.hub.repositories:
            return 409, url, {"X-Error-Message": "You already created this model repo"}
        self.hub.repositories[name] = Repository(private=asked.get("visibility") == "private")
        self.hub.repositories[name].commit("main", {".gitattributes": b"*.safetensors filter=lfs\n"})
        return 200, url, {}

    def _commit(self, owner: str, name: str, branch: str, body: bytes) -> tuple[int, Any, dict[str, str]]:
        repository, _ = self._find(owner, name, None, write=True)
        if branch not in repository.branches:
            raise _RefusedError(404, "RevisionNotFound", f"Invalid rev id: {branch}")
        lines = [json.loads(line) for line in body.splitlines()]
        files = [line["value"] for line in lines if line["key"] == "file"]
        deleted = [line["value"]["path"] for line in lines if line["key"] == "deletedFile"]
        sha = repository.commit(branch, {file["path"]: base64.b64decode(file["content"]) for file in files}, deleted)
        return 200, {"commitUrl": f"{self.hub.url}/{owner}/{name}/commit/{sha}", "commitOid": sha}, {}

    def _info(self, owner: str, name: str, revision: str) -> tuple[int, Any, dict[str, str]]:
        tree, sha = self._tree(owner, name, revision)
        listed = [{"rfilename": path} for path in tree]
        return 200, {"id": f"{owner}/{name}", "sha": sha, "private": False, "siblings": listed, "tags": []}, {}

    def _file(self, owner: str, name: str, revision: str, path: str) -> tuple[int, Any, dict[str, str]]:
        tree, sha = self._tree(owner, name, revision)
        if path not in tree:
            raise _RefusedError(404, "EntryNotFound", f"{path} is not in {revision}", **{"X-Repo-Commit": sha})
        headers = {"X-Repo-Commit": sha, "ETag": f'"{_blob_id(tree[path])}"', "Accept-Ranges": "bytes"}
        return 200, tree[path], headers


def _blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()  # noqa: S324  # git's own
