"""Pull requests and discussions: made by those who may only read, merged by those who may write."""

from __future__ import annotations

from huggingface_hub import CommitOperationAdd
from huggingface_hub.errors import HfHubHTTPError
from making import noise
from world import FACTS, World, fails, refused, run

LARGE = noise(600_000, 2)


def _filled(at: World, name: str, **options: object) -> str:
    repo = at.new_repo(name, **options)
    at.api.upload_file(path_or_fileobj=b"on main", path_in_repo="a.txt", repo_id=repo)
    return repo


def check_a_commit_as_a_request_and_merged(at: World) -> None:
    repo = _filled(at, "commit-pr")
    adds = [CommitOperationAdd("b.txt", b"b"), CommitOperationAdd("c.bin", LARGE)]
    told = at.api.create_commit(repo, adds, commit_message="Ask", commit_description="Please", create_pr=True)
    assert told.pr_num == 1
    assert told.pr_revision == "refs/pr/1"
    assert told.pr_url == f"{FACTS['url']}/{repo}/discussions/1"
    assert at.files(repo) == {"a.txt"}
    assert at.files(repo, "refs/pr/1") == {"a.txt", "b.txt", "c.bin"}
    at.api.merge_pull_request(repo, 1, comment="Thanks")
    assert at.files(repo) == {"a.txt", "b.txt", "c.bin"}
    assert at.read(repo, "c.bin") == LARGE
    assert at.api.get_discussion_details(repo, 1).status == "merged"


def check_a_folder_as_a_request(at: World) -> None:
    repo = _filled(at, "folder-pr")
    for name, content in {"x.txt": b"x", "sub/y.bin": LARGE, "a.txt": b"on main"}.items():
        at.file(f"asked/{name}", content)
    told = at.api.upload_folder(repo_id=repo, folder_path=at.folder / "asked", create_pr=True, commit_message="Folder")
    assert told.pr_num == 1
    assert at.files(repo) == {"a.txt"}
    assert at.files(repo, "refs/pr/1") == {"a.txt", "x.txt", "sub/y.bin"}
    assert at.read(repo, "sub/y.bin", "refs/pr/1") == LARGE


def check_more_commits_to_a_request(at: World) -> None:
    repo = f"{at.user}/folder-pr"
    at.api.upload_file(path_or_fileobj=b"z", path_in_repo="z.txt", repo_id=repo, revision="refs/pr/1")
    assert at.files(repo, "refs/pr/1") == {"a.txt", "x.txt", "sub/y.bin", "z.txt"}
    details = at.api.get_discussion_details(repo, 1)
    assert details.is_pull_request
    assert details.target_branch in {"refs/heads/main", "main"}
    assert details.title == "Folder"
    assert details.author == at.user


def check_listed_and_filtered(at: World) -> None:
    repo = _filled(at, "listed-pr")
    request = at.api.create_pull_request(repo, title="A request", description="of changes")
    talk = at.api.create_discussion(repo, title="A talk", description="about it")
    assert (request.num, request.is_pull_request, request.status) == (1, True, "draft")
    assert (talk.num, talk.is_pull_request, talk.status) == (2, False, "open")
    assert {item.num for item in at.api.get_repo_discussions(repo)} == {1, 2}
    assert [item.num for item in at.api.get_repo_discussions(repo, discussion_type="pull_request")] == [1]
    assert [item.num for item in at.api.get_repo_discussions(repo, discussion_type="discussion")] == [2]
    assert {item.author for item in at.api.get_repo_discussions(repo, author=at.user)} == {at.user}
    refs = at.api.list_repo_refs(repo, include_pull_requests=True)
    assert [ref.ref for ref in refs.pull_requests or []] == ["refs/pr/1"]
    assert at.api.list_repo_refs(repo).pull_requests is None


def check_talked_about_renamed_and_closed(at: World) -> None:
    repo = f"{at.user}/listed-pr"
    assert at.api.comment_discussion(repo, 2, comment="Well").content == "Well"
    at.api.rename_discussion(repo, 2, new_title="Renamed")
    at.api.change_discussion_status(repo, 2, new_status="closed", comment="Done")
    details = at.api.get_discussion_details(repo, 2)
    assert (details.title, details.status) == ("Renamed", "closed")
    assert [item.num for item in at.api.get_repo_discussions(repo, discussion_status="closed")] == [2]
    kinds = [event.type for event in details.events]
    assert kinds.count("comment") >= 2
    assert {"status-change", "title-change"} <= {*kinds}


def check_who_may_only_read_may_ask(at: World) -> None:
    repo = _filled(at, "asked-pr", private=False)
    stranger = at.as_(FACTS["stranger_token"])
    adds = [CommitOperationAdd("theirs.txt", b"t"), CommitOperationAdd("theirs.bin", LARGE)]
    told = stranger.create_commit(repo, adds, commit_message="From outside", create_pr=True)
    assert told.pr_num == 1
    at.file("outside/other.bin", LARGE[::-1])
    assert stranger.upload_folder(repo_id=repo, folder_path=at.folder / "outside", create_pr=True).pr_num == 2
    with fails(HfHubHTTPError, status=403):
        stranger.merge_pull_request(repo, 1)
    assert at.files(repo) == {"a.txt"}
    at.api.merge_pull_request(repo, 1)
    assert at.files(repo) == {"a.txt", "theirs.txt", "theirs.bin"}
    assert at.read(repo, "theirs.bin") == LARGE


def check_a_request_keeps_its_revision(at: World) -> None:
    repo = _filled(at, "kept-pr")
    told = at.api.upload_file(path_or_fileobj=LARGE, path_in_repo="k.bin", repo_id=repo, create_pr=True)
    at.api.upload_file(path_or_fileobj=b"moved on", path_in_repo="a.txt", repo_id=repo)
    at.api.super_squash_history(repo)
    at.api.change_discussion_status(repo, told.pr_num or 0, new_status="closed")
    assert at.read(repo, "k.bin", "refs/pr/1") == LARGE
    assert at.read(repo, "a.txt", "refs/pr/1") == b"on main"
    assert at.read(repo, "k.bin", at.head(repo, "refs/pr/1")) == LARGE


def check_what_cannot_be_merged_is_not(at: World) -> None:
    repo = _filled(at, "conflict-pr")
    at.api.upload_file(path_or_fileobj=b"theirs", path_in_repo="a.txt", repo_id=repo, create_pr=True)
    at.api.upload_file(path_or_fileobj=b"ours", path_in_repo="a.txt", repo_id=repo)
    with refused("to lose one of two contents without a word"):
        at.api.merge_pull_request(repo, 1)
    assert at.read(repo, "a.txt") == b"ours"


if __name__ == "__main__":
    run()
