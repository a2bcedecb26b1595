"""What is wanted again in the very moment in which it goes: it stays, or whoever sent it is told to send it again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tars_hub.server.catalog import sweeping
from tars_hub.server.rules.contents import keep_small
from tests.server.rules.by_hand import file_of, store, upload, whole
from tests.server.running import done, large
from tests.server.tidying import GRACE_DAYS, Attic, packed, sha256, sound_attic


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Attic]:
    with sound_attic(tmp_path / "hub") as found:
        yield found


class TestTogether:
    """Somebody comes in the very moment in which something goes."""

    def meanwhile(self, here: Attic, monkeypatch: pytest.MonkeyPatch, room: str, name: str, days: float = 0) -> None:
        """Tidy right before the next call of a method of the catalogue."""
        of = getattr(here.catalog, room)
        real = getattr(of, name)

        def late(*args: Any, **more: Any) -> Any:
            monkeypatch.setattr(of, name, real)
            here.tidy(days)
            return real(*args, **more)

        monkeypatch.setattr(of, name, late)

    def test_small_files_are_kept_again(self, here: Attic, monkeypatch: pytest.MonkeyPatch) -> None:
        self.meanwhile(here, monkeypatch, "contents", "add_plain")
        here.put("a", "one")
        self.meanwhile(here, monkeypatch, "history", "commit")
        here.put("a", "two")
        assert here.running.get("/ann/m/resolve/main/a", "ann").text == "two"
        self.meanwhile(here, monkeypatch, "contents", "add_plain")
        here.running.create("ann/n", "ann")
        self.meanwhile(here, monkeypatch, "contents", "add_plain")
        assert keep_small(here.hub, b"three").sha256 == sha256("three")
        assert here.has("three")

    def test_a_repository_can_be_made_again(self, here: Attic, monkeypatch: pytest.MonkeyPatch) -> None:
        here.remove("m")
        self.meanwhile(here, monkeypatch, "repositories", "add")
        wanted = {"name": "m", "visibility": "public"}
        answer = here.running.ask("POST", "/api/repos/create", "ann", json=wanted)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        done(here.running.ask("POST", "/api/repos/create", "ann", json=wanted))

    def test_a_large_file_is_to_be_sent_again(self, here: Attic, monkeypatch: pytest.MonkeyPatch) -> None:
        batch = here.running.batch("ann/m", "ann", sha256("large"), 5)
        url = batch["actions"]["upload"]["href"]
        self.meanwhile(here, monkeypatch, "contents", "add_plain")
        refused = here.running.client.put(url, content=b"large")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["error"].endswith("was freed in this very moment; send it again")
        done(here.running.client.put(url, content=b"large"))
        done(here.running.commit("ann/m", "ann", large("a.bin", sha256("large"))))

    def test_a_xorb_is_to_be_sent_again(self, here: Attic, monkeypatch: pytest.MonkeyPatch) -> None:
        source, to = packed(8), store(here.running, "ann/m", "ann")
        self.meanwhile(here, monkeypatch, "contents", "add_xorb")
        assert to.send_xorb(source) == 503
        assert to.send_xorb(source) == 200

    def test_a_shard_whose_xorb_is_freed_as_it_is_read(self, here: Attic, monkeypatch: pytest.MonkeyPatch) -> None:
        source, to = packed(15), store(here.running, "ann/m", "ann")
        assert to.send_xorb(source) == 200
        self.meanwhile(here, monkeypatch, "contents", "recipe")
        status, said = to.send_shard(file_of(*whole(source)))
        assert (status, "upload it again" in said) == (400, True)

    @pytest.mark.parametrize("version", ["/v1", "/v2"])
    def test_a_shard_that_names_a_freed_xorb(self, here: Attic, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
        source, to = packed(9), store(here.running, "ann/m", "ann")
        assert to.send_xorb(source) == 200
        self.meanwhile(here, monkeypatch, "contents", "add_recipe")
        _, said = to.send_shard(file_of(*whole(source)), version=version)
        assert f"xorb {source.name} was not uploaded" in said

    def test_old_xorbs_stay_while_a_shard_that_names_them_is_read(
        self, here: Attic, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source, to = packed(14), store(here.running, "ann/m", "ann")
        assert to.send_xorb(source) == 200
        here.age()
        self.meanwhile(here, monkeypatch, "contents", "add_recipe", GRACE_DAYS)
        assert to.send_shard(file_of(*whole(source)))[0] == 200

    def test_a_shard_of_a_file_that_is_freed(self, here: Attic, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its recipe is found, and gone before it is linked; its xorb is still there."""
        source, to = packed(10), store(here.running, "ann/m", "ann")
        made = upload(here.running, "ann/m", "ann", *whole(source))
        here.put_xet(source, path="other.bin")
        part = file_of((source, 0, 1))
        assert to.send_shard(part)[0] == 200
        self.meanwhile(here, monkeypatch, "contents", "link")
        assert to.send_shard(part)[0] == 200
        done(here.running.commit("ann/m", "ann", large("part.bin", part.sha256 or "")))
        assert here.running.get("/ann/m/resolve/main/part.bin", "ann").content == source.chunks[0]
        assert made.sha256

    def test_a_commit_of_what_was_uploaded_long_ago(self, here: Attic, monkeypatch: pytest.MonkeyPatch) -> None:
        for moment in (("history", "commit"), ("history", "files")):
            name = here.running.upload("ann/m", "ann", b"long ago")
            self.meanwhile(here, monkeypatch, *moment)
            refused = here.running.commit("ann/m", "ann", large("a.bin", name))
            assert refused.status_code in (400, 409)
            assert "upload it" in refused.json()["error"]

    def test_a_branch_at_a_commit_that_is_freed(self, here: Attic, monkeypatch: pytest.MonkeyPatch) -> None:
        commit = here.put("a", "one")
        here.put("a", "two")
        here.squash()
        self.meanwhile(here, monkeypatch, "history", "move_refs")
        refused = here.running.ask("POST", "/api/models/ann/m/branch/old", "ann", json={"startingPoint": commit})
        assert refused.status_code == 409
        assert f"commit {commit} was freed meanwhile" in refused.json()["error"]

    def test_a_branch_that_moves_while_its_old_revision_is_freed(
        self, here: Attic, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who reads it asks again, and gets the new one."""
        here.put("a/b", "one")
        real = here.catalog.history.find_commit

        def late(*args: Any) -> Any:
            monkeypatch.setattr(here.catalog.history, "find_commit", real)
            here.put("a/b", "two")
            here.squash()
            here.tidy()
            return real(*args)

        monkeypatch.setattr(here.catalog.history, "find_commit", late)
        assert here.running.get("/ann/m/resolve/main/a/b", "ann").text == "two"

    @pytest.mark.parametrize("method", ["trees", "files"])
    def test_a_revision_that_is_freed_while_it_is_listed(
        self, here: Attic, monkeypatch: pytest.MonkeyPatch, method: str
    ) -> None:
        commit = here.put("a/b", "one")
        here.put("a/b", "two")
        here.squash()
        self.meanwhile(here, monkeypatch, "history", method)
        answer = here.running.get(f"/api/models/ann/m/tree/{commit}?recursive=true", "ann")
        assert (answer.status_code, "removed just now" in answer.text) == (503, True)
        assert here.running.get(f"/api/models/ann/m/tree/{commit}?recursive=true", "ann").status_code == 404

    @pytest.mark.parametrize("method", ["forget", "free_contents", "free_recipes", "free_xorbs", "withdraw"])
    def test_what_is_named_again_before_it_goes(
        self, here: Attic, monkeypatch: pytest.MonkeyPatch, method: str
    ) -> None:
        source = packed(11)
        here.branch("side")
        here.put("a", "again", to="side")
        here.put_xet(source, to="side")
        here.drop("side")
        real = getattr(here.catalog.sweeping, method)

        def late(*args: Any, **more: Any) -> Any:
            monkeypatch.setattr(here.catalog.sweeping, method, real)
            here.put("a", "again")
            here.put_xet(source)
            return real(*args, **more)

        monkeypatch.setattr(here.catalog.sweeping, method, late)
        here.tidy()
        assert here.has("again")
        assert here.has_xorb(source)
        assert here.running.get("/ann/m/resolve/main/x.bin", "ann").content == b"".join(source.chunks)

    def test_whoever_dies_between_two_commits_leaves_none_without_those_before_it(
        self, here: Attic, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(5):
            here.put("a", str(number))
        here.squash()
        real, left = sweeping._require_same, [1, 1]

        def die(*args: Any) -> None:
            left.pop()  # IndexError
            real(*args)

        monkeypatch.setattr(sweeping, "_AT_ONCE", 1)
        monkeypatch.setattr(sweeping, "_require_same", die)
        with pytest.raises(IndexError):
            here.tidy()
        commits = here.catalog.sweeping.lineage(1).commits
        assert len(commits) == 5
        assert all(parent in commits for node in commits.values() for parent in node.parents)
        monkeypatch.setattr(sweeping, "_require_same", real)
        here.tidy()
        assert len(here.catalog.sweeping.lineage(1).commits) == 1

    @pytest.mark.parametrize("kind", ["tree", "file"])
    def test_a_tree_that_comes_again_before_it_goes(
        self, here: Attic, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        """A commit finds it there and does not bring it."""
        here.branch("side")
        here.put("a/b/c", "again", to="side")
        here.drop("side")
        real = here.catalog.sweeping.free_objects

        def late(which: Any, *args: Any, **more: Any) -> int:
            if which == kind:
                monkeypatch.setattr(here.catalog.sweeping, "free_objects", real)
                here.put("a/b/c", "again")
            return real(which, *args, **more)

        monkeypatch.setattr(here.catalog.sweeping, "free_objects", late)
        here.tidy()
        assert here.running.get("/ann/m/resolve/main/a/b/c", "ann").text == "again"

    def test_a_commit_that_two_repositories_share(self, here: Attic, monkeypatch: pytest.MonkeyPatch) -> None:
        """Made in the same second by the same user, their first ones are one."""
        here.remove("m")
        real = here.catalog.sweeping.objects

        def late(kind: Any) -> Any:
            monkeypatch.setattr(here.catalog.sweeping, "objects", real)
            here.running.create("ann/m", "ann")
            return real(kind)

        monkeypatch.setattr(here.catalog.sweeping, "objects", late)
        here.tidy()
        assert here.running.get("/api/models/ann/m/tree/main", "ann").status_code == 200
