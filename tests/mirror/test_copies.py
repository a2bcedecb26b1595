"""`tars mirror` between two real hubs, with the stock client: what arrives, on which branch, and what moves for it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from filelock import FileLock
from huggingface_hub import HfApi

from tests.mirror.pairs import Pair, Said, commits, held, info, mirror, refusal, staged


def tags(hubs: Pair) -> dict[str, str]:
    refs = hubs.there.get("/api/models/ann/pets/refs", "ann").json()
    return {each["name"]: each["targetCommit"] for each in refs["tags"]}


class TestACopy:
    def test_all_files_arrive_in_one_commit_that_says_from_where(
        self, hubs: Pair, capsys: Said, tmp_path: Path
    ) -> None:
        hubs.make()
        mirror(hubs, "ann/pets")
        assert held(hubs.there, "ann/pets", "ann") == held(hubs.here, "ann/pets", "ann")
        sha = hubs.here.get("/api/models/ann/pets", "ann").json()["sha"]
        first, *others = hubs.there.get("/api/models/ann/pets/commits/main", "ann").json()
        assert first["title"] == f"Mirror ann/pets@main ({sha[:12]}) from {hubs.source.url}"
        assert sha in first["message"]
        assert len(others) == 1  # that of the empty repository
        said = capsys.readouterr()
        assert said.err == ""
        assert re.search(r"ann/pets@main +4 files +302\.\d kB in all +302\.\d kB to move\n", said.out)
        assert said.out.endswith(" on main; the repository is new and private\n")
        assert not staged(tmp_path / "home")

    def test_the_second_time_nothing_moves(self, hubs: Pair, capsys: Said) -> None:
        hubs.make()
        mirror(hubs, "ann/pets")
        before = commits(hubs.there, "ann/pets", "ann")
        hubs.source.heal()
        hubs.target.heal()
        capsys.readouterr()
        mirror(hubs, "ann/pets")
        assert capsys.readouterr().out.splitlines()[1:] == ["ann/pets@main  4 files  302.1 kB in all  up to date"]
        assert not hubs.source.files()
        assert not [each for each in hubs.target.asked if each.method != "GET"]
        assert commits(hubs.there, "ann/pets", "ann") == before

    def test_only_what_changed_moves_and_what_is_gone_goes(self, hubs: Pair, capsys: Said) -> None:
        hubs.make()
        mirror(hubs, "ann/pets")
        api = HfApi(endpoint=hubs.here.url, token=hubs.here.tokens["ann"])
        hubs.here.put("ann/pets", "ann", {"sub dir/é#1.json": b'{"a": 2222}'})
        api.delete_file("empty", "ann/pets")
        hubs.source.heal()
        capsys.readouterr()
        mirror(hubs, "ann/pets")
        assert hubs.source.moved == len(b'{"a": 2222}')
        assert "11 bytes to move, 1 to delete\n" in capsys.readouterr().out
        there = held(hubs.there, "ann/pets", "ann")
        assert there == held(hubs.here, "ann/pets", "ann")
        assert "empty" not in there

    def test_the_same_content_under_two_names_moves_once(self, hubs: Pair, capsys: Said) -> None:
        hubs.here.create("ann/pets", "ann")
        data = os.urandom(50_000)
        hubs.here.put_large("ann/pets", "ann", "a.bin", data)
        hubs.here.put_large("ann/pets", "ann", "b.bin", data)
        attributes = held(hubs.here, "ann/pets", "ann")[".gitattributes"][0]
        mirror(hubs, "ann/pets")
        assert hubs.source.moved == 50_000 + attributes
        assert "102.1 kB in all  52.1 kB to move" in capsys.readouterr().out
        assert held(hubs.there, "ann/pets", "ann") == held(hubs.here, "ann/pets", "ann")

    def test_a_dry_run_says_sizes_and_moves_nothing(self, hubs: Pair, capsys: Said) -> None:
        hubs.make()
        mirror(hubs, "ann/pets", "--dry-run")
        assert "302.1 kB to move" in capsys.readouterr().out
        assert not hubs.source.files()
        assert info(hubs).get("error")

    def test_what_one_hub_counts_as_large_and_the_other_as_small_is_told_once(
        self, hubs: Pair, tmp_path: Path, capsys: Said
    ) -> None:
        hubs.here.create("ann/pets", "ann")
        hubs.here.put_large("ann/pets", "ann", "notes.txt", b"text" * 30)
        mirror(hubs, "ann/pets")
        tree = {each["path"]: each for each in hubs.there.get("/api/models/ann/pets/tree/main", "ann").json()}
        assert "lfs" not in tree["notes.txt"]  # else this shows nothing
        before = commits(hubs.there, "ann/pets", "ann")
        hubs.source.heal()
        mirror(hubs, "ann/pets")
        assert not hubs.source.files()
        (tmp_path / "home" / "tars-mirror" / "known").unlink()  # on another machine
        for fetched in (1, 0):
            hubs.source.heal()
            mirror(hubs, "ann/pets")
            assert len(hubs.source.files()) == fetched
        assert commits(hubs.there, "ann/pets", "ann") == before
        assert "up to date" in capsys.readouterr().out.splitlines()[-1]

    def test_a_file_that_the_target_leaves_out_is_said(self, hubs: Pair, capsys: Said) -> None:
        hubs.here.create("ann/pets", "ann")
        hubs.here.put("ann/pets", "ann", {"secret.env": b"x", ".gitignore": b"*.env\n"})
        mirror(hubs, "ann/pets", code=2)
        assert "did not take all of ann/pets as it was sent: secret.env" in capsys.readouterr().err

    def test_two_processes_do_not_copy_the_same_at_once(self, hubs: Pair, tmp_path: Path, capsys: Said) -> None:
        hubs.make()
        mirror(hubs, "ann/pets")
        hubs.here.put("ann/pets", "ann", {"new": b"x"})
        [lock] = (tmp_path / "home" / "tars-mirror").glob("*.lock")
        with FileLock(lock):
            mirror(hubs, "ann/pets", code=2)
        assert "is being copied by another `tars mirror`" in capsys.readouterr().err


class TestRevisions:
    def test_a_branch_goes_to_a_branch_of_its_name(self, hubs: Pair, capsys: Said) -> None:
        hubs.make()
        mirror(hubs, "ann/pets")
        main_before = commits(hubs.there, "ann/pets", "ann")
        api = HfApi(endpoint=hubs.here.url, token=hubs.here.tokens["ann"])
        api.create_branch("ann/pets", branch="feature/x")
        hubs.here.put("ann/pets", "ann", {"new": b"12345"}, to="feature%2Fx")
        hubs.source.heal()
        capsys.readouterr()
        for said in (r"5 bytes to move\n.* on feature/x\n$", r"up to date\n$"):
            mirror(hubs, "ann/pets@feature/x")
            assert re.search(said, capsys.readouterr().out)
        assert hubs.source.moved == 5  # it starts from main, which has the rest
        assert "new" in held(hubs.there, "ann/pets", "ann", "feature%2Fx")
        assert commits(hubs.there, "ann/pets", "ann") == main_before

    def test_a_branch_without_a_difference_is_made_all_the_same(self, hubs: Pair) -> None:
        hubs.make()
        mirror(hubs, "ann/pets")
        HfApi(endpoint=hubs.here.url, token=hubs.here.tokens["ann"]).create_branch("ann/pets", branch="same")
        mirror(hubs, "ann/pets@same")
        assert commits(hubs.there, "ann/pets", "ann", "same") == commits(hubs.there, "ann/pets", "ann")

    def test_a_new_branch_is_not_left_with_other_files(self, hubs: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
        hubs.make()
        mirror(hubs, "ann/pets")
        HfApi(endpoint=hubs.here.url, token=hubs.here.tokens["ann"]).create_branch("ann/pets", branch="dev")
        hubs.here.put("ann/pets", "ann", {"new": b"1"}, to="dev")

        def refuse(*_: object, **__: object) -> None:
            raise ValueError("no commit today")

        monkeypatch.setattr(HfApi, "create_commit", refuse)
        mirror(hubs, "ann/pets@dev", code=2)
        refs = hubs.there.get("/api/models/ann/pets/refs", "ann").json()
        assert [each["name"] for each in refs["branches"]] == ["main"]

    def test_a_tag_goes_onto_main_and_is_set_there(self, hubs: Pair, capsys: Said) -> None:
        hubs.make()
        api = HfApi(endpoint=hubs.here.url, token=hubs.here.tokens["ann"])
        api.create_tag("ann/pets", tag="v1")
        mirror(hubs, "ann/pets@v1")
        assert tags(hubs) == {"v1": info(hubs)["sha"]}
        assert held(hubs.there, "ann/pets", "ann", "v1") == held(hubs.here, "ann/pets", "ann", "v1")
        hubs.here.put("ann/pets", "ann", {"new": b"1"})
        mirror(hubs, "ann/pets")
        newest = info(hubs)["sha"]
        capsys.readouterr()
        mirror(hubs, "ann/pets@v1")  # main has gone on, the tag stands
        assert "up to date" in capsys.readouterr().out
        assert info(hubs)["sha"] == newest

    def test_a_tag_that_moved_at_the_source_moves(self, hubs: Pair) -> None:
        hubs.make()
        api = HfApi(endpoint=hubs.here.url, token=hubs.here.tokens["ann"])
        api.create_tag("ann/pets", tag="v1")
        mirror(hubs, "ann/pets@v1")
        hubs.here.put("ann/pets", "ann", {"new": b"1"})
        api.delete_tag("ann/pets", tag="v1")
        api.create_tag("ann/pets", tag="v1")
        mirror(hubs, "ann/pets@v1")
        assert "new" in held(hubs.there, "ann/pets", "ann", "v1")

    def test_a_tag_of_files_that_main_has_makes_no_commit(self, hubs: Pair) -> None:
        hubs.make()
        mirror(hubs, "ann/pets")
        before = info(hubs)["sha"]
        HfApi(endpoint=hubs.here.url, token=hubs.here.tokens["ann"]).create_tag("ann/pets", tag="v1")
        mirror(hubs, "ann/pets@v1")
        assert tags(hubs) == {"v1": before}
        assert info(hubs)["sha"] == before

    @pytest.mark.parametrize("digits", [7, 40])
    def test_a_commit_goes_onto_main(self, hubs: Pair, digits: int) -> None:
        hubs.make()
        sha = hubs.here.get("/api/models/ann/pets", "ann").json()["sha"]
        hubs.here.put("ann/pets", "ann", {"later": b"1"})
        mirror(hubs, f"ann/pets@{sha[:digits]}")
        assert held(hubs.there, "ann/pets", "ann") == held(hubs.here, "ann/pets", "ann", sha)

    def test_main_ends_up_as_main_whatever_else_is_copied(self, hubs: Pair, capsys: Said) -> None:
        hubs.make()
        HfApi(endpoint=hubs.here.url, token=hubs.here.tokens["ann"]).create_tag("ann/pets", tag="v1")
        hubs.here.put("ann/pets", "ann", {"later": b"1"})
        mirror(hubs, "ann/pets", "ann/pets@v1")
        assert held(hubs.there, "ann/pets", "ann") == held(hubs.here, "ann/pets", "ann")
        assert "later" not in held(hubs.there, "ann/pets", "ann", "v1")
        capsys.readouterr()
        mirror(hubs, "ann/pets", "ann/pets@v1")
        assert capsys.readouterr().out.count("up to date") == 2

    def test_each_goes_onto_what_the_one_before_it_made(self, hubs: Pair) -> None:
        hubs.make()
        mirror(hubs, "ann/pets")
        hubs.here.put("ann/pets", "ann", {"later": b"1"})
        HfApi(endpoint=hubs.here.url, token=hubs.here.tokens["ann"]).create_tag("ann/pets", tag="v2")
        hubs.here.put("ann/pets", "ann", {"latest": b"2"})
        mirror(hubs, "ann/pets", "ann/pets@v2")
        assert held(hubs.there, "ann/pets", "ann") == held(hubs.here, "ann/pets", "ann")
        assert held(hubs.there, "ann/pets", "ann", "v2") == held(hubs.here, "ann/pets", "ann", "v2")


class TestSeveral:
    def test_each_is_copied(self, hubs: Pair, capsys: Said) -> None:
        for name in ("ann/one", "ann/two"):
            hubs.make(name, size=20_000)
        mirror(hubs, "ann/one", "ann/two", "ann/one@main")
        assert capsys.readouterr().out.count("copied: commit") == 2
        for name in ("ann/one", "ann/two"):
            assert held(hubs.there, name, "ann") == held(hubs.here, name, "ann")

    def test_all_are_checked_before_any_moves(self, hubs: Pair, capsys: Said) -> None:
        hubs.make("ann/one", size=20_000)
        assert "has no ann/missing@main" in refusal(hubs, capsys, "ann/one", "ann/missing")
        assert info(hubs, "ann/one").get("error")

    def test_one_that_fails_does_not_lose_the_others(self, hubs: Pair, capsys: Said) -> None:
        for name in ("ann/one", "ann/two", "ann/three"):
            hubs.make(name, size=20_000)
        hubs.source.changed = lambda path, body: b"x" * len(body) if "/ann/two/resolve/" in path else body
        mirror(hubs, "ann/one", "ann/two", "ann/three", code=2)
        said = capsys.readouterr()
        assert said.err == "tars: 1 of 3 not copied: ann/two@main; the same command goes on where this one stopped\n"
        assert re.search(r"^ann/two@main  not copied: .*is not what it announced", said.out, re.MULTILINE)
        assert info(hubs, "ann/two").get("error")
        for name in ("ann/one", "ann/three"):
            assert held(hubs.there, name, "ann") == held(hubs.here, name, "ann")
