"""The `hf` command of every client, as a person would type it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.clients.clients import CLIENTS, MAIN, Client
from tests.clients.scenarios.making import noise

# One of each version: how the command uploads is no matter of its own.
pytestmark = pytest.mark.parametrize(
    "client", [CLIENTS[name] for name in (MAIN, "hub-1.19", "hub-1.20", "hub-2.0")], indirect=True, scope="session"
)
FILES = {
    "README.md": b"---\nlicense: mit\ntags: [typed]\n---\n# Typed\n",
    "config.json": b"{}\n",
    "sub/weights.bin": noise(700_000, 31),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / "model" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "model" / name).write_bytes(content)
    return tmp_path / "model"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".cache" not in path.parts and path.name != ".gitattributes"
    }


def pulled(client: Client, repo: str, target: Path, *words: str) -> dict[str, bytes]:
    client.hf("download", repo, "--local-dir", str(target), *words)
    return contents(target)


def names(said: str) -> set[str]:
    return {str(row["id"]) for row in json.loads(said)}


def test_login_whoami_and_logout(client: Client, tmp_path: Path) -> None:
    home = {"HF_HOME": str(tmp_path / "home"), "token": ""}
    client.hf("auth", "login", "--token", client.token, **home)
    assert client.user in client.hf("auth", "whoami", **home)
    client.hf("repos", "create", "logged-in", **home)
    assert (tmp_path / "home" / "token").read_text() == client.token
    client.hf("auth", "logout", **home)
    assert client.user not in client.hf("auth", "whoami", check=False, **home)
    said = client.hf("auth", "login", "--token", "hf_wrong", check=False, **home)
    assert "Invalid" in said
    assert not (tmp_path / "home" / "token").exists()


def test_a_folder_up_and_down(client: Client, folder: Path, tmp_path: Path) -> None:
    repo = f"{client.user}/cli-folder"
    said = client.hf("upload", repo, str(folder))
    assert f"{client.url}/{repo}" in said
    assert pulled(client, repo, tmp_path / "back") == FILES
    assert pulled(client, repo, tmp_path / "part", "--include", "*.json") == {"config.json": FILES["config.json"]}
    path = client.hf("download", repo, "sub/weights.bin", "--quiet").split()[-1]
    assert Path(path).read_bytes() == FILES["sub/weights.bin"]


def test_uploaded_again_nothing_changes(client: Client, folder: Path) -> None:
    repo = f"{client.user}/cli-again"
    client.hf("upload", repo, str(folder))
    before = client.run("history", repo=repo)
    client.hf("upload", repo, str(folder))
    assert client.run("history", repo=repo) == before


def test_a_file_to_a_name_of_its_own(client: Client, folder: Path, tmp_path: Path) -> None:
    repo = f"{client.user}/cli-file"
    client.hf("upload", repo, str(folder / "sub/weights.bin"), "here/w.bin", "--commit-message", "A file")
    assert pulled(client, repo, tmp_path / "back") == {"here/w.bin": FILES["sub/weights.bin"]}
    assert client.run("history", repo=repo)[0]["title"] == "A file"


def test_to_a_new_branch(client: Client, folder: Path, tmp_path: Path) -> None:
    repo = f"{client.user}/cli-branch"
    client.hf("repos", "create", "cli-branch")
    client.hf("upload", repo, str(folder), "--revision", "dev")
    assert pulled(client, repo, tmp_path / "main") == {}
    assert pulled(client, repo, tmp_path / "dev", "--revision", "dev") == FILES


def test_as_a_pull_request(client: Client, folder: Path, tmp_path: Path) -> None:
    repo = f"{client.user}/cli-pr"
    client.hf("repos", "create", "cli-pr")
    said = client.hf("upload", repo, str(folder), "--create-pr")
    assert f"{client.url}/{repo}" in said
    assert pulled(client, repo, tmp_path / "main") == {}
    assert pulled(client, repo, tmp_path / "pr", "--revision", "refs/pr/1") == FILES
    assert "1" in client.hf("discussions", "ls", repo, "--status", "all")


def test_repositories_made_listed_set_moved_and_deleted(client: Client) -> None:
    said = client.hf("repos", "create", "cli-made")
    assert f"{client.user}/cli-made" in said
    client.hf("repos", "create", "cli-made", check=False)
    client.hf("repos", "create", "cli-made", "--exist-ok")
    assert f"{client.user}/cli-made" in names(client.hf("repos", "ls", "--json", "--limit", "1000"))
    client.hf("repos", "settings", f"{client.user}/cli-made", "--public")
    assert json.loads(client.hf("models", "info", f"{client.user}/cli-made", "--json"))["private"] is False
    client.hf("repos", "move", f"{client.user}/cli-made", f"{client.user}/cli-moved")
    assert f"{client.user}/cli-moved" in names(client.hf("repos", "ls", "--json", "--limit", "1000"))
    client.hf("repos", "delete", f"{client.user}/cli-moved", "--yes")
    assert f"{client.user}/cli-moved" not in names(client.hf("repos", "ls", "--json", "--limit", "1000"))


def test_branches_tags_and_files_of_a_repository(client: Client, folder: Path) -> None:
    repo = f"{client.user}/cli-refs"
    client.hf("upload", repo, str(folder))
    client.hf("repos", "branch", "create", repo, "dev")
    client.hf("repos", "tag", "create", repo, "v1")
    assert "v1" in client.hf("repos", "tag", "list", repo)
    client.hf("repos", "delete-files", repo, "*.json")
    listed = client.hf("models", "ls", repo, "-R")
    assert "config.json" not in listed
    assert "sub/weights.bin" in listed
    client.hf("repos", "tag", "delete", repo, "v1", "--yes")
    client.hf("repos", "branch", "delete", repo, "dev")


def test_models_listed_and_told_of(client: Client, folder: Path) -> None:
    repo = f"{client.user}/cli-models"
    client.hf("upload", repo, str(folder))
    assert repo in names(client.hf("models", "ls", "--author", client.user, "--limit", "1000", "--json"))
    assert names(
        client.hf("models", "ls", "--author", client.user, "--filter", "typed", "--search", "cli-models", "--json")
    ) == {repo}
    told = json.loads(client.hf("models", "info", repo, "--json"))
    assert (told["id"], told["author"], told["private"]) == (repo, client.user, True)
    assert "# Typed" in client.hf("models", "card", repo)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["download", "{user}/none-such"], "not found"),
        (["download", "{user}/cli-errors", "none.txt"], "not found"),
        (["download", "{user}/cli-errors", "--revision", "none-such"], "not found"),
        (["models", "info", "{user}/none-such"], "not found"),
        (["upload", "owner/not-mine", "."], "403"),
    ],
)
def test_what_fails_says_why(client: Client, words: list[str], expected: str) -> None:
    client.hf("repos", "create", "cli-errors", "--exist-ok")
    said = client.hf(*(word.format(user=client.user) for word in words), check=False)
    assert expected in said.lower()
    assert "Traceback" not in said


def test_a_cache_is_verified_against_the_hub(client: Client, folder: Path) -> None:
    repo = f"{client.user}/cli-verify"
    client.hf("upload", repo, str(folder))
    client.hf("download", repo)
    assert "verified" in client.hf("cache", "verify", repo).lower()
