"""Files and folders go up, by whatever way this client takes, and come back byte for byte."""

from __future__ import annotations

import inspect
import io
import sys
from pathlib import Path

from huggingface_hub import HfApi, ModelCard
from huggingface_hub.errors import RevisionNotFoundError
from making import blob_id, floats, noise, safetensors, sha256
from world import World, fails, run

# Older clients ask huggingface.co whether a card is right, whatever the endpoint.
HERE_IS_ASKED = "https://huggingface.co" not in inspect.getsource(ModelCard.validate)
CARD = "---\nlicense: mit\ntags: [mine]\nlibrary_name: timm\npipeline_tag: image-classification\n---\n# Ünsere Katze\n"


def _many_kinds() -> dict[str, bytes]:
    few = {
        "README.md": CARD.encode(),
        "empty.txt": b"",
        "empty.bin": b"",
        "one.txt": b"x",
        "crlf.txt": b"a\r\nb\r\n",
        "no newline at end.md": b"text",
        "tiny.bin": b"\0\1\2",
        "sub dir/é/a b#c%20?.txt": "names — of all kinds\n".encode(),
        "日本/猫.json": '{"猫": 1}\n'.encode(),
        "deep/" * 12 + "bottom.txt": b"far down",
        ".hidden/.dot": b"dot",
        "weights/model.safetensors": safetensors(),
        "floats.bin": floats(3 << 20, 5),  # 12 MB
        "noise.dat": noise(300_000, 6),
        "text.csv": b"a,b,c\n" * 100_000,
        "secret.tmp": b"git ignores this",
        "logs/run.txt": b"and this",
        "logs/keep.txt": b"but not this",
        ".gitignore": b"*.tmp\nlogs/*\n!logs/keep.txt\n",
    }
    return few | {f"many/{number:03}.json": f'{{"number": {number}}}\n'.encode() for number in range(300)}


IGNORED = {"secret.tmp", "logs/run.txt"}
KINDS = {name: content for name, content in _many_kinds().items() if name not in IGNORED}


def _commits(at: World, repo: str) -> int:
    return len(at.api.list_repo_commits(repo))


def check_one_small_file(at: World) -> None:
    repo = at.new_repo("one")
    told = at.api.upload_file(
        path_or_fileobj=b"hello\n",
        path_in_repo="sub/a.txt",
        repo_id=repo,
        commit_message="One",
        commit_description="more",
    )
    assert len(told.oid) == 40
    assert at.head(repo) == told.oid
    assert at.read(repo, "sub/a.txt") == b"hello\n"
    newest, first = at.api.list_repo_commits(repo)
    assert (newest.commit_id, newest.title, newest.message) == (told.oid, "One", "more")
    assert newest.authors == [at.user]
    assert first.created_at <= newest.created_at


def check_a_folder_of_many_kinds(at: World) -> None:
    repo, folder = at.new_repo("folder"), at.folder / "kinds"
    for name, content in _many_kinds().items():
        at.file(f"kinds/{name}", content)
    told = at.api.upload_folder(repo_id=repo, folder_path=folder)
    assert at.files(repo) == set(KINDS)
    assert at.head(repo) == told.oid


def check_it_comes_back_byte_for_byte(at: World) -> None:
    target = at.folder / "back"
    at.api.snapshot_download(f"{at.user}/folder", local_dir=target)
    back = {
        path.relative_to(target).as_posix(): path.read_bytes()
        for path in target.rglob("*")
        if path.is_file() and ".cache" not in path.parts
    }
    del back[".gitattributes"]
    assert set(back) == set(KINDS)
    assert [name for name, content in KINDS.items() if back[name] != content] == []


def check_every_file_has_its_ids(at: World) -> None:
    tree = {
        item.path: item for item in at.api.list_repo_tree(f"{at.user}/folder", recursive=True) if hasattr(item, "size")
    }
    for name, content in KINDS.items():
        item = tree[name]
        assert item.size == len(content), name
        if item.lfs is None:
            assert item.blob_id == blob_id(content), name
        else:
            assert (item.lfs.sha256, item.lfs.size) == (sha256(content), len(content)), name
    large = {name for name in KINDS if tree[name].lfs}
    assert {"tiny.bin", "floats.bin", "weights/model.safetensors"} <= large
    assert not large & {"README.md", "empty.txt", "empty.bin", "one.txt", ".gitignore", "many/000.json"}


def check_the_same_again_makes_no_commit(at: World) -> None:
    repo = f"{at.user}/folder"
    before, count = at.head(repo), _commits(at, repo)
    at.api.upload_folder(repo_id=repo, folder_path=at.folder / "kinds")
    assert at.head(repo) == before
    at.api.upload_file(path_or_fileobj=CARD.encode(), path_in_repo="README.md", repo_id=repo)
    at.api.upload_file(path_or_fileobj=at.folder / "kinds/tiny.bin", path_in_repo="tiny.bin", repo_id=repo)
    assert (at.head(repo), _commits(at, repo)) == (before, count)


def check_one_changed_file_is_one_commit(at: World) -> None:
    repo = f"{at.user}/folder"
    count = _commits(at, repo)
    at.file("kinds/floats.bin", floats(1 << 18, 9))
    at.api.upload_folder(repo_id=repo, folder_path=at.folder / "kinds", commit_message="Changed")
    assert _commits(at, repo) == count + 1
    assert at.files(repo) == set(KINDS)
    assert at.read(repo, "floats.bin") == floats(1 << 18, 9)


def check_patterns_choose_and_delete(at: World) -> None:
    repo = at.new_repo("patterns")
    for name in ("keep.txt", "old/a.json", "old/b.json", "note.md"):
        at.file(f"first/{name}", name)
    at.file("second/old/b.json", "new")
    at.api.upload_folder(repo_id=repo, folder_path=at.folder / "first", ignore_patterns="*.md")
    assert at.files(repo) == {"keep.txt", "old/a.json", "old/b.json"}
    at.api.upload_folder(repo_id=repo, folder_path=at.folder / "second", delete_patterns=["old/*"])
    assert at.files(repo) == {"keep.txt", "old/b.json"}
    assert at.read(repo, "old/b.json") == b"new"
    at.api.upload_folder(repo_id=repo, folder_path=at.folder / "second", path_in_repo="below", allow_patterns="*.json")
    assert at.files(repo) == {"keep.txt", "old/b.json", "below/old/b.json"}
    at.api.upload_folder(repo_id=repo, folder_path=at.folder / "first", delete_patterns="*")
    assert at.files(repo) == {"keep.txt", "old/a.json", "old/b.json", "note.md"}


def check_from_memory_and_from_an_open_file(at: World) -> None:
    repo, content = at.new_repo("memory"), noise(6 << 20, 7)
    at.api.upload_file(path_or_fileobj=content, path_in_repo="bytes.bin", repo_id=repo)
    at.api.upload_file(path_or_fileobj=io.BytesIO(content[::-1]), path_in_repo="buffer.bin", repo_id=repo)
    with at.file("open.bin", content[1:]).open("rb") as file:
        at.api.upload_file(path_or_fileobj=file, path_in_repo="open.bin", repo_id=repo)
    assert at.read(repo, "bytes.bin") == content
    assert at.read(repo, "buffer.bin") == content[::-1]
    assert at.read(repo, "open.bin") == content[1:]


def check_one_content_under_two_names_and_in_two_repositories(at: World) -> None:
    content = noise(1 << 20, 8)
    for name in ("same-a", "same-b"):
        repo = at.new_repo(name)
        at.file("same/a.bin", content)
        at.file("same/b/c.bin", content)
        at.api.upload_folder(repo_id=repo, folder_path=at.folder / "same")
        assert at.read(repo, "a.bin") == at.read(repo, "b/c.bin") == content


def check_a_changed_head_comes_back_right(at: World) -> None:
    repo = at.new_repo("head")
    for classes in (10, 12, 10, 3):
        content = safetensors(classes, body_bytes=3 << 20, head_seed=classes)
        at.api.upload_file(
            path_or_fileobj=at.file("model.safetensors", content), path_in_repo="model.safetensors", repo_id=repo
        )
        assert at.read(repo, "model.safetensors") == content


def check_a_card_with_wrong_metadata_is_refused(at: World) -> None:
    repo = at.new_repo("wrong-card")
    with fails(ValueError, "Invalid metadata in README.md"):
        at.api.upload_file(path_or_fileobj=b"---\nlicense: [\n---\n", path_in_repo="README.md", repo_id=repo)
    assert at.files(repo) == set()


def check_a_model_card_is_pushed_and_understood(at: World) -> None:
    repo = at.new_repo("card")
    if HERE_IS_ASKED:
        ModelCard(CARD).push_to_hub(repo, token=at.token)
    else:
        at.api.upload_file(path_or_fileobj=CARD.encode(), path_in_repo="README.md", repo_id=repo)
    assert ModelCard.load(repo, token=at.token).data.tags == ["mine"]
    told = at.api.model_info(repo)
    assert (told.pipeline_tag, told.library_name) == ("image-classification", "timm")
    assert {"mine", "license:mit", "timm"} <= set(told.tags or [])
    assert told.card_data is not None
    assert told.card_data.license == "mit"


def check_a_model_card_is_validated(at: World) -> None:
    assert at
    if HERE_IS_ASKED:
        ModelCard(CARD).validate()
        with fails(ValueError, '- Error: "license" must be one of'):
            ModelCard("---\nlicense: none-such\n---\n").validate()


def check_to_a_branch_that_is_not_there(at: World) -> None:
    repo = at.new_repo("no-branch")
    with fails(RevisionNotFoundError):
        at.api.upload_file(path_or_fileobj=b"x", path_in_repo="a", repo_id=repo, revision="none-such")


def check_several_at_once(at: World) -> None:
    """Futures of one client: its own threads and one connection pool."""
    repo = at.new_repo("futures")
    jobs = [
        at.api.upload_file(
            path_or_fileobj=f"{number}".encode(), path_in_repo=f"{number}.txt", repo_id=repo, run_as_future=True
        )
        for number in range(4)
    ]
    for job in jobs:
        job.result()
    assert at.files(repo) == {f"{number}.txt" for number in range(4)}


def check_a_large_folder(at: World) -> None:
    """The call for large folders went away with 1.x, where `upload_folder` took its place."""
    if not hasattr(HfApi, "upload_large_folder"):
        return
    sys.modules["huggingface_hub._upload_large_folder"].WAITING_TIME_IF_NO_TASKS = 0.1  # s; 10 s otherwise
    repo, folder = at.new_repo("large"), at.folder / "large"
    for name in ("a.bin", "b/c.bin"):
        at.file(f"large/{name}", noise(1 << 20, 11))
    at.file("large/README.md", CARD)
    at.api.upload_large_folder(repo_id=repo, folder_path=folder, repo_type="model", print_report=False, num_workers=2)
    assert at.files(repo) == {"README.md", "a.bin", "b/c.bin"}
    assert Path(at.api.hf_hub_download(repo, "b/c.bin")).read_bytes() == noise(1 << 20, 11)


if __name__ == "__main__":
    run()
