"""Requests that nobody sends by mistake: every one has an answer, and none is the hub's own fault."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tars_hub.server.settings import Settings
from tars_hub.server.start import opened
from tars_hub.server.table import table
from tests.server.rules.by_hand import packed, shard, upload, whole
from tests.server.running import Site, done, large, line, ndjson, site, small

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"]
PARTS = [
    "ann",
    "m",
    "main",
    "None",
    "refs%2Fpr%2F1",
    "default",
    "README.md",
    "1",
    "..",
    "%2e%2e",
    "%2F",
    "%00",
    "%FF",
    "é",
]
PARTS += [
    "a" * 300,
    "0" * 40,
    "a" * 64,
    "%0d%0aX:%20y",
    "'",
    '"',
    "%3Cscript%3E",
    "%E2%80%AE",
    "-1",
    "%ED%A0%80",
    "*",
    ";",
    "~",
]
VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    1e308,
    10**30,
    "",
    "main",
    "../x",
    "\0",
    "\r\nX: y",
    "é",
    "\u202e",
    "x" * 5000,
    [],
    {},
]
VALUES += [
    ["a"],
    [None],
    [{}],
    {"a": 1},
    [{"path": "a", "size": 1, "sample": "YQ=="}],
    [[]],
    "ann/other",
    "model",
    "public",
    "\ud800",
]
KEYS = "name organization type visibility private gated fromRepo toRepo tag message".split()
KEYS += "startingPoint content files paths".split()
KEYS += "operation objects transfers oid size expand key value hash".split()
KEYS += "gitIgnore title description newStatus pullRequest".split()
QUERY = "limit cursor p expand recursive blobs sort direction filter search author".split()
QUERY += "num_parameters gated ticket create_pr".split()
QUERY += "full config cardData pipeline_tag apps securityStatus include_prs status diff formatted".split()
HEADERS = {
    "Range": ["bytes=0-", "bytes=-0", "bytes=9-1", "x", "bytes=99999999999-", "é"],
    "Content-Type": ["application/json", "text/plain", "multipart/form-data", "application/x-www-form-urlencoded", ""],
    "If-None-Match": ["*", '"', "W/x"],
    "Authorization": ["Bearer", "Basic eDp5", "é", "Bearer é", "bearer  x  y"],
    "Accept": ["text/plain", "*/*", "\x80"],
    "Accept-Encoding": ["gzip", "identity;q=0"],
    "X-HTTP-Method-Override": ["DELETE"],
}


@pytest.fixture(scope="module")
def addresses() -> list[tuple[str, str]]:
    """A method and a path each; of the many for what this hub does not keep, those for datasets."""
    found = [(sorted(route.methods)[0], route.path) for route in table()]  # type: ignore[attr-defined]
    return [each for each in found if not re.match(r"/(api/)?(spaces|kernels|buckets|collections|papers)", each[1])]


@pytest.fixture(scope="module")
def target(shared: Site) -> dict[str, str]:
    """Something that is there, for the requests to get beyond the first lines of what answers them."""
    repo = shared.create("ann/m", "ann")
    shared.put(repo, "ann", {"README.md": b"---\ntags: [a]\n---\n# x", "sub/x": b"y"})
    made = upload(shared, repo, "ann", *whole(packed(7)))
    done(shared.commit(repo, "ann", large("model.bin", str(made.sha256))))
    token = shared.get(f"/api/models/{repo}/xet-write-token/main", "ann").json()["accessToken"]
    return {"cas": token, "file": made.hash, "xorb": packed(7).name}


def _body(chance: random.Random) -> bytes:
    kind = chance.randrange(6)
    if kind == 0:
        return chance.randbytes(chance.randrange(300))
    if kind == 1:
        return chance.choice([b"", b"{", b"[]", b"null", b"7", b"[" * 5000, b'"x"', b"\xff\xfe{}", b"a=1&b=2&paths=x"])
    if kind == 2:
        lines = [line("header", summary=chance.choice(["s", "", "é", "\0", "\ud800"]))]
        lines += [
            {"key": chance.choice(["file", "lfsFile", "deletedFile"]), "value": _object(chance)} for _ in range(2)
        ]
        lines.append(small(chance.choice(["a", "", "\0", "a/../b"]), b"x"))
        return ndjson(*lines)
    if kind == 3:
        data = bytearray(shard())
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        return bytes(data[: chance.randrange(len(data) + 1)])
    return json.dumps(_object(chance)).encode()


def _object(chance: random.Random) -> dict[str, Any]:
    names = chance.sample(KEYS, chance.randrange(1, 8))
    return {name: chance.choice(VALUES) for name in names}


def _path(chance: random.Random, address: str, target: dict[str, str], instance: str) -> str:
    def filled(found: re.Match[str]) -> str:
        name = found[1].partition(":")[0]
        likely = {"namespace": "ann", "name": "m", "revision": "main", "instance": instance, "prefix": "default"}
        known = {**likely, "xorb": target["xorb"], "file": target["file"], "chunk": "a" * 64, "path": "README.md"}
        return known.get(name, "1") if chance.random() < 0.9 else chance.choice(PARTS)

    path = re.sub(r"\{([^}]*)\}", filled, address)
    if chance.random() < 0.1:
        path += chance.choice(["/", "//", "/..", "/%2e%2e/%2e%2e/etc/passwd", "%00", "?", "#"])
    values = ["true", "1", "-1", "x", "%00", "%FF", "", "9" * 18, "a" * 2000, "é", "min:1T", "min%3A9e9"]
    pairs = [f"{name}={chance.choice(values)}" for name in chance.sample(QUERY, chance.choice([0, 0, 1, 2, 4]))]
    return path + ("?" + "&".join(pairs) if pairs else "")


@pytest.mark.parametrize("seed", range(8))
def test_any_request_has_an_answer(
    shared: Site, addresses: list[tuple[str, str]], target: dict[str, str], seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311
    for _ in range(250):
        method, address = chance.choice(addresses)
        method = chance.choice(METHODS) if chance.random() < 0.1 else method
        path = _path(chance, address, target, shared.hub.catalog.instance)
        headers = {
            name: chance.choice(values).encode("utf-8", "replace")
            for name, values in HEADERS.items()
            if chance.random() < 0.15
        }
        who = target["cas"] if "/cas/" in path else chance.choice(["ann", "ann", "bob", "", "ann:read"])
        body = _body(chance)
        answer = shared.ask(method, path.replace("é", "%C3%A9"), who, headers=headers, content=body)
        assert answer.status_code < 500, f"{method} {path} {headers} {body[:400]!r}: {answer.text[:500]}"
        if answer.status_code >= 400 and "X-Error-Message" in answer.headers:
            assert "\n" not in answer.headers["X-Error-Message"]
            assert len(answer.headers["X-Error-Message"]) < 3000
    assert shared.get("/health").json() == {"status": "ok"}


class TestHosts:
    """Addresses in answers are made of the Host header: only what is one may get in."""

    @pytest.mark.parametrize(
        "host",
        [
            "",
            "a b",
            "x/y",
            "x@y",
            "x?y",
            "x#y",
            "<script>",
            '"',
            "x:y",
            "x:123456",
            "[::1",
            "::1",
            "é",
            "x\\y",
            "x,y",
            "a\x7fb",
        ],
    )
    def test_what_is_none_is_refused(self, shared: Site, host: str) -> None:
        request = f"GET /api/models HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        assert shared.raw(request.encode()).startswith(b"HTTP/1.1 400")

    @pytest.mark.parametrize("host", ["hub.example.org", "localhost:7860", "127.0.0.1", "[::1]:80", "a_b-c.d"])
    def test_any_other_is_how_the_caller_knows_the_hub(self, shared: Site, target: dict[str, str], host: str) -> None:
        assert target
        for who in ("ann",):
            request = (
                f"GET /api/models/ann/m/xet-read-token/main HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
                f"Authorization: Bearer {shared.tokens[who]}\r\nX-Forwarded-Host: evil.example\r\n\r\n"
            )
            answer = shared.raw(request.encode())
            assert f'"casUrl":"http://{host}/cas/'.encode() in answer
            assert b"evil" not in answer

    def test_no_host_and_two(self, shared: Site) -> None:
        assert shared.raw(b"GET /api/models HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 400")
        two = shared.raw(b"GET /api/models HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n")
        assert not two.startswith(b"HTTP/1.1 5")

    def test_a_public_address_is_used_whatever_the_host(self, tmp_path: Path) -> None:
        with opened(Settings(data=tmp_path, public_url="https://hub.example.org/x")) as hub, site(hub) as running:
            running.add("ann")
            repo = running.create("ann/m", "ann")
            for answer in (
                running.get(f"/api/models/{repo}/xet-read-token/main"),
                running.get("/api/models?limit=1"),
                running.commit(repo, "ann"),
                running.ask("POST", "/api/repos/create", "ann", json={"name": "m"}),
            ):
                assert str(running.url) not in answer.text
            assert running.commit(repo, "ann").json()["commitUrl"].startswith("https://hub.example.org/x/ann/m/commit/")


class TestRawRequests:
    @pytest.mark.parametrize(
        "first",
        [
            "GET http://evil.example/api/models",
            "GET *",
            "OPTIONS *",
            "GET //",
            "GET /../../etc/passwd",
            "GET /ann//m",
            "GET ?x",
            "GET /%2e%2e/%2e%2e/etc/passwd",
            "CONNECT x:1",
            "GET /a/b/resolve/main/../../../../../etc/passwd",
            "GET /ÿþ",
        ],
    )
    def test_odd_targets(self, shared: Site, first: str) -> None:
        request = f"{first} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode("latin-1")
        answer = shared.raw(request)
        assert not answer.startswith(b"HTTP/1.1 5")
        assert b"root:" not in answer

    def test_a_body_that_never_comes(self, shared: Site, target: dict[str, str]) -> None:
        assert target
        head = f"Host: x\r\nAuthorization: Bearer {shared.tokens['ann']}\r\nContent-Length: 1000000\r\n\r\n"
        for path in ("/api/models/ann/m/commit/main", "/api/validate-yaml"):
            assert not shared.raw(f"POST {path} HTTP/1.1\r\n{head}abc".encode(), hang_up=True).startswith(b"HTTP/1.1 5")
        assert shared.get("/health").status_code == 200

    def test_a_line_break_in_a_name_makes_no_header(self, shared: Site) -> None:
        for path in (
            "/a%0d%0aSet-Cookie:%20x=1/b",
            "/ann/m/resolve/main/a%0d%0aSet-Cookie:%20x=1",
            "/api/models/a%0aX/b%0aY",
        ):
            answer = shared.raw(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            head = answer.partition(b"\r\n\r\n")[0]
            assert b"\r\nset-cookie:" not in head.lower()
            assert b"\n" not in head.replace(b"\r\n", b"")


@pytest.mark.parametrize(
    ("text", "shown"),
    [("é日本", "\xe9??"), ("a\r\nX-Bad: 1", "a X-Bad: 1"), ("a\0b", "a b"), ("\ud800", ""), ("\u202e", "")],
)
def test_errors_fit_into_a_header(text: str, shown: str) -> None:
    from tars_hub.server.errors import HubError
    from tars_hub.server.routes.web import answer_error

    answer = answer_error(None, HubError(text))  # type: ignore[arg-type]
    assert answer.headers["X-Error-Message"] == shown
    assert json.loads(bytes(answer.body))["error"].isprintable()


def test_bodies_beyond_the_limit(shared: Site) -> None:
    for who, limit in (("ann", 4 << 20), ("", 64 << 10)):
        answer = shared.ask("POST", "/api/validate-yaml", who, content=b" " * (limit + 1))
        assert (answer.status_code, f"{limit:,} bytes" in answer.json()["error"]) == (413, True)


def test_nothing_that_is_asked_for_reaches_the_disk(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("the secret")
    with opened(Settings(data=tmp_path / "hub")) as hub, site(hub) as running:
        running.add("ann")
        running.create("ann/m", "ann")
        known = {path for path in tmp_path.rglob("*") if path.is_file()}
        up = [
            "..",
            "../..",
            "../../secret",
            "....//secret",
            str(tmp_path / "secret"),
            "file/../../secret",
            "catalog.sqlite",
        ]
        for path in [*up, *(quote(each, safe="") for each in up), *(each.replace("/", "%5c") for each in up)]:
            for prefix in (
                "/ann/m/resolve/main/",
                "/api/models/ann/m/tree/main/",
                f"/cas/{hub.catalog.instance}/blocks/",
            ):
                answer = running.raw(f"GET {prefix}{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
                assert b"the secret" not in answer
                assert b"SQLite format" not in answer
                assert answer.startswith(b"HTTP/1.1 4")
        assert {path for path in tmp_path.rglob("*") if path.is_file()} == known
