"""`tars mirror` between two real hubs, with the stock client."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from huggingface_hub import HfApi

from tars_hub.cli import main
from tests.mirrors import Pair, commits, held, pair, staged

Said = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def running() -> Iterator[Pair]:
    with pair() as both:
        yield both


@pytest.fixture
def hubs(running: Pair, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pair:
    """Both hubs, empty, and bob's token for the target."""
    running.clear()
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "home" / "hub"))
    monkeypatch.setattr("tars_hub.mirror.transfer._WAIT_S", 0.0)
    monkeypatch.setenv("TARS_MIRROR_TO_TOKEN", running.there.tokens["ann"])
    monkeypatch.delenv("TARS_MIRROR_FROM_TOKEN", raising=False)
    return running


def mirror(hubs: Pair, *words: str, code: int = 0) -> None:
    assert main(["mirror", *words, *hubs.flags()]) == code


def refusal(hubs: Pair, capsys: Said, *words: str) -> str:
    """The one line with which it ends, nothing having moved."""
    capsys.readouterr()
    mirror(hubs, *words, code=2)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("tars: ")
    assert said.err.count("\n") == 1
    assert not hubs.source.files()
    assert not [each for each in hubs.target.asked if each.method != "GET"]
    return said.err


def info(hubs: Pair, repo: str = "ann/pets", who: str = "ann") -> dict[str, Any]:
    found: dict[str, Any] = hubs.there.get(f"/api/models/{repo}", who).json()
    return found


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


class TestWhoSeesIt:
    @pytest.mark.parametrize(
        ("flags", "private", "expected"), [([], False, True), (["--public"], False, False), (["--public"], True, True)]
    )
    def test_private_unless_both_sides_say_public(
        self, hubs: Pair, monkeypatch: pytest.MonkeyPatch, flags: list[str], private: bool, expected: bool
    ) -> None:
        monkeypatch.setenv("TARS_MIRROR_FROM_TOKEN", hubs.here.tokens["ann"])
        hubs.make(private=private)
        mirror(hubs, "ann/pets", *flags)
        assert info(hubs)["private"] is expected

    def test_what_is_gated_does_not_become_public(self, hubs: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TARS_MIRROR_FROM_TOKEN", hubs.here.tokens["ann"])
        hubs.here.create("ann/pets", "ann", gated=True)
        mirror(hubs, "ann/pets", "--public")
        assert info(hubs)["private"] is True

    def test_as_another_owner(self, hubs: Pair, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
        hubs.make()
        monkeypatch.setenv("TARS_MIRROR_TO_TOKEN", hubs.there.tokens["bob"])
        assert "--as bob copies into your own namespace" in refusal(hubs, capsys, "ann/pets")
        mirror(hubs, "ann/pets", "--as", "bob")
        assert held(hubs.there, "bob/pets", "bob") == held(hubs.here, "ann/pets", "ann")
        assert "ann/pets@main as bob/pets" in capsys.readouterr().out

    def test_within_one_hub(self, hubs: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
        hubs.make()
        monkeypatch.setenv("TARS_MIRROR_TO_TOKEN", hubs.here.tokens["bob"])
        assert main(["mirror", "ann/pets", "--from", hubs.here.url, "--to", hubs.here.url, "--as", "bob"]) == 0
        assert held(hubs.here, "bob/pets", "bob") == held(hubs.here, "ann/pets", "ann")


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


class TestTokens:
    def seen(self, hubs: Pair) -> tuple[set[str], set[str]]:
        """The tokens that came to each side; for Xet a hub gives one of its own."""
        own = [each for each in hubs.target.asked if not each.path.startswith("/cas/")]
        return {each.token for each in hubs.source.asked}, {each.token for each in own}

    def test_each_side_gets_its_own_alone(self, hubs: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
        here, there = hubs.here.tokens["ann"], hubs.there.tokens["ann"]
        monkeypatch.setenv("TARS_MIRROR_FROM_TOKEN", here)
        monkeypatch.setenv("HF_TOKEN", "hf_anothers")
        hubs.make(private=True)
        mirror(hubs, "ann/pets")
        assert self.seen(hubs) == ({here}, {there})

    def test_the_stored_one_goes_to_the_hub_it_belongs_to(self, hubs: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_TOKEN", hubs.there.tokens["ann"])
        monkeypatch.delenv("TARS_MIRROR_TO_TOKEN")
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hubs.target.url)
        hubs.make()
        mirror(hubs, "ann/pets")
        assert self.seen(hubs) == ({""}, {hubs.there.tokens["ann"]})

    def test_the_stored_one_goes_nowhere_else(self, hubs: Pair, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
        """It is huggingface.co's here, and neither side is."""
        monkeypatch.setenv("HF_TOKEN", hubs.there.tokens["ann"])
        monkeypatch.delenv("TARS_MIRROR_TO_TOKEN")
        hubs.make()
        assert "wants a token to write ann/pets; TARS_MIRROR_TO_TOKEN" in refusal(hubs, capsys, "ann/pets")
        assert main(["mirror", "ann/pets", "--from", hubs.source.url]) == 0
        assert self.seen(hubs) == ({""}, set())

    def test_a_redirect_to_another_place_gets_none(self, hubs: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
        """As huggingface.co sends its large files from a network of its own."""
        monkeypatch.setenv("TARS_MIRROR_FROM_TOKEN", hubs.here.tokens["ann"])
        hubs.make()
        hubs.source.elsewhere = hubs.target.url
        mirror(hubs, "ann/pets", code=2)  # the other place has no such file; it was asked
        redirected = [each for each in hubs.target.asked if "/resolve/" in each.path]
        assert redirected
        assert {each.token for each in redirected} == {""}


class TestMistakes:
    @pytest.mark.parametrize("name", ["foo", "a/b/c", "a/b@", "a/b@../x", "../b", "a/b@x y", "/b", "a/", ""])
    def test_what_is_no_repository(self, hubs: Pair, capsys: Said, name: str) -> None:
        assert "is no repository" in refusal(hubs, capsys, name)
        assert not hubs.source.asked

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["ann/pets@nowhere"], "no such revision: ann/pets@nowhere"),
            (["ann/pets@0000000"], "no such revision: ann/pets@0000000"),
            (["ann/pets", "--as", "a/b"], "'a/b' is no namespace"),
            (["ann/pets", "bob/pets", "--as", "me"], "would both become me/pets"),
            (["ann/pets", "--to", "127.0.0.1:7860"], "is no hub's address"),
            (["ann/pets", "--to", "http://ann:secret@host"], "'host' is no hub's address"),
        ],
    )
    def test_one_line_and_exit_code_2(self, hubs: Pair, capsys: Said, words: list[str], said: str) -> None:
        hubs.make()
        flags = hubs.flags()[:2] if "--to" in words else hubs.flags()
        assert main(["mirror", *flags, *words]) == 2
        spoken = capsys.readouterr()
        assert said in spoken.err
        assert "secret" not in spoken.err
        assert (spoken.out, spoken.err.count("\n")) == ("", 1)

    def test_onto_itself(self, hubs: Pair, capsys: Said) -> None:
        hubs.make()
        assert main(["mirror", "ann/pets", "--from", hubs.here.url, "--to", f"{hubs.here.url}/"]) == 2
        assert "would be copied onto itself" in capsys.readouterr().err

    def test_flags_of_another_hub_without_one(self, capsys: Said) -> None:
        for flags in (["--as", "me"], ["--public"]):
            assert main(["mirror", "ann/pets", *flags]) == 2
            assert "--to names it" in capsys.readouterr().err

    def test_a_token_that_may_only_read(self, hubs: Pair, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
        monkeypatch.setenv("TARS_MIRROR_TO_TOKEN", hubs.there.tokens["ann:read"])
        hubs.make()
        assert "may only read" in refusal(hubs, capsys, "ann/pets")

    def test_a_token_that_is_none(self, hubs: Pair, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
        monkeypatch.setenv("TARS_MIRROR_TO_TOKEN", "hf_nobodys")
        hubs.make()
        assert f"{hubs.target.url} refuses ann/pets" in refusal(hubs, capsys, "ann/pets")

    def test_somebody_else_s_repository(self, hubs: Pair, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
        hubs.make()
        hubs.there.create("ann/pets", "ann")
        monkeypatch.setenv("TARS_MIRROR_TO_TOKEN", hubs.there.tokens["bob"])
        assert f"{hubs.target.url} refuses ann/pets" in refusal(hubs, capsys, "ann/pets")

    def test_a_gated_source(self, hubs: Pair, capsys: Said) -> None:
        hubs.here.create("ann/pets", "ann", gated=True)
        assert f"is gated: ask for access at {hubs.source.url}/ann/pets" in refusal(hubs, capsys, "ann/pets")

    @pytest.mark.parametrize("side", ["--from", "--to"])
    def test_a_hub_that_is_down(self, hubs: Pair, capsys: Said, side: str) -> None:
        hubs.make()
        with socket.socket() as kept:  # a port on which nobody listens, nor will while it is kept
            kept.bind(("127.0.0.1", 0))
            down = f"http://127.0.0.1:{kept.getsockname()[1]}"
            assert main(["mirror", "ann/pets", *hubs.flags(), side, down]) == 2
        said = capsys.readouterr()
        assert down in said.err
        assert said.err.count("\n") == 1

    @pytest.mark.parametrize(
        "path", ["../out", "/etc/out", "a/../../out", "a\\..\\out", "C:out", ".git/hooks/x", "a//b"]
    )
    def test_a_source_that_names_files_outside(self, hubs: Pair, capsys: Said, path: str) -> None:
        hubs.make()
        told = json.dumps(path).encode()
        hubs.source.changed = lambda asked, body: body.replace(b'"empty"', told) if "/tree/" in asked else body
        assert "is no safe path" in refusal(hubs, capsys, "ann/pets")

    @pytest.mark.parametrize("sha", ["../../../../out", "main", "a" * 39, ""])
    def test_a_source_whose_commit_is_a_path(self, hubs: Pair, capsys: Said, sha: str) -> None:
        hubs.make()
        told = json.dumps(sha).encode()
        hubs.source.changed = lambda _, body: re.sub(rb'"sha":\s*"\w{40}"', b'"sha":' + told, body)
        assert "which is no commit's id" in refusal(hubs, capsys, "ann/pets")

    def test_a_source_whose_hashes_are_paths(self, hubs: Pair, capsys: Said) -> None:
        hubs.make()
        hubs.source.changed = lambda asked, body: (
            re.sub(rb'"oid":\s*"\w{64}"', b'"oid":"../../../out"', body) if "/tree/" in asked else body
        )
        assert "is no file" in refusal(hubs, capsys, "ann/pets")
