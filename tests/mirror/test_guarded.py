"""What `tars mirror` guards: who sees a copy, who gets a token, and what it refuses before anything moves."""

from __future__ import annotations

import json
import re
import socket

import pytest

from tars_hub.cli import main
from tests.mirror.pairs import Pair, Said, held, info, mirror, refusal


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
