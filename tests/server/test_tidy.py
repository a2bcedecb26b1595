"""What nothing names goes, after its grace; everything else stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from tars_hub.server.blobs.interface import Key
from tars_hub.server.catalog import schema
from tars_hub.server.gitobjects import blob_oid
from tests.server.rules.by_hand import file_of, store, upload, whole
from tests.server.running import done, gone, large, line, ndjson, small
from tests.server.tidying import GRACE_DAYS, Attic, attic, packed, sha256, sound_attic


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Attic]:
    with sound_attic(tmp_path / "hub") as found:
        yield found


class TestNames:
    """Refs of any kind hold what their commits name."""

    def test_all_revisions_of_a_branch_stay(self, here: Attic) -> None:
        here.put("a", "one")
        here.put("a", "two")
        done(here.running.commit("ann/m", "ann", gone("a")))
        assert here.tidy().rows == 0
        assert here.has("one")
        assert here.has("two")

    def test_a_removed_branch(self, here: Attic) -> None:
        here.branch("side")
        here.put("a", "on main")
        commit = here.put("b", "on side", to="side")
        here.put("a", "on main", to="side")
        here.drop("side")
        assert here.running.get(f"/ann/m/resolve/{commit}/b", "ann").status_code == 200
        found = here.tidy()
        assert (found.blobs, found.blob_bytes) == (1, len("on side"))
        assert (here.has("on side"), here.has("on main")) == (False, True)
        assert here.running.get(f"/ann/m/resolve/{commit}/b", "ann").status_code == 404

    def test_a_squashed_branch(self, here: Attic) -> None:
        here.put("a", "one")
        here.put("a", "two")
        here.squash()
        here.tidy()
        assert (here.has("one"), here.has("two")) == (False, True)
        assert here.running.get("/ann/m/resolve/main/a", "ann").text == "two"

    def test_a_tag(self, here: Attic) -> None:
        here.put("a", "one")
        done(here.running.ask("POST", "/api/models/ann/m/tag/main", "ann", json={"tag": "v1"}))
        here.put("a", "two")
        here.squash()
        assert here.tidy().blobs == 0
        done(here.running.ask("DELETE", "/api/models/ann/m/tag/v1", "ann"))
        assert here.tidy().blobs == 1
        assert not here.has("one")

    @pytest.mark.parametrize("end", ["open", "closed", "merged"])
    def test_a_pull_request_whatever_became_of_it(self, here: Attic, end: str) -> None:
        here.put("a", "before")
        answer = done(here.running.ask("POST", "/api/models/ann/m/commit/main?create_pr=1", "ann", content=_pr()))
        number = answer.json()["pullRequestUrl"].rpartition("/")[2]
        if end == "closed":
            path = f"/api/models/ann/m/discussions/{number}/status"
            done(here.running.ask("POST", path, "ann", json={"status": "closed"}))
        if end == "merged":
            done(here.running.ask("POST", f"/api/models/ann/m/discussions/{number}/merge", "ann", json={}))
        here.put("a", "after")
        done(here.running.commit("ann/m", "ann", small("b", b"after too")))
        here.squash()
        here.tidy()
        assert here.has("before")
        assert here.has("asked")
        assert here.running.get(f"/ann/m/resolve/refs%2Fpr%2F{number}/b", "ann").text == "asked"
        assert here.running.get(f"/api/models/ann/m/discussions/{number}?diff=1", "ann").status_code == 200

    def test_where_a_pull_request_began(self, here: Attic) -> None:
        """It is compared with that, also when neither branch leads there any more."""
        here.put("a", "began")
        done(here.running.ask("POST", "/api/models/ann/m/commit/main?create_pr=1", "ann", content=_pr()))
        here.put("a", "after")
        for ref in ("main", "refs%2Fpr%2F1"):
            here.squash(ref)
        here.tidy()
        told = done(here.running.get("/api/models/ann/m/discussions/1?diff=1", "ann")).json()
        assert told["filesWithConflicts"] == []
        done(here.running.ask("POST", "/api/models/ann/m/discussions/1/merge", "ann", json={}))
        assert here.running.get("/ann/m/resolve/main/b", "ann").text == "asked"

    def test_a_removed_repository(self, here: Attic) -> None:
        here.put("a", "one")
        source = packed(1)
        here.put_xet(source)
        here.remove("m")
        found = here.tidy()
        assert (found.blobs, here.has("one"), here.has_xorb(source)) == (3, False, False)  # one is .gitattributes
        assert here.blobs() == {}
        assert here.catalog.weighing.totals().contents == 0
        assert all(not here.rows()[name] for name in ("commits", "trees", "files", "recipes", "recipe_xorbs"))

    def test_two_repositories_with_the_same(self, here: Attic) -> None:
        source = packed(2)
        here.running.create("ann/n", "ann")
        for repo in ("ann/m", "ann/n"):
            here.put("a", "shared", repo=repo)
            here.put_xet(source, repo=repo)
        here.remove("m")
        here.tidy()
        assert (here.has("shared"), here.has_xorb(source)) == (True, True)
        assert here.running.get("/ann/n/resolve/main/x.bin", "ann").content == b"".join(source.chunks)
        here.remove("n")
        here.tidy()
        assert (here.has("shared"), here.has_xorb(source)) == (False, False)

    def test_a_xorb_of_which_one_file_needs_a_part(self, here: Attic) -> None:
        source = packed(3)
        here.put_xet(source)
        part = file_of((source, 1, 2))
        to = store(here.running, "ann/m", "ann")
        assert to.send_shard(part)[0] == 200
        done(here.running.commit("ann/m", "ann", large("part.bin", part.sha256 or ""), gone("x.bin")))
        here.squash()
        here.tidy()
        assert here.has_xorb(source)
        assert here.running.get("/ann/m/resolve/main/part.bin", "ann").content == source.chunks[1]
        assert sum(1 for _ in here.catalog.sweeping.recipes()) == 1

    def test_what_was_uploaded_and_never_committed(self, here: Attic) -> None:
        name = here.running.upload("ann/m", "ann", b"never")
        source = packed(4)
        upload(here.running, "ann/m", "ann", *whole(source))
        assert here.tidy(1).held_blobs == 2
        assert here.tidy().blobs == 2
        assert (here.has("never"), here.has_xorb(source)) == (False, False)
        assert here.running.commit("ann/m", "ann", large("a", name)).status_code == 400


def _pr() -> bytes:
    return ndjson(line("header", summary="ask"), small("b", b"asked"))


OFFERS: dict[str, Callable[[Attic, str], object]] = {
    "batch": lambda here, text: here.running.upload("ann/m", "ann", text.encode()),
    "preupload": lambda here, text: done(
        here.running.ask(
            "POST",
            "/api/models/ann/m/preupload/side",
            "ann",
            json={"files": [{"path": "a.bin", "sample": "", "size": len(text)}]},
        )
    ),
    "small": lambda here, text: here.running.put("ann/m", "ann", {"c": text.encode()}, to="other"),
    "copy": lambda here, text: done(here.running.commit("ann/m", "ann", large("c", sha256(text)), to="other")),
    "whole": lambda here, text: here.running.upload("ann/n", "ann", text.encode()),
}


class TestGrace:
    """It counts from when something was offered last."""

    def leave(self, here: Attic, text: str) -> None:
        """A large file on a branch of its own, all of it old."""
        here.branch("other")
        here.branch("side")
        here.running.create("ann/n", "ann")
        here.running.put_large("ann/m", "ann", "a.bin", text.encode(), to="side")
        here.age()

    @pytest.mark.parametrize("way", [*OFFERS, "not at all"])
    def test_each_way_of_offering(self, here: Attic, way: str) -> None:
        self.leave(here, "wanted")
        if way != "not at all":
            OFFERS[way](here, "wanted")
        here.age_commits()
        for branch in ("side", "other"):
            here.drop(branch)
        found = here.tidy(GRACE_DAYS)
        assert here.has("wanted") == (way != "not at all")
        assert found.held_blobs == (way != "not at all")

    @pytest.mark.parametrize("way", ["xorb", "shard", "dedup", "not at all"])
    def test_xorbs(self, here: Attic, way: str) -> None:
        source = packed(5)
        here.branch("side")
        made = here.put_xet(source, to="side")
        here.age()
        to = store(here.running, "ann/m", "ann")
        if way == "xorb":
            assert to.send_xorb(source) == 200
        elif way == "shard":
            assert to.send_shard(made)[0] == 200
        elif way == "dedup":
            assert to.ask_chunk(source.hashes[0][0]) == 200
        here.drop("side")
        here.age_commits()
        here.tidy(GRACE_DAYS)
        assert here.has_xorb(source) == (way != "not at all")
        assert bool(here.catalog.contents.get([made.sha256 or ""])) == (way == "shard")
        here.tidy()
        assert not here.has_xorb(source)

    def test_a_young_commit_holds_old_files_though_nothing_leads_to_it(self, here: Attic) -> None:
        here.put("a", "old")
        here.branch("side")
        here.age()
        commit = here.put("b", "young", to="side")
        here.squash()
        here.age_commits()
        commit = here.put("c", "younger", to="side")
        here.drop("side")
        here.age(0.5)
        here.tidy(1)
        assert here.running.get(f"/ann/m/resolve/{commit}/b", "ann").text == "young"
        here.branch("again", commit)
        assert here.running.get("/ann/m/resolve/again/a", "ann").text == "old"

    def test_fresh_blobs_that_nobody_knows_stay(self, here: Attic) -> None:
        """Their row may be on its way."""
        for text in ("old", "young"):
            with here.hub.blobs.writing() as writing:
                writing.write(text.encode())
                writing.seal(Key("file", sha256(text)))
            if text == "old":
                here.age()
        found = here.tidy(GRACE_DAYS)
        assert (found.blobs, found.held_blobs) == (1, 1)
        assert set(here.blobs()) & {sha256("old"), sha256("young")} == {sha256("young")}

    def test_parts_of_uploads_that_nobody_went_on_with(self, here: Attic) -> None:
        for name in ("1", "2"):
            with here.hub.blobs.writing() as writing:
                writing.write(b"part")
                writing.seal(Key("part", name * 64))
            if name == "1":
                here.age(3)
        assert here.tidy(GRACE_DAYS).blobs == 1
        assert [key.name for key in here.hub.blobs.keys("part")] == ["2" * 64]


class TestDryRun:
    def mess(self, here: Attic) -> None:
        """Some of everything."""
        here.running.create("ann/n", "ann")
        here.branch("side")
        for repo in ("ann/m", "ann/n"):
            here.put("a", "shared", repo=repo)
        here.put("b/c/d", "side", to="side")
        here.put_xet(packed(6), to="side")
        here.put_xet(packed(7))
        here.put("a", "later")
        here.running.upload("ann/m", "ann", b"never")
        here.drop("side")
        here.squash()
        here.remove("n")
        with here.hub.blobs.writing() as writing:
            writing.write(b"lost")
            writing.seal(Key("file", sha256("lost")))
        here.age(2)
        here.running.create("ann/o", "ann")
        here.put("a", "fresh", repo="ann/o")
        here.remove("o")

    @pytest.mark.parametrize("days", [0, 1, 30])
    def test_it_says_what_a_real_one_does_and_does_nothing(self, here: Attic, days: int) -> None:
        self.mess(here)
        before = here.rows(), here.blobs()
        told = here.tidy(days, dry_run=True)
        assert (here.rows(), here.blobs()) == before
        did = here.tidy(days)
        assert told == did
        assert (did.blobs > 0) == (days < 2)
        assert did.held_blobs == {0: 0, 1: 1, 30: 6}[days]
        assert sum(before[1].values()) - sum(here.blobs().values()) == did.blob_bytes
        gone_rows = sum(len(rows) for rows in before[0].values()) - sum(len(rows) for rows in here.rows().values())
        assert gone_rows >= did.rows > 0  # some go with others
        again = here.tidy(days)
        assert (again.blobs, again.rows) == (0, 0)
        assert here.tidy(days, dry_run=True) == again


class TestStore:
    def test_it_gets_another_address_only_where_xorbs_went_and_the_old_one_goes_on(self, here: Attic) -> None:
        source, other = packed(12), packed(13)
        here.branch("side")
        here.put_xet(source, to="side")
        here.put("a", "small", to="side")
        before = store(here.running, "ann/m", "ann")
        here.tidy()
        assert store(here.running, "ann/m", "ann").url == before.url
        here.drop("side")
        here.tidy()
        after = store(here.running, "ann/m", "ann")
        assert after.url != before.url
        for to in (replace(before, token=after.token), after):
            assert to.send_xorb(other) == 200
            assert to.send_shard(file_of(*whole(other)))[0] == 200
        read = store(here.running, "ann/m", "ann", kind="read")
        done(here.running.commit("ann/m", "ann", large("y.bin", file_of(*whole(other)).sha256 or "")))
        assert read.rebuild(file_of(*whole(other)).hash) == 200
        elsewhere = replace(after, url=after.url.replace(here.hub.catalog.instance, "0" * 32))
        assert elsewhere.send_xorb(other) == 404

    def test_a_content_that_was_damaged_and_comes_again(self, here: Attic) -> None:
        here.running.put_large("ann/m", "ann", "a.bin", b"weights")
        [blob] = (here.folder / "blobs" / "file").rglob(sha256("weights"))
        blob.write_bytes(b"wEights")
        with pytest.raises(Exception, match=r"peer closed|incomplete"):
            here.running.get("/ann/m/resolve/main/a.bin", "ann")
        assert here.running.get("/ann/m/resolve/main/a.bin", "ann").status_code == 404
        done(here.running.commit("ann/m", "ann", gone("a.bin")))
        here.squash()
        here.tidy()
        here.running.put_large("ann/m", "ann", "a.bin", b"weights")
        assert here.running.get("/ann/m/resolve/main/a.bin", "ann").content == b"weights"


class TestLost:
    @pytest.mark.parametrize("table", [schema.trees, schema.files, schema.repository_commits])
    def test_what_nobody_can_follow_is_left_alone(self, tmp_path: Path, table: Any) -> None:
        with attic(tmp_path / "hub") as here:
            here.put("a", "one")
            here.branch("side")
            here.put("b", "two", to="side")
            here.drop("side")
            here.running.create("ann/n", "ann")
            here.put("a", "three", repo="ann/n")
            here.squash(repo="ann/n")
            head = here.hub.catalog.history.ref(1, "refs/heads/main")
            commit = here.hub.catalog.history.find_commit(1, head or "")
            assert commit
            gone_oid = {"trees": commit.tree, "files": _blob("one"), "repository_commits": commit.parents[0]}
            with here.catalog.database.writing() as connection:
                connection.execute(delete(table).where(table.c.oid == gone_oid[table.name]))
            before = here.rows()["repository_contents"]
            found = here.tidy()
            [lost] = found.lost
            assert lost.startswith("ann/m: ")
            assert lost.endswith(f"{gone_oid[table.name]} is missing")
            assert here.rows()["repository_contents"] == before
            assert (here.has("one"), here.has("two"), here.has("three")) == (True, True, True)


def _blob(text: str) -> str:
    return blob_oid(text.encode())
