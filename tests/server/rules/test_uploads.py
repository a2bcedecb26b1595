"""Large files by LFS: tickets, parts, and what is not what was promised."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from itsdangerous import TimestampSigner

from tars_hub.server.blobs.interface import Key
from tests.server.running import Site, done, large, site

PART = 1000
DATA = bytes(range(256)) * 10  # 2,560 bytes: three parts
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(scope="module")
def module_site() -> Iterator[Site]:
    with site(part_bytes=PART, file_bytes=1_000_000) as found:
        found.add("ann", "bob")
        yield found


@pytest.fixture
def running(module_site: Site) -> Site:
    module_site.clear()
    module_site.create("ann/m", "ann")
    return module_site


def linked(running: Site, sha256: str) -> bool:
    return running.commit("ann/m", "ann", large("x", sha256)).status_code == 200


def href(running: Site, *transfers: str, data: bytes = DATA) -> dict[str, Any]:
    found = running.batch("ann/m", "ann", hashlib.sha256(data).hexdigest(), len(data), *transfers)
    upload: dict[str, Any] = found["actions"]["upload"]
    return upload


def part_keys(running: Site) -> list[Key]:
    return list(running.hub.blobs.keys("part"))


class TestWhole:
    def test_it_arrives(self, running: Site) -> None:
        done(running.client.put(href(running)["href"], content=DATA))
        assert running.batch("ann/m", "ann", SHA256, len(DATA)) == {
            "oid": SHA256,
            "size": len(DATA),
            "authenticated": True,
        }
        assert linked(running, SHA256)
        assert running.get("/ann/m/resolve/main/x").content == DATA

    def test_verify(self, running: Site) -> None:
        def verify(size: int = len(DATA), who: str = "ann") -> int:
            path = "/api/lfs/verify/ann/m"
            return running.ask("POST", path, who, json={"oid": SHA256, "size": size}).status_code

        assert verify() == 404
        running.upload("ann/m", "ann", DATA)
        assert [verify(), verify(1), verify(who="bob"), verify(who="")] == [200, 404, 200, 401]

    def test_twice_is_as_good_as_once(self, running: Site) -> None:
        url = href(running)["href"]
        assert [running.client.put(url, content=DATA).status_code for _ in range(2)] == [200, 200]

    @pytest.mark.parametrize("sent", [b"", DATA[:-1], DATA + b"x", b"x" * len(DATA), DATA * 2])
    def test_something_else_is_refused(self, running: Site, sent: bytes) -> None:
        other = DATA + b"never came whole" + bytes(1)
        answer = running.client.put(href(running, data=other)["href"], content=sent)
        assert (answer.status_code, answer.headers["X-Error-Message"] != "") == (400, True)
        assert running.hub.blobs.size(Key("file", hashlib.sha256(other).hexdigest())) is None
        assert not linked(running, hashlib.sha256(other).hexdigest())

    def test_an_empty_one(self, running: Site) -> None:
        done(running.client.put(href(running, data=b"")["href"], content=b""))
        assert linked(running, hashlib.sha256(b"").hexdigest())
        assert running.get("/ann/m/resolve/main/x").content == b""

    def test_too_large(self, running: Site) -> None:
        wanted = {"operation": "upload", "objects": [{"oid": SHA256, "size": 1_000_001}]}
        answer = running.ask("POST", "/ann/m.git/info/lfs/objects/batch", "ann", json=wanted)
        assert (answer.status_code, "1,000,000 bytes" in answer.text) == (413, True)

    @pytest.mark.parametrize(
        "wanted",
        [
            {"operation": "download", "objects": []},
            {"operation": "upload"},
            {"operation": "upload", "objects": {}},
            {"operation": "upload", "objects": [7]},
            {"operation": "upload", "objects": [{"oid": SHA256}]},
            {"operation": "upload", "objects": [{"oid": SHA256, "size": -1}]},
            {"operation": "upload", "objects": [{"oid": SHA256, "size": 1.5}]},
            {"operation": "upload", "objects": [{"oid": SHA256.upper(), "size": 1}]},
            {"operation": "upload", "objects": [{"oid": "../x", "size": 1}]},
            {"operation": "upload", "objects": [{"oid": SHA256, "size": 1}], "hash_algo": "md5"},
            {"operation": "upload", "objects": [{"oid": SHA256, "size": 1}] * 1001},
            {"operation": "upload", "objects": [], "transfers": "multipart"},
        ],
    )
    def test_odd_questions(self, running: Site, wanted: dict[str, Any]) -> None:
        assert running.ask("POST", "/ann/m.git/info/lfs/objects/batch", "ann", json=wanted).status_code == 400

    @pytest.mark.parametrize("transfers", [None, [], ["ssh"], [7], [None]])
    def test_odd_ways_to_transfer_fall_back_to_the_plainest(self, running: Site, transfers: Any) -> None:
        wanted = {"operation": "upload", "transfers": transfers, "objects": [{"oid": "a" * 64, "size": 5000}]}
        answer = done(running.ask("POST", "/ann/m.git/info/lfs/objects/batch", "ann", json=wanted)).json()
        assert (answer["transfer"], "header" in answer["objects"][0]["actions"]["upload"]) == ("basic", False)


class TestParts:
    def links(self, upload: dict[str, Any]) -> list[str]:
        return [url for key, url in sorted(upload["header"].items()) if key.isdigit()]

    def send(self, running: Site, upload: dict[str, Any], data: bytes = DATA) -> list[Any]:
        pieces = [data[at : at + PART] for at in range(0, len(data), PART)]
        return [running.client.put(url, content=piece) for url, piece in zip(self.links(upload), pieces, strict=True)]

    @pytest.mark.parametrize("size", [1001, 2000, 2001, 9_999])
    def test_they_are_put_together(self, running: Site, size: int) -> None:
        data = (DATA * 5)[:size]
        upload = href(running, "basic", "multipart", data=data)
        assert upload["header"]["chunk_size"] == str(PART)
        answers = self.send(running, upload, data)
        assert len(answers) == -(-size // PART)
        assert all(answer.headers["ETag"] for answer in answers)
        done(running.client.post(upload["href"], json={"oid": "?", "parts": []}))
        assert linked(running, hashlib.sha256(data).hexdigest())
        assert running.get("/ann/m/resolve/main/x").content == data
        assert part_keys(running) == []
        done(running.client.post(upload["href"], json={}))  # its answer was lost on its way

    def test_one_part_is_no_parts(self, running: Site) -> None:
        assert "header" not in href(running, "multipart", data=DATA[:PART])

    def test_a_part_may_come_again_and_in_any_order(self, running: Site) -> None:
        upload = href(running, "multipart")
        links = self.links(upload)
        for number in (2, 0, 1):
            running.client.put(links[number], content=b"x" * len(DATA[number * PART : (number + 1) * PART]))
        self.send(running, upload)
        done(running.client.post(upload["href"], json={}))
        assert linked(running, SHA256)

    def test_a_missing_part(self, running: Site) -> None:
        upload = href(running, "multipart")
        running.client.put(self.links(upload)[0], content=DATA[:PART])
        answer = running.client.post(upload["href"], json={})
        assert (answer.status_code, "part 2 has not arrived" in answer.text) == (400, True)
        assert len(part_keys(running)) == 1
        self.send(running, upload)
        done(running.client.post(upload["href"], json={}))
        assert part_keys(running) == []

    def test_two_who_ask_at_once_both_hear_yes(self, running: Site) -> None:
        upload = href(running, "multipart")
        self.send(running, upload)
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(lambda _: running.client.post(upload["href"], json={}).status_code, range(2)))
        assert set(answers) <= {200, 409}
        assert 200 in answers
        done(running.client.post(upload["href"], json={}))

    def test_wrong_parts(self, running: Site) -> None:
        upload = href(running, "multipart")
        self.send(running, upload, DATA[::-1])
        assert running.client.post(upload["href"], json={}).status_code == 400
        assert not linked(running, SHA256)
        assert part_keys(running) == []

    @pytest.mark.parametrize("size", [0, PART - 1, PART + 1])
    def test_a_part_of_another_length(self, running: Site, size: int) -> None:
        url = self.links(href(running, "multipart"))[0]
        assert running.client.put(url, content=b"x" * size).status_code == 400
        assert part_keys(running) == []

    @pytest.mark.parametrize("number", ["0", "4", "99999", "999999", "-1", "x", "1.5", "%D9%A1"])
    def test_a_part_that_there_is_not(self, running: Site, number: str) -> None:
        url = self.links(href(running, "multipart"))[0]
        assert running.client.put(f"{url[:-1]}{number}", content=b"x").status_code == 400

    def test_uploads_of_one_content_do_not_meet(self, running: Site) -> None:
        first, second = href(running, "multipart"), href(running, "multipart")
        self.send(running, first, DATA[::-1])
        self.send(running, second)
        assert running.client.post(first["href"], json={}).status_code == 400
        done(running.client.post(second["href"], json={}))


class TestTickets:
    def test_they_are_for_one_content(self, running: Site) -> None:
        other = DATA[::-1]
        assert running.client.put(href(running)["href"], content=other).status_code == 400
        assert not linked(running, hashlib.sha256(other).hexdigest())

    def test_they_are_for_one_purpose(self, running: Site) -> None:
        whole, parts = href(running)["href"], href(running, "multipart")["href"]
        swapped = running.client.put(whole.replace("/whole/", "/parts/") + "/1", content=DATA[:PART])
        assert swapped.status_code == 403
        assert running.client.post(whole.replace("/whole/", "/parts/")).status_code == 403
        assert running.client.put(parts.replace("/parts/", "/whole/"), content=DATA).status_code == 403
        token = running.get("/api/models/ann/m/xet-write-token/main", "ann").json()["accessToken"]
        for ticket in (token, "x", "%2E%2E%2F", "é", "a" * 5000):
            assert running.client.put(f"{running.url}/api/lfs/whole/{ticket}", content=DATA).status_code == 403

    def test_they_end(self, running: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        links = href(running)["href"], href(running, "multipart")["href"]
        now = TimestampSigner(b"x").get_timestamp()
        monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: now + 12 * 3600 + 5)
        assert running.client.put(links[0], content=DATA).status_code == 403
        assert running.client.put(f"{links[1]}/1", content=DATA[:PART]).status_code == 403
        assert running.client.post(links[1]).status_code == 403

    def test_they_follow_the_repository(self, running: Site) -> None:
        """What is uploaded counts for the repository it was for, by whatever name, and for no later one of its name."""
        url = href(running)["href"]
        moved = {"fromRepo": "ann/m", "toRepo": "ann/moved"}
        done(running.ask("POST", "/api/repos/move", "ann", json=moved))
        running.create("ann/m", "ann")
        done(running.client.put(url, content=DATA))
        assert not linked(running, SHA256)
        done(running.commit("ann/moved", "ann", large("x", SHA256)))
        done(running.ask("DELETE", "/api/repos/delete", "ann", json={"name": "ann/moved"}))
        assert running.client.put(url, content=DATA).status_code == 200  # which nobody can name
        assert not linked(running, SHA256)

    def test_a_link_carries_no_token(self, running: Site) -> None:
        url = href(running)["href"]
        assert running.tokens["ann"] not in url
        assert running.client.put(url, content=DATA, headers={"Authorization": "Bearer nonsense"}).status_code == 200
