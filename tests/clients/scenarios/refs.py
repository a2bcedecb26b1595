"""Branches and tags, and that what they reach stays as it was."""

from __future__ import annotations

from huggingface_hub.errors import HfHubHTTPError, RevisionNotFoundError
from making import noise
from world import FACTS, World, fails, refused, run

LARGE = noise(600_000, 3)


def _filled(at: World, name: str) -> str:
    repo = at.new_repo(name)
    at.api.upload_file(path_or_fileobj=LARGE, path_in_repo="a.bin", repo_id=repo)
    return repo


def _names(at: World, repo: str, kind: str) -> dict[str, str]:
    return {ref.name: ref.target_commit for ref in getattr(at.api.list_repo_refs(repo), kind)}


def check_a_branch_is_made_written_to_and_deleted(at: World) -> None:
    repo = _filled(at, "branches")
    main = at.head(repo)
    for branch in ("dev", "feature/x", "with.dots-and_1"):
        at.api.create_branch(repo, branch=branch)
    assert _names(at, repo, "branches") == dict.fromkeys(("main", "dev", "feature/x", "with.dots-and_1"), main)
    told = at.api.upload_file(path_or_fileobj=b"b", path_in_repo="b.txt", repo_id=repo, revision="feature/x")
    assert at.head(repo, "feature/x") == told.oid
    assert at.files(repo, "feature/x") == {"a.bin", "b.txt"}
    assert at.files(repo) == at.files(repo, "dev") == {"a.bin"}
    at.api.delete_branch(repo, branch="feature/x")
    assert set(_names(at, repo, "branches")) == {"main", "dev", "with.dots-and_1"}
    with fails(RevisionNotFoundError):
        at.api.model_info(repo, revision="feature/x")


def check_a_branch_starts_where_it_is_told(at: World) -> None:
    repo = _filled(at, "starting")
    first = at.head(repo)
    at.api.upload_file(path_or_fileobj=b"later", path_in_repo="a.bin", repo_id=repo)
    at.api.create_branch(repo, branch="old", revision=first)
    at.api.create_branch(repo, branch="new", revision="main")
    assert at.read(repo, "a.bin", "old") == LARGE
    assert at.read(repo, "a.bin", "new") == b"later"
    with fails(RevisionNotFoundError):
        at.api.create_branch(repo, branch="nowhere", revision="none-such")


def check_what_branches_refuse(at: World) -> None:
    repo = _filled(at, "refusing-branches")
    at.api.create_branch(repo, branch="dev")
    with fails(HfHubHTTPError, "already exists", status=409):
        at.api.create_branch(repo, branch="dev")
    at.api.create_branch(repo, branch="dev", exist_ok=True)
    with fails(HfHubHTTPError, "main", status=403):
        at.api.delete_branch(repo, branch="main")
    with fails(RevisionNotFoundError):
        at.api.delete_branch(repo, branch="none-such")
    for name in ("a b", "..", "-x", "a..b", "x.lock", "refs/heads/x", "a~1"):
        with refused(name):
            at.api.create_branch(repo, branch=name)
    assert set(_names(at, repo, "branches")) == {"main", "dev"}


def check_a_tag_is_made_and_deleted(at: World) -> None:
    repo = _filled(at, "tags")
    first = at.head(repo)
    at.api.create_tag(repo, tag="v1", tag_message="The first")
    at.api.upload_file(path_or_fileobj=b"later", path_in_repo="a.bin", repo_id=repo)
    at.api.create_tag(repo, tag="v2/rc.1", revision="main")
    at.api.create_tag(repo, tag="v0", revision=first)
    assert _names(at, repo, "tags") == {"v1": first, "v0": first, "v2/rc.1": at.head(repo)}
    assert at.read(repo, "a.bin", "v1") == LARGE
    assert at.read(repo, "a.bin", "v2/rc.1") == b"later"
    with fails(HfHubHTTPError, "already exists", status=409):
        at.api.create_tag(repo, tag="v1")
    at.api.create_tag(repo, tag="v1", exist_ok=True)
    assert at.head(repo, "v1") == first
    at.api.delete_tag(repo, tag="v1")
    assert set(_names(at, repo, "tags")) == {"v0", "v2/rc.1"}
    with fails(RevisionNotFoundError):
        at.api.delete_tag(repo, tag="v1")


def check_a_tag_of_nothing_and_a_wrong_name(at: World) -> None:
    repo = _filled(at, "refusing-tags")
    with fails(RevisionNotFoundError):
        at.api.create_tag(repo, tag="v1", revision="none-such")
    for name in ("a b", "..", "x.lock"):
        with refused(name):
            at.api.create_tag(repo, tag=name)
    assert _names(at, repo, "tags") == {}


def check_a_tag_is_not_written_to(at: World) -> None:
    repo = _filled(at, "fixed-tag")
    at.api.create_tag(repo, tag="v1")
    before = at.head(repo, "v1")
    with refused("a commit to a tag"):
        at.api.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id=repo, revision="v1")
    assert at.head(repo, "v1") == before


def check_a_tag_keeps_its_revision_whatever_comes(at: World) -> None:
    repo = _filled(at, "kept")
    at.api.create_branch(repo, branch="dev")
    at.api.upload_file(path_or_fileobj=LARGE[::-1], path_in_repo="a.bin", repo_id=repo, revision="dev")
    kept = at.head(repo, "dev")
    at.api.create_tag(repo, tag="kept", revision="dev")
    at.api.delete_branch(repo, branch="dev")
    at.api.delete_file("a.bin", repo)
    at.api.super_squash_history(repo)
    assert at.head(repo, "kept") == kept
    assert at.read(repo, "a.bin", "kept") == LARGE[::-1]
    assert at.read(repo, "a.bin", kept) == LARGE[::-1]
    assert at.api.list_repo_commits(repo, revision="kept")[0].commit_id == kept


def check_every_way_to_name_a_revision(at: World) -> None:
    repo = _filled(at, "named")
    sha = at.head(repo)
    for revision in ("main", "refs/heads/main", sha):
        assert at.api.model_info(repo, revision=revision).sha == sha
        assert at.read(repo, "a.bin", revision) == LARGE
    assert at.api.revision_exists(repo, "main")
    assert not at.api.revision_exists(repo, "none-such")
    assert not at.api.revision_exists(repo, "0" * 40)


def check_others_make_no_refs(at: World) -> None:
    repo = _filled(at, "others-refs")
    at.api.update_repo_settings(repo, private=False)
    for token in (FACTS["stranger_token"], FACTS["read_token"]):
        with fails(HfHubHTTPError, status=403):
            at.as_(token).create_branch(repo, branch="theirs")
        with fails(HfHubHTTPError, status=403):
            at.as_(token).create_tag(repo, tag="theirs")


if __name__ == "__main__":
    run()
