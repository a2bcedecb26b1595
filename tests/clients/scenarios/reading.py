"""Files, trees and facts of a repository are read, whole and in part, by those who may."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from huggingface_hub import HfApi, HfFileSystem, get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import (
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from making import blob_id, noise, pointer, safetensors, sha256
from world import FACTS, Caught, World, fails, refused, run

WEIGHTS = safetensors(body_bytes=2 << 20)
FILES = {
    "README.md": b"---\nlicense: mit\n---\n# Read\n",
    "config.json": b'{"model_type": "resnet"}\n',
    "empty.txt": b"",
    "model.safetensors": WEIGHTS,
    "sub/deep/x.txt": b"x\n",
    "sub/a b#c%20?.txt": b"odd name",
    "sub/é.bin": noise(200_000, 4),
    "sub.txt": b"sorted after sub- and before sub/ by git",
    "sub-x": b"and this",
}


def _repo(at: World) -> str:
    """One public repository for all checks, made by the first."""
    repo = f"{at.user}/read"
    if "revision" not in at.kept:
        at.new_repo("read", private=False)
        for name, content in FILES.items():
            at.file(f"read/{name}", content)
        at.kept["revision"] = at.api.upload_folder(repo_id=repo, folder_path=at.folder / "read").oid
        at.api.create_tag(repo, tag="v1")
    return repo


def check_a_file_is_downloaded_and_cached(at: World) -> None:
    repo = _repo(at)
    for name, content in FILES.items():
        path = Path(at.api.hf_hub_download(repo, name))
        assert path.read_bytes() == content, name
        assert path.parts[-len(Path(name).parts) - 1] == at.kept["revision"]
    first = Path(at.api.hf_hub_download(repo, "model.safetensors"))
    expected = {name: (blob_id(content), sha256(content)) for name, content in FILES.items()}
    assert first.resolve().name in expected["model.safetensors"]
    assert Path(at.api.hf_hub_download(repo, "config.json")).resolve().name == expected["config.json"][0]
    assert Path(at.api.hf_hub_download(repo, "model.safetensors", local_files_only=True)) == first


def check_at_a_tag_a_commit_and_in_a_folder(at: World) -> None:
    repo = _repo(at)
    for revision in ("v1", at.kept["revision"], "main"):
        target = at.folder / "at" / revision
        path = Path(at.api.hf_hub_download(repo, "sub/é.bin", revision=revision, local_dir=target))
        assert path == target / "sub/é.bin"
        assert path.read_bytes() == FILES["sub/é.bin"]
        again = at.api.hf_hub_download(repo, "sub/é.bin", revision=revision, local_dir=target)
        assert Path(again) == path


def check_what_is_not_there_is_named(at: World) -> None:
    repo = _repo(at)
    for name in ("none.txt", "sub", "sub/deep"):
        with fails(RemoteEntryNotFoundError):
            at.api.hf_hub_download(repo, name)
    with fails(RevisionNotFoundError):
        at.api.hf_hub_download(repo, "config.json", revision="none-such")
    with fails(RevisionNotFoundError):
        at.api.hf_hub_download(repo, "config.json", revision="0" * 40)
    with fails(RepositoryNotFoundError):
        at.api.hf_hub_download(f"{at.user}/none-such", "config.json")
    assert not at.api.file_exists(repo, "none.txt")
    assert at.api.file_exists(repo, "config.json")


def _shut(other: HfApi, repo: str, oid: str, at: World) -> tuple[int, ...]:
    """How the hub says no to everything that might be asked of a repository."""
    seen = []
    for number, ask in enumerate(
        (
            lambda: other.model_info(repo),
            lambda: other.model_info(repo, revision=oid),
            lambda: other.hf_hub_download(repo, "s.txt", local_dir=at.folder / "no"),
            lambda: other.hf_hub_download(repo, "s.txt", revision=oid, local_dir=at.folder / "no"),
            lambda: other.list_repo_refs(repo),
            lambda: other.list_repo_commits(repo),
            lambda: list(other.list_repo_tree(repo)),
            lambda: other.snapshot_download(repo),
        )
    ):
        caught = Caught()
        with caught:
            ask()
        assert type(caught.error) is RepositoryNotFoundError, f"{repo}, {number}: {caught.error!r}"
        seen.append(caught.error.response.status_code)
    return tuple(seen)


def check_a_private_one_looks_like_a_missing_one(at: World) -> None:
    secret = at.new_repo("secret")
    at.api.upload_file(path_or_fileobj=b"s", path_in_repo="s.txt", repo_id=secret)
    oid = at.head(secret)
    for token in (False, FACTS["stranger_token"]):
        seen = {_shut(at.as_(token), repo, oid, at) for repo in (secret, f"{at.user}/none-such", "nobody/none-such")}
        assert len(seen) == 1, seen
    assert at.as_(FACTS["read_token"]).model_info(secret).sha == oid


def check_a_snapshot_whole_and_in_part(at: World) -> None:
    repo = _repo(at)
    folder = Path(at.api.snapshot_download(repo))
    assert folder.name == at.kept["revision"]
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found - {".gitattributes"} == set(FILES)
    assert all((folder / name).read_bytes() == content for name, content in FILES.items())
    part = Path(
        at.api.snapshot_download(repo, allow_patterns=["sub/*"], ignore_patterns="*.bin", local_dir=at.folder / "p")
    )
    found = {
        path.relative_to(part).as_posix() for path in part.rglob("*") if path.is_file() and ".cache" not in path.parts
    }
    assert found == {"sub/deep/x.txt", "sub/a b#c%20?.txt"}


def check_the_tree(at: World) -> None:
    repo = _repo(at)
    top = {item.path: item for item in at.api.list_repo_tree(repo)}
    assert set(top) == {name.split("/")[0] for name in FILES} | {".gitattributes"}
    assert hasattr(top["sub"], "tree_id")
    everything = {item.path for item in at.api.list_repo_tree(repo, recursive=True)}
    assert everything == {*FILES, ".gitattributes", "sub", "sub/deep"}
    assert {item.path for item in at.api.list_repo_tree(repo, "sub/deep")} == {"sub/deep/x.txt"}
    assert {item.path for item in at.api.list_repo_tree(repo, "sub", revision="v1")} == {
        "sub/deep",
        "sub/é.bin",
        "sub/a b#c%20?.txt",
    }
    for missing in ("none", "config.json"):
        with fails(RemoteEntryNotFoundError):
            list(at.api.list_repo_tree(repo, missing))


def check_the_tree_with_all_it_knows(at: World) -> None:
    repo = _repo(at)
    items = {item.path: item for item in at.api.list_repo_tree(repo, recursive=True, expand=True)}
    assert items["config.json"].last_commit.oid == at.kept["revision"]
    assert items["sub"].last_commit.oid == at.kept["revision"]
    assert items["config.json"].last_commit.date
    assert hasattr(items["model.safetensors"], "security")


def check_facts_of_paths(at: World) -> None:
    repo = _repo(at)
    asked = ["config.json", "sub", "none.txt", "model.safetensors", "sub/a b#c%20?.txt"]
    told = {item.path: item for item in at.api.get_paths_info(repo, asked)}
    assert set(told) == {*asked} - {"none.txt"}
    assert told["model.safetensors"].lfs.sha256 == sha256(WEIGHTS)
    assert told["model.safetensors"].size == len(WEIGHTS)
    expanded = at.api.get_paths_info(repo, "config.json", expand=True)
    assert expanded[0].last_commit.oid == at.kept["revision"]


def check_trees_and_blobs_have_the_ids_of_real_git(at: World) -> None:
    """The same tree made by git itself, large files as the pointers that git-lfs writes."""
    repo, work = _repo(at), at.folder / "git"
    told = {item.path: item for item in at.api.list_repo_tree(repo, recursive=True)}
    for name in [*FILES, ".gitattributes"]:
        content = FILES[name] if name in FILES else at.read(repo, name)
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pointer(content) if told[name].lfs else content)

    def git(*words: str) -> str:
        settings = ["-c", "core.autocrlf=false", "-c", "core.quotepath=false", "-c", "core.attributesFile=/dev/null"]
        return subprocess.run(["git", *settings, *words], cwd=work, check=True, capture_output=True, text=True).stdout

    git("init", "--quiet")
    (work / ".git/info/attributes").write_text("* -filter -text -diff\n")
    git("add", "--all", "--force")
    lines = git("ls-tree", "-r", "-t", "--full-tree", git("write-tree").strip()).splitlines()
    real = {line.split("\t")[1]: line.split()[2] for line in lines}
    shown = {path: getattr(item, "tree_id", None) or item.blob_id for path, item in told.items()}
    assert shown == real
    assert told["model.safetensors"].lfs.pointer_size == len(pointer(WEIGHTS))


def check_etags_and_headers(at: World) -> None:
    repo = _repo(at)
    for name, etag in (("config.json", blob_id(FILES["config.json"])), ("model.safetensors", sha256(WEIGHTS))):
        url = hf_hub_url(repo, name, endpoint=FACTS["url"])
        told = get_hf_file_metadata(url, token=at.token)
        assert (told.etag, told.size, told.commit_hash) == (etag, len(FILES[name]), at.kept["revision"])


def check_facts_of_a_model(at: World) -> None:
    repo = _repo(at)
    told = at.api.model_info(repo, files_metadata=True, securityStatus=True)
    siblings = {item.rfilename: item for item in told.siblings or []}
    assert set(siblings) == {*FILES, ".gitattributes"}
    for name, content in FILES.items():
        assert siblings[name].size == len(content), name
        lfs = siblings[name].lfs
        if lfs is None:
            assert siblings[name].blob_id == blob_id(content), name
        else:
            assert lfs["sha256"] == sha256(content), name
    assert told.sha == at.kept["revision"]
    assert told.safetensors is not None
    assert told.safetensors.total == sum((len(WEIGHTS) - 8 - int.from_bytes(WEIGHTS[:8], "little"),)) // 4
    assert told.safetensors.parameters == {"F32": told.safetensors.total}


def check_only_the_facts_that_are_asked_for(at: World) -> None:
    told = at.api.model_info(_repo(at), expand=["sha", "cardData", "siblings", "usedStorage"])
    assert told.sha == at.kept["revision"]
    assert told.siblings
    assert told.card_data is not None
    assert told.tags is None
    assert told.private is None


def check_parts_of_a_file(at: World) -> None:
    files = HfFileSystem(endpoint=FACTS["url"], token=at.token, skip_instance_cache=True)
    repo, size = _repo(at), len(WEIGHTS)
    with files.open(f"{repo}/model.safetensors", "rb", block_size=1 << 16) as file:
        for start, count in ((0, 8), (size // 2, 100_000), (size - 10, 10), (70_000, 1), (size - 5, 50)):
            file.seek(start)
            assert file.read(count) == WEIGHTS[start : start + count]
    assert files.cat_file(f"{repo}/model.safetensors", start=100, end=200) == WEIGHTS[100:200]
    assert files.cat_file(f"{repo}@v1/config.json") == FILES["config.json"]
    assert {Path(path).name for path in files.ls(f"{repo}/sub", detail=False)} == {"deep", "é.bin", "a b#c%20?.txt"}
    assert files.isdir(f"{repo}/sub")
    assert files.isfile(f"{repo}/sub/deep/x.txt")
    assert not files.exists(f"{repo}/none")
    assert len(files.glob(f"{repo}/**/*.txt")) == 4


def check_the_header_of_weights(at: World) -> None:
    repo = _repo(at)
    told = at.api.get_safetensors_metadata(repo)
    header = told.files_metadata["model.safetensors"]
    assert header.metadata == {"format": "pt"}
    assert header.tensors["fc"].shape == [10, 512]
    assert told.weight_map["fc"] == "model.safetensors"


def check_a_card_is_read(at: World) -> None:
    told = at.api.model_info(_repo(at))
    assert told.card_data is not None
    assert told.card_data.license == "mit"
    assert "license:mit" in (told.tags or [])
    assert "safetensors" in (told.tags or [])


def check_a_range_past_the_end_and_parts_by_hand(at: World) -> None:
    """What a client asks for with its own HTTP library, which is not always the same."""
    open_ = build_opener(ProxyHandler({})).open
    url, size = hf_hub_url(_repo(at), "model.safetensors", endpoint=FACTS["url"]), len(WEIGHTS)
    for asked, start, end in (
        ("0-99", 0, 100),
        ("100-", 100, size),
        ("-7", size - 7, size),
        (f"5-{size + 9}", 5, size),
    ):
        with open_(Request(url, headers={"Range": f"bytes={asked}"})) as answer:
            assert answer.status == 206
            assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
            assert answer.read() == WEIGHTS[start:end]
    caught = Caught()
    with caught:
        open_(Request(url, headers={"Range": f"bytes={size}-"}))
    assert isinstance(caught.error, HTTPError)
    assert (caught.error.code, caught.error.headers["Content-Range"]) == (416, f"bytes */{size}")


def check_nobodys_writing_is_told_apart(at: World) -> None:
    with refused("to be written by nobody", by={401, 403}):
        at.as_(token=False).upload_file(path_or_fileobj=b"", path_in_repo="x", repo_id=_repo(at))


if __name__ == "__main__":
    run()
