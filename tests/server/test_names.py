"""Names that strangers choose."""

from __future__ import annotations

import pytest
from huggingface_hub.utils import HFValidationError, validate_repo_id

from tars_hub.server.app import create_app
from tars_hub.server.errors import UnprocessableError
from tars_hub.server.hub import Hub
from tars_hub.server.names import RESERVED, check_namespace, check_path, check_ref, check_repo_name
from tars_hub.server.table import table


class TestNamespaces:
    @pytest.mark.parametrize("name", ["a", "ann", "Ann-2", "0", "a" * 39])
    def test_good(self, name: str) -> None:
        check_namespace(name)

    @pytest.mark.parametrize(
        "name", ["", "-a", "a-", "a--b", "a" * 40, "a.b", "a_b", "a/b", "..", "é", "a\n", "a\0", "ａ", "a b", "\ud800"]
    )
    def test_bad(self, name: str) -> None:
        with pytest.raises(UnprocessableError):
            check_namespace(name)

    @pytest.mark.parametrize("name", [*sorted(RESERVED), "API", "Cas"])
    def test_words_of_addresses(self, name: str) -> None:
        with pytest.raises(UnprocessableError):
            check_namespace(name)

    def test_every_first_word_of_an_address_is_taken(self, hub: Hub) -> None:
        create_app(hub)
        paths = [route.path for route in table()]  # type: ignore[attr-defined]
        words = {path.split("/")[1] for path in paths} - {""}
        assert {word for word in words if "{" not in word} <= RESERVED


class TestRepositories:
    @pytest.mark.parametrize("name", ["m", "my-model_1.0", "_x", "x_", "A" * 96, "git", "a.b.c"])
    def test_good_ones_are_good_to_the_client_too(self, name: str) -> None:
        check_repo_name(name)
        if len(name) < 90:
            validate_repo_id(f"ann/{name}")

    @pytest.mark.parametrize(
        "name",
        ["", "-a", "a-", ".a", "a.", "a--b", "a..b", "a" * 97, "a/b", "a b", "a.git", "a.GIT", "a.ipynb", "é", "a\n"],
    )
    def test_bad(self, name: str) -> None:
        with pytest.raises(UnprocessableError):
            check_repo_name(name)

    @pytest.mark.parametrize("name", ["-a", "a-", ".a", "a.", "a--b", "a..b", "a b", "a.git"])
    def test_what_the_client_refuses_is_refused_here(self, name: str) -> None:
        with pytest.raises(HFValidationError):
            validate_repo_id(f"ann/{name}")


class TestRefs:
    @pytest.mark.parametrize("name", ["main", "v1.0", "feature/x", "a" * 200, "é", "x#y", "deadbeef", "A-b_c"])
    def test_good(self, name: str) -> None:
        check_ref(name)

    @pytest.mark.parametrize(
        "name",
        [
            *"|-x|/x|x/|x.|x.lock|x.lock/y|.x|a/.x|a//b|a..b|a@{b|@|refs/heads/x".split("|"),
            *"a b|a~b|a^b|a:b|a?b|a*b|a[b|a\\b".split("|"),
            "a\x00",
            "a\n",
            "a\x7f",
            "a" * 201,
            "0" * 40,
            "abcdef0123" * 4,
        ],
    )
    def test_bad(self, name: str) -> None:
        with pytest.raises(UnprocessableError):
            check_ref(name)


class TestPaths:
    @pytest.mark.parametrize(
        "path",
        [
            "a",
            "a/b",
            "a b",
            "é/日本.txt",
            "..a",
            "a..",
            "...",
            "a#?%&+",
            ".gitattributes",
            "a.git",
            "x" * 1024,
            "'\"<>|*",
        ],
    )
    def test_good(self, path: str) -> None:
        check_path(path, longest=1024)

    @pytest.mark.parametrize(
        "path",
        [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/..",
            "../a",
            "a/../b",
            "a/./b",
            "a\\..\\b",
            "..\\a",
            "\\a",
            "a\\",
            ".git",
            ".git/config",
            "a/.git/x",
            ".GIT/x",
            ".Git",
            "C:",
            "c:/x",
            "C:\\x",
            "a\x00b",
            "a\nb",
            "a\x7f",
            "a\x1b[",
            "\ud800",
            "a\udfff/b",
            "x" * 1025,
            "é" * 513,
            "a/" * 200 + "b",
            "a\u202eb",
            "a\u2028b",
        ],
    )
    def test_bad(self, path: str) -> None:
        with pytest.raises(UnprocessableError) as caught:
            check_path(path, longest=1024)
        assert len(str(caught.value)) < 500
        assert str(caught.value).isprintable()
