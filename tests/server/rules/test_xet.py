"""Uploads by Xet that lie, and tokens and links that are used for something else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from itsdangerous import TimestampSigner
from sqlalchemy import delete

from tars_hub.server.catalog.schema import tokens
from tars_hub.server.catalog.sql import SqlCatalog
from tars_hub.server.xet.hashes import from_text, range_hash
from tests.server.rules.by_hand import (
    FileClaim,
    Packed,
    Store,
    content_of,
    file_of,
    packed,
    shard,
    store,
    upload,
    whole,
)
from tests.server.running import Site, done, large, site
from tests.server.xet.making import record, shard_of

HOUR_S = 3600


@pytest.fixture(scope="module")
def module_site() -> Iterator[Site]:
    with site() as found:
        found.add("ann", "bob")
        yield found


@pytest.fixture
def running(module_site: Site) -> Site:
    """With ann/m, which is public, and ann/secret."""
    module_site.clear()
    module_site.create("ann/m", "ann")
    module_site.create("ann/secret", "ann", private=True)
    return module_site


_seeds = iter(range(1, 10_000))


@pytest.fixture
def fresh() -> Packed:
    """Chunks that no other test has."""
    return packed(next(_seeds))


def linked(running: Site, repo: str, sha256: str | None) -> bool:
    found = running.hub.catalog.repositories.find(repo)
    assert found is not None
    assert sha256 is not None
    return sha256 in running.hub.catalog.contents.linked(found.id, [sha256])


def commit(running: Site, repo: str, who: str, made: FileClaim, path: str = "model.bin") -> Any:
    assert made.sha256
    return running.commit(repo, who, large(path, made.sha256))


class TestTheTruth:
    def test_it_goes_up_and_comes_down(self, running: Site, fresh: Packed) -> None:
        other = packed(next(_seeds), 8192, 8192)
        parts = [(fresh, 1, 3), (other, 0, 2), (fresh, 0, 1), (fresh, 0, 1)]
        made = upload(running, "ann/m", "ann", *parts)
        done(commit(running, "ann/m", "ann", made))
        data = content_of(*parts)
        assert running.get("/ann/m/resolve/main/model.bin").content == data
        for start, end in ((0, 1), (19_999, 20_502), (len(data) - 1, len(data)), (5, len(data) - 5)):
            answer = running.get("/ann/m/resolve/main/model.bin", headers={"Range": f"bytes={start}-{end - 1}"})
            assert (answer.status_code, answer.content) == (206, data[start:end])

    def test_the_newest_way_ends_in_a_result(self, running: Site, fresh: Packed) -> None:
        to = store(running, "ann/m", "ann")
        to.send_xorb(fresh)
        status, text = to.send_shard(file_of(*whole(fresh)), version="/v2")
        assert (status, json.loads(text.splitlines()[-1])) == (200, {"type": "result", "result": 1})
        _, text = to.send_shard(replace(file_of(*whole(fresh)), sha256="a" * 64), version="/v2")
        last = json.loads(text.splitlines()[-1])
        assert last["type"] == "error"
        assert "SHA-256" in last["message"]

    def test_whether_a_xorb_is_new_is_not_told(self, running: Site, fresh: Packed) -> None:
        to = store(running, "ann/m", "ann")
        path = f"{to.url}/v1/xorbs/default/{fresh.name}"
        answers = [running.ask("POST", path, to.token, content=fresh.data).json() for _ in range(2)]
        assert answers == [{"was_inserted": True}] * 2


class TestLies:
    def test_a_xorb_under_another_name(self, running: Site, fresh: Packed) -> None:
        to = store(running, "ann/m", "ann")
        assert to.send_xorb(fresh, name="a" * 64) == 400
        assert running.hub.catalog.contents.xorbs([fresh.name, "a" * 64]) == {}

    @pytest.mark.parametrize("name", ["", "a", "A" * 64, "g" * 64, "..%2F..%2Fetc%2Fpasswd", "a" * 65])
    def test_a_xorb_without_a_name(self, running: Site, fresh: Packed, name: str) -> None:
        assert store(running, "ann/m", "ann").send_xorb(fresh, name=name or "%20") == 400

    @pytest.mark.parametrize("cut", [1, 7, 8, 5000])
    def test_half_a_xorb(self, running: Site, fresh: Packed, cut: int) -> None:
        to = store(running, "ann/m", "ann")
        path = f"{to.url}/v1/xorbs/default/{fresh.name}"
        assert running.ask("POST", path, to.token, content=fresh.data[:-cut]).status_code == 400
        assert running.ask("POST", path, to.token, content=b"").status_code == 400

    def _refused(self, running: Site, source: Packed, lie: FileClaim, *, says: str) -> None:
        to = store(running, "ann/m", "ann")
        to.send_xorb(source)
        status, text = to.send_shard(lie)
        assert (status, says in text) == (400, True), text
        for sha256 in {lie.sha256, file_of(*whole(source)).sha256} - {None}:
            assert not linked(running, "ann/m", sha256)
            assert running.hub.catalog.contents.get([str(sha256)]) == {}
        assert running.hub.catalog.contents.recipe(lie.hash) is None

    def test_a_wrong_sha256(self, running: Site, fresh: Packed) -> None:
        self._refused(running, fresh, replace(file_of(*whole(fresh)), sha256="a" * 64), says="has SHA-256")

    def test_a_wrong_sha256_of_a_file_that_is_known(self, running: Site, fresh: Packed) -> None:
        made = upload(running, "ann/m", "ann", *whole(fresh))
        status, text = store(running, "ann/m", "ann").send_shard(replace(made, sha256="a" * 64))
        assert (status, "has SHA-256" in text) == (400, True)
        assert not linked(running, "ann/m", "a" * 64)

    def test_no_sha256(self, running: Site, fresh: Packed) -> None:
        self._refused(running, fresh, replace(file_of(*whole(fresh)), sha256=None), says="without its SHA-256")

    def test_a_wrong_file_hash(self, running: Site, fresh: Packed) -> None:
        self._refused(running, fresh, replace(file_of(*whole(fresh)), hash="b" * 64), says="do not make file")

    @pytest.mark.parametrize("more", [-1, 1, 5000])
    def test_a_wrong_length(self, running: Site, fresh: Packed, more: int) -> None:
        made = file_of(*whole(fresh))
        self._refused(running, fresh, made.with_run(size=made.runs[0].size + more), says="another length")

    @pytest.mark.parametrize("size", [0, 2, 1 << 31])
    def test_a_length_that_cannot_be(self, running: Site, fresh: Packed, size: int) -> None:
        self._refused(running, fresh, file_of(*whole(fresh)).with_run(size=size), says="cannot have")

    @pytest.mark.parametrize(("start", "end"), [(0, 0), (2, 1), (0, 8193), (0, (1 << 32) - 1)])
    def test_a_run_that_cannot_be(self, running: Site, fresh: Packed, start: int, end: int) -> None:
        self._refused(running, fresh, file_of(*whole(fresh)).with_run(start=start, end=end), says="a term of")

    def test_a_run_behind_the_end(self, running: Site, fresh: Packed) -> None:
        self._refused(running, fresh, file_of(*whole(fresh)).with_run(start=1, end=4), says="do not exist")

    def test_a_xorb_that_is_missing(self, running: Site, fresh: Packed) -> None:
        lie = file_of((packed(next(_seeds)), 0, 3))
        self._refused(running, fresh, lie, says="was not uploaded")

    @pytest.mark.parametrize("count", [0, 2, 1 << 20, (1 << 32) - 1])
    def test_a_wrong_count(self, running: Site, fresh: Packed, count: int) -> None:
        to = store(running, "ann/m", "ann")
        to.send_xorb(fresh)
        assert to.send_shard(replace(file_of(*whole(fresh)), count=count))[0] == 400

    def test_more_chunks_than_so_many_bytes_have(self, running: Site) -> None:
        """A shard of a few KiB could otherwise keep the hub busy, and fill its memory, with billions of chunks."""
        source = packed(next(_seeds), *[1] * 1000)
        self._refused(
            running, source, file_of((source, 0, 1000), (source, 0, 1000)), says="are not made of 2000 chunks"
        )

    def test_a_file_beyond_the_limit(self, running: Site, fresh: Packed) -> None:
        to = store(running, "ann/m", "ann")
        to.send_xorb(fresh)
        run = record(from_text(fresh.name), 0, (1 << 30) - 1, 0, 8192)
        huge = shard_of(record(b"h" * 32, 1 << 30, 600), *[run] * 600, record(b"s" * 32))
        answer = running.ask("POST", f"{to.url}/v1/shards", to.token, content=huge)
        assert answer.status_code == 413

    @pytest.mark.parametrize("data", [b"", b"x", b"x" * 48, shard()[:-1], shard() + b"x", b"\xff" * 5000])
    def test_no_shard(self, running: Site, data: bytes) -> None:
        to = store(running, "ann/m", "ann")
        for version in ("", "/v1", "/v2"):
            assert running.ask("POST", f"{to.url}{version}/shards", to.token, content=data).status_code == 400

    def test_of_several_files_the_true_ones_before_a_lie_count_and_no_other(self, running: Site, fresh: Packed) -> None:
        to = store(running, "ann/m", "ann")
        to.send_xorb(fresh)
        first, second, third = file_of((fresh, 0, 1)), file_of((fresh, 1, 2)), file_of((fresh, 2, 3))
        assert to.send_shard(first, replace(second, sha256="a" * 64), third)[0] == 400
        assert not linked(running, "ann/m", "a" * 64)
        assert not linked(running, "ann/m", third.sha256)


class TestProofs:
    """A name that was overheard opens nobody else's content."""

    @pytest.fixture
    def theirs(self, running: Site, fresh: Packed) -> FileClaim:
        made = upload(running, "ann/secret", "ann", *whole(fresh))
        done(commit(running, "ann/secret", "ann", made))
        running.create("bob/m", "bob")
        return made

    @pytest.mark.parametrize("proof", [None, bytes(32), b"p" * 32])
    def test_names_alone_prove_nothing(self, running: Site, theirs: FileClaim, proof: bytes | None) -> None:
        """bob knows the xorb's name, the file's hash and the SHA-256, and no byte of it."""
        status, text = store(running, "bob/m", "bob").send_shard(theirs.with_run(proof=proof))
        assert (status, "nothing proves that you have it" in text) == (400, True)
        assert not linked(running, "bob/m", theirs.sha256)
        assert commit(running, "bob/m", "bob", theirs).status_code == 400

    def test_a_proof_of_another_run_is_none(self, running: Site, theirs: FileClaim, fresh: Packed) -> None:
        part = range_hash(raw for raw, _ in fresh.hashes[:1])
        assert store(running, "bob/m", "bob").send_shard(theirs.with_run(proof=part))[0] == 400

    def test_who_has_the_data_can_prove_it(self, running: Site, theirs: FileClaim) -> None:
        assert store(running, "bob/m", "bob").send_shard(theirs)[0] == 200
        done(commit(running, "bob/m", "bob", theirs))

    @pytest.mark.usefixtures("theirs")
    def test_a_part_may_be_used_by_who_has_that_part(self, running: Site, fresh: Packed) -> None:
        own = packed(next(_seeds))
        made = upload(running, "bob/m", "bob", (own, 0, 3), (fresh, 0, 1))
        done(commit(running, "bob/m", "bob", made))
        assert running.get("/bob/m/resolve/main/model.bin").content == content_of((own, 0, 3), (fresh, 0, 1))
        # Its plan gives links to that part of ann's xorb, and to no more of it.
        down = store(running, "bob/m", "bob", kind="read")
        plan = running.get(f"{down.url}/v1/reconstructions/{made.hash}", down.token).json()
        [info] = plan["fetch_info"][fresh.name]
        first, last = info["url_range"]["start"], info["url_range"]["end"]
        assert (first, last) == (0, 9000 + 7)
        for span, status in ((f"{first}-{last}", 206), (f"{first}-{last + 1}", 403), ("100-", 403), ("9008-9009", 403)):
            assert running.client.get(info["url"], headers={"Range": f"bytes={span}"}).status_code == status

    @pytest.mark.parametrize("version", ["", "/v1", "/v2"])
    def test_what_is_not_committed_can_be_read_by_nobody(self, running: Site, fresh: Packed, version: str) -> None:
        made = upload(running, "ann/m", "ann", *whole(fresh))
        down = store(running, "ann/m", "ann", kind="read")
        assert down.rebuild(made.hash, version) == 404
        assert running.ask("HEAD", f"{down.url}/v1/files/{made.hash}", down.token).status_code == 404
        many = running.ask("POST", f"{down.url}/v1/reconstructions", down.token, json=[{"hash": made.hash}])
        assert many.status_code == 404
        running.create("ann/n", "ann")
        assert commit(running, "ann/n", "ann", made).status_code == 400
        done(commit(running, "ann/m", "ann", made))
        assert down.rebuild(made.hash, version) == 200

    @pytest.mark.parametrize("version", ["", "/v1", "/v2"])
    def test_a_file_is_found_in_its_own_repository_alone(self, running: Site, theirs: FileClaim, version: str) -> None:
        for repo, who, status in (("ann/secret", "ann", 200), ("ann/m", "ann", 404), ("bob/m", "bob", 404)):
            down = store(running, repo, who, kind="read")
            assert down.rebuild(theirs.hash, version) == status
            head = running.ask("HEAD", f"{down.url}/v1/files/{theirs.hash}", down.token)
            assert head.status_code == status
        assert down.rebuild("c" * 64, version) == 404


class TestQuestionsAboutChunks:
    def test_they_are_answered_about_what_may_be_downloaded(self, running: Site, fresh: Packed) -> None:
        running.create("bob/m", "bob")
        ann, bob = store(running, "ann/m", "ann"), store(running, "bob/m", "bob")
        raw = fresh.hashes[0][0]
        made = upload(running, "ann/secret", "ann", *whole(fresh))
        assert (ann.ask_chunk(raw), bob.ask_chunk(raw)) == (404, 404), "it is not committed"
        done(commit(running, "ann/secret", "ann", made))
        assert (ann.ask_chunk(raw), bob.ask_chunk(raw)) == (200, 404), "it is private"
        settings = "/api/models/ann/secret/settings"
        done(running.ask("PUT", settings, "ann", json={"visibility": "public", "gated": "auto"}))
        assert (ann.ask_chunk(raw), bob.ask_chunk(raw)) == (200, 404), "it is gated"
        done(running.ask("PUT", settings, "ann", json={"gated": False}))
        assert (ann.ask_chunk(raw), bob.ask_chunk(raw)) == (200, 200), "anybody may have it"
        done(running.ask("DELETE", "/api/repos/delete", "ann", json={"name": "ann/secret"}))
        assert (ann.ask_chunk(raw), bob.ask_chunk(raw)) == (404, 404), "it is gone"

    def test_the_answer_names_no_hash_as_it_is(self, running: Site, fresh: Packed) -> None:
        done(commit(running, "ann/m", "ann", upload(running, "ann/m", "ann", *whole(fresh))))
        to = store(running, "ann/m", "ann")
        path = f"{to.url}/v1/chunks/default/{file_of(*whole(fresh)).hash}"
        assert running.get(path, to.token).status_code == 404
        first = running.get(f"{to.url}/v1/chunks/default-merkledb/{_text(fresh)}", to.token)
        assert first.status_code == 200
        assert from_text(fresh.name) in first.content  # a xorb may be named, its chunks may not
        assert not [raw for raw, _ in fresh.hashes if raw in first.content]
        assert running.get(f"{to.url}/v1/chunks/other/{_text(fresh)}", to.token).status_code == 400


def _text(source: Packed) -> str:
    from tars_hub.server.xet.hashes import to_text

    return to_text(source.hashes[0][0])


class TestTokens:
    @pytest.fixture
    def made(self, running: Site, fresh: Packed) -> FileClaim:
        made = upload(running, "ann/m", "ann", *whole(fresh))
        done(commit(running, "ann/m", "ann", made))
        return made

    def _asks(self, to: Store, made: FileClaim, fresh: Packed) -> dict[str, int]:
        return {
            "read": to.rebuild(made.hash),
            "xorb": to.send_xorb(fresh),
            "shard": to.send_shard(made)[0],
            "chunk": to.ask_chunk(b"c" * 32),
        }

    def test_what_each_may(self, running: Site, made: FileClaim, fresh: Packed) -> None:
        writes = {"read": 200, "xorb": 200, "shard": 200, "chunk": 404}
        reads = {"read": 200, "xorb": 403, "shard": 403, "chunk": 403}
        none = dict.fromkeys(reads, 401)
        assert self._asks(store(running, "ann/m", "ann"), made, fresh) == writes
        assert self._asks(store(running, "ann/m", "ann", kind="read"), made, fresh) == reads
        assert self._asks(store(running, "ann/m", "ann:read", kind="read"), made, fresh) == reads
        assert self._asks(store(running, "ann/m", "", kind="read"), made, fresh) == reads
        assert self._asks(store(running, "ann/m", "bob", revision="None"), made, fresh) == writes
        url = store(running, "ann/m", "ann").url
        for text in ("", "ann", "x", running.hub.signer.sign("lfs upload", [1, None, True])):
            assert self._asks(Store(running, url, text), made, fresh) == none, text

    def test_they_end(self, running: Site, made: FileClaim, fresh: Packed, monkeypatch: pytest.MonkeyPatch) -> None:
        to = store(running, "ann/m", "ann")
        now = TimestampSigner(b"x").get_timestamp()
        monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: now + HOUR_S + 5)
        assert set(self._asks(to, made, fresh).values()) == {401}

    def test_they_end_with_the_token_they_were_given_for(self, running: Site, made: FileClaim, fresh: Packed) -> None:
        running.tokens["spare"] = running.token("ann", "write")
        to = store(running, "ann/m", "spare")
        assert to.rebuild(made.hash) == 200
        catalog = running.hub.catalog
        assert isinstance(catalog, SqlCatalog)
        token = running.caller("spare").token
        assert token is not None
        with catalog.database.writing() as connection:
            connection.execute(delete(tokens).where(tokens.c.id == token.id))
        assert set(self._asks(to, made, fresh).values()) == {401}

    def test_they_follow_the_repository(self, running: Site, made: FileClaim, fresh: Packed) -> None:
        settings = "/api/models/ann/m/settings"
        bob, nobody = store(running, "ann/m", "bob", kind="read"), store(running, "ann/m", "", kind="read")
        proposes, ann = store(running, "ann/m", "bob", revision="None"), store(running, "ann/m", "ann")
        for change in ({"visibility": "private"}, {"visibility": "public", "gated": "manual"}):
            done(running.ask("PUT", settings, "ann", json=change))
            assert [each.rebuild(made.hash) for each in (bob, nobody, proposes, ann)] == [403, 403, 403, 200]
            assert proposes.send_xorb(fresh) == 403
        done(running.ask("PUT", settings, "ann", json={"gated": False}))
        moved = {"fromRepo": "ann/m", "toRepo": "ann/moved"}
        done(running.ask("POST", "/api/repos/move", "ann", json=moved))
        assert [each.rebuild(made.hash) for each in (bob, nobody, proposes, ann)] == [200] * 4
        running.create("ann/m", "ann")  # another one, by the old name
        assert store(running, "ann/m", "ann", kind="read").rebuild(made.hash) == 404
        done(running.ask("DELETE", "/api/repos/delete", "ann", json={"name": "ann/moved"}))
        assert [each.rebuild(made.hash) for each in (bob, nobody, proposes, ann)] == [401] * 4

    def test_another_store_is_not_this_one(self, running: Site, made: FileClaim, fresh: Packed) -> None:
        to = store(running, "ann/m", "ann")
        other = replace(to, url=to.url[:-4] + "0000")
        assert set(self._asks(other, made, fresh).values()) == {404}

    def test_a_users_token_is_none_of_these(self, running: Site, made: FileClaim) -> None:
        url = store(running, "ann/m", "ann").url
        assert running.get(f"{url}/v1/reconstructions/{made.hash}", "ann").status_code == 401
        assert running.get("/api/whoami-v2", store(running, "ann/m", "ann").token).status_code == 401


class TestLinks:
    @pytest.fixture
    def link(self, running: Site, fresh: Packed) -> dict[str, Any]:
        made = upload(running, "ann/m", "ann", *whole(fresh))
        done(commit(running, "ann/m", "ann", made))
        down = store(running, "ann/m", "ann", kind="read")
        answer = running.get(
            f"{down.url}/v1/reconstructions/{made.hash}", down.token, headers={"Range": "bytes=9000-9001"}
        )
        [[found]] = answer.json()["fetch_info"].values()
        return dict(found)

    def fetch(self, running: Site, url: str, span: str | None) -> int:
        headers = {"Range": f"bytes={span}"} if span else {}
        return running.client.get(url, headers=headers).status_code

    def test_it_opens_its_bytes_and_no_others(self, running: Site, link: dict[str, Any], fresh: Packed) -> None:
        first, last = link["url_range"]["start"], link["url_range"]["end"]
        assert (first, last) == (9008, 9008 + 20_008 - 1)
        answer = running.client.get(link["url"], headers={"Range": f"bytes={first}-{last}"})
        assert (answer.status_code, answer.content) == (206, fresh.data[first : last + 1])
        assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(fresh.data)}"
        for span in (
            f"{first - 1}-{last}",
            f"{first}-{last + 1}",
            "0-0",
            f"{first}-",
            "-1",
            "-5",
            f"{last + 1}-{last + 1}",
        ):
            assert self.fetch(running, link["url"], span) == 403, span
        for span in (None, "x", "9-1", f"{first}-{first},{last}-{last}"):
            assert self.fetch(running, link["url"], span) == 400, span
        assert self.fetch(running, link["url"], "99999999-") == 416

    def test_it_is_for_one_xorb(self, running: Site, link: dict[str, Any], fresh: Packed) -> None:
        other = packed(next(_seeds))
        store(running, "ann/m", "ann").send_xorb(other)
        assert self.fetch(running, link["url"].replace(fresh.name, other.name), "9008-9009") == 403
        bare = link["url"].partition("?")[0]
        for ticket in ("", "x", running.hub.signer.sign("xet token", [fresh.name, 0, 99999])):
            assert self.fetch(running, f"{bare}?ticket={ticket}", "9008-9009") == 403

    def test_it_ends(self, running: Site, link: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.fetch(running, link["url"], "9008-9009") == 206
        now = TimestampSigner(b"x").get_timestamp()
        monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: now + HOUR_S + 5)
        assert self.fetch(running, link["url"], "9008-9009") == 403


class TestOddQuestions:
    @pytest.mark.parametrize(
        "body",
        [
            *(b"", b"7", b'"x"', b"[7]", b'[{"hash":7}]', b'[{"hash":null}]', b'[{"hash":[]}]', b"[{}]", b"[" * 9999),
            b'[{"hash":"x"}]',
            b'[{"hash":"\\ud800"}]',
            json.dumps([{"hash": f"{n:064}"} for n in range(1001)]).encode(),
        ],
    )
    def test_for_many_files(self, running: Site, body: bytes) -> None:
        down = store(running, "ann/m", "ann", kind="read")
        answer = running.ask("POST", f"{down.url}/v1/reconstructions", down.token, content=body)
        assert answer.status_code in (400, 413)

    def test_ranges(self, running: Site, fresh: Packed) -> None:
        made = upload(running, "ann/m", "ann", *whole(fresh))
        done(commit(running, "ann/m", "ann", made))
        down = store(running, "ann/m", "ann", kind="read")

        def ask(span: str) -> Any:
            path = f"{down.url}/v2/reconstructions/{made.hash}"
            return running.get(path, down.token, headers={"Range": f"bytes={span}"})

        found = ask("9001-9001").json()
        assert (found["offset_into_first_range"], found["terms"][0]["range"]) == (1, {"start": 1, "end": 2})
        assert ask("29500-").status_code == 416
        assert ask("29499-99999999").json()["terms"][0]["range"] == {"start": 2, "end": 3}
        assert ask("0-8999").json()["terms"][0]["range"] == {"start": 0, "end": 1}
