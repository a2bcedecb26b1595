"""Uploads by Xet made by hand, so that they can lie."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tars_hub.server.xet.hashes import chunk_hash, file_hash, from_text, range_hash, to_text, xorb_hash
from tests.server.running import Site, done
from tests.server.xet.making import noise, record, shard_of, xorb_of

_VERIFICATION, _SHA256 = 1 << 31, 1 << 30


@dataclass(frozen=True)
class Packed:
    """Chunks, and the xorb they are packed into."""

    chunks: tuple[bytes, ...]

    @property
    def data(self) -> bytes:
        return xorb_of(self.chunks, [0] * len(self.chunks))

    @property
    def hashes(self) -> list[tuple[bytes, int]]:
        return [(chunk_hash(chunk), len(chunk)) for chunk in self.chunks]

    @property
    def name(self) -> str:
        return to_text(xorb_hash(self.hashes))


def packed(seed: int, *lengths: int) -> Packed:
    return Packed(tuple(noise(seed * 100 + at, length) for at, length in enumerate(lengths or (9000, 20_000, 500))))


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A run of a xorb, as a shard says it."""

    xorb: str
    start: int
    end: int
    size: int
    proof: bytes | None


@dataclass(frozen=True, kw_only=True)
class FileClaim:
    """A file as a shard says it; what it says may be changed."""

    hash: str
    sha256: str | None
    runs: tuple[Claim, ...]
    count: int | None = None

    def with_run(self, at: int = 0, **changes: object) -> FileClaim:
        runs = list(self.runs)
        runs[at] = replace(runs[at], **changes)  # type: ignore[arg-type]
        return replace(self, runs=tuple(runs))


def claim(source: Packed, start: int, end: int) -> Claim:
    """A true one."""
    some = source.hashes[start:end]
    proof = range_hash(raw for raw, _ in some)
    return Claim(xorb=source.name, start=start, end=end, size=sum(length for _, length in some), proof=proof)


def file_of(*parts: tuple[Packed, int, int]) -> FileClaim:
    """A true file of runs of chunks."""
    hashes = [pair for source, start, end in parts for pair in source.hashes[start:end]]
    return FileClaim(
        hash=to_text(file_hash(hashes)),
        sha256=hashlib.sha256(content_of(*parts)).hexdigest(),
        runs=tuple(claim(*part) for part in parts),
    )


def content_of(*parts: tuple[Packed, int, int]) -> bytes:
    return b"".join(chunk for source, start, end in parts for chunk in source.chunks[start:end])


def shard(*files: FileClaim) -> bytes:
    records: list[bytes] = []
    for file in files:
        proofs = [run.proof for run in file.runs if run.proof is not None]
        flags = (_VERIFICATION if proofs else 0) | (_SHA256 if file.sha256 else 0)
        count = len(file.runs) if file.count is None else file.count
        records.append(record(from_text(file.hash), flags, count))
        records += [record(from_text(run.xorb), 0, run.size, run.start, run.end) for run in file.runs]
        records += [record(proof) for proof in proofs]
        if file.sha256:
            records.append(record(from_text(file.sha256)))
    return shard_of(*records)


@dataclass(frozen=True)
class Store:
    """The store of chunks, as one token sees it."""

    site: Site
    url: str
    token: str

    def send_xorb(self, source: Packed, name: str | None = None) -> int:
        answer = self.site.ask(
            "POST", f"{self.url}/v1/xorbs/default/{name or source.name}", self.token, content=source.data
        )
        return answer.status_code

    def send_shard(self, *files: FileClaim, version: str = "/v1") -> tuple[int, str]:
        answer = self.site.ask("POST", f"{self.url}{version}/shards", self.token, content=shard(*files))
        return answer.status_code, answer.text

    def ask_chunk(self, raw: bytes) -> int:
        return self.site.get(f"{self.url}/v1/chunks/default/{to_text(raw)}", self.token).status_code

    def rebuild(self, file: str, version: str = "/v1") -> int:
        return self.site.get(f"{self.url}{version}/reconstructions/{file}", self.token).status_code


def store(site: Site, repo: str, who: str, *, kind: str = "write", revision: str = "main") -> Store:
    found = done(site.get(f"/api/models/{repo}/xet-{kind}-token/{revision}", who)).json()
    return Store(site, found["casUrl"], found["accessToken"])


def upload(site: Site, repo: str, who: str, *parts: tuple[Packed, int, int]) -> FileClaim:
    """Xorbs and shard of a file, truly; not committed."""
    to = store(site, repo, who)
    for source, *_ in parts:
        assert to.send_xorb(source) == 200
    made = file_of(*parts)
    assert to.send_shard(made) == (200, '{"result":1}')
    return made


def whole(source: Packed) -> Sequence[tuple[Packed, int, int]]:
    return [(source, 0, len(source.chunks))]
