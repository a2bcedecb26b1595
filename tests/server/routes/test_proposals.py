"""Discussions and pull requests by the stock client, as two people and some who may not."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.community import DiscussionComment, DiscussionCommit, DiscussionStatusChange
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from tars_hub.listening import address_of, listening, serving
from tars_hub.server.app import create_app
from tars_hub.server.rules.accounts import add_user
from tars_hub.server.rules.tokens import create_token
from tars_hub.server.settings import Settings
from tars_hub.server.start import opened

LARGE = random.Random(0).randbytes(300_000)  # noqa: S311  # the same at every run


@dataclass
class Place:
    """A hub that answers, and its people by their clients."""

    url: str
    ann: HfApi
    bob: HfApi
    bob_reads: HfApi
    nobody: HfApi
    client: httpx.Client

    def post(self, path: str, who: HfApi, **body: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {who.token}"}
        return self.client.post(f"/api/models/{path}", json=body, headers=headers)

    def get(self, path: str) -> httpx.Response:
        return self.client.get(f"/api/models/{path}")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with opened(Settings(data=tmp_path_factory.mktemp("hub"))) as hub:
        for name in ("ann", "bob"):
            add_user(hub, name)
        with listening("127.0.0.1", 0) as listener, serving(create_app(hub), listener):
            url = address_of(listener)
            tokens = [create_token(hub, name, role="write") for name in ("ann", "bob")]
            tokens.append(create_token(hub, "bob", role="read"))
            clients = [HfApi(endpoint=url, token=token) for token in tokens]
            with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
                yield Place(url, *clients, HfApi(endpoint=url, token=False), client)


@pytest.fixture
def repo(place: Place, request: pytest.FixtureRequest) -> str:
    """Ann's public repository with a file."""
    name = request.node.name.removeprefix("test_").partition("[")[0]
    made = place.ann.create_repo(f"ann/{name}", private=False).repo_id
    place.ann.upload_file(path_or_fileobj=b"1\n", path_in_repo="a.txt", repo_id=made)
    return made


@contextmanager
def fails(status: int, saying: str | None = None) -> Iterator[None]:
    with pytest.raises(HfHubHTTPError, match=saying) as caught:
        yield
    assert caught.value.response.status_code == status


def files(api: HfApi, repo: str, revision: str = "main") -> set[str]:
    return set(api.list_repo_files(repo, revision=revision)) - {".gitattributes"}


def ask(api: HfApi, repo: str, path: str = "b.txt", data: bytes = b"2\n") -> int:
    """A pull request with one file; its number."""
    told = api.create_commit(repo, [CommitOperationAdd(path, data)], commit_message=f"Add {path}", create_pr=True)
    assert told.pr_num
    return told.pr_num


def test_a_discussion(place: Place, repo: str) -> None:
    made = place.bob.create_discussion(repo, " A <b>talk</b> ", description="Why <script>?")
    assert (made.num, made.title, made.status, made.author) == (1, "A <b>talk</b>", "open", "bob")
    assert (made.is_pull_request, made.git_reference, made.repo_id, made.repo_type) == (False, None, repo, "model")
    assert (made.diff, made.conflicting_files, made.target_branch, made.merge_commit_oid) == (None,) * 4
    (said,) = made.events
    assert isinstance(said, DiscussionComment)
    assert (said.content, said.rendered) == ("Why <script>?", "Why &lt;script&gt;?")
    assert (said.author, said.edited, said.hidden, said.number_of_edits) == ("bob", False, False, 0)
    answer = place.ann.comment_discussion(repo, 1, "Because")
    renamed = place.ann.rename_discussion(repo, 1, "Moderated")
    assert (renamed.old_title, renamed.new_title) == ("A <b>talk</b>", "Moderated")
    closed = place.bob.change_discussion_status(repo, 1, "closed", comment="Thanks")
    assert isinstance(closed, DiscussionStatusChange)
    assert (closed.new_status, closed.author) == ("closed", "bob")
    told = place.nobody.get_discussion_details(repo, 1)
    assert (told.title, told.status) == ("Moderated", "closed")
    assert [event.type for event in told.events] == [
        "comment",
        "comment",
        "title-change",
        "comment",
        "status-change",
    ]
    assert told.events[1].id == answer.id
    assert place.bob.change_discussion_status(repo, 1, "open").new_status == "open"


def test_a_comment_is_edited_and_hidden(place: Place, repo: str) -> None:
    (said,) = place.bob.create_discussion(repo, "Talk", description="one").events
    edited = place.bob.edit_discussion_comment(repo, 1, said.id, "two")
    assert (edited.content, edited.edited, edited.number_of_edits) == ("two", True, 1)
    assert edited.edit_history[0]["raw"] == "one"
    assert edited.last_edited_by == "bob"
    assert edited.last_edited_at >= edited.created_at
    with fails(403, "bob wrote it"):
        place.ann.edit_discussion_comment(repo, 1, said.id, "mine")
    with pytest.warns(UserWarning, match="irreversible"):
        hidden = place.ann.hide_discussion_comment(repo, 1, said.id)
    assert (hidden.hidden, hidden.edit_history) == (True, [])
    assert "two" not in place.get(f"{repo}/discussions/1").text
    with fails(404):
        place.bob.edit_discussion_comment(repo, 1, "f" * 24, "x")


def test_a_draft(place: Place, repo: str) -> None:
    made = place.bob.create_pull_request(repo, "Draft")
    assert (made.num, made.status, made.git_reference) == (1, "draft", "refs/pr/1")
    assert (made.is_pull_request, made.target_branch, made.conflicting_files) == (True, "refs/heads/main", [])
    assert made.diff == ""
    place.bob.upload_file(path_or_fileobj=b"2\n", path_in_repo="b.txt", repo_id=repo, revision="refs/pr/1")
    assert files(place.nobody, repo, "refs/pr/1") == {"a.txt", "b.txt"}
    with fails(409, "draft"):
        place.ann.merge_pull_request(repo, 1)
    place.bob.change_discussion_status(repo, 1, "open")
    place.ann.merge_pull_request(repo, 1, comment="Thanks")
    told = place.bob.get_discussion_details(repo, 1)
    assert told.status == "merged"
    assert told.merge_commit_oid == place.ann.model_info(repo).sha
    assert [event.type for event in told.events] == [
        "comment",
        "commit",
        "status-change",
        "comment",
        "status-change",
    ]
    assert files(place.nobody, repo) == {"a.txt", "b.txt"}


def test_a_commit_as_a_proposal(place: Place, repo: str) -> None:
    operations = [CommitOperationAdd("b.bin", LARGE), CommitOperationAdd("a.txt", b"2\n")]
    told = place.bob.create_commit(repo, operations, commit_message="Better", commit_description="Much", create_pr=True)
    assert told.pr_url == f"{place.url}/{repo}/discussions/1"
    assert (told.pr_revision, told.pr_num) == ("refs/pr/1", 1)
    assert files(place.nobody, repo) == {"a.txt"}
    found = place.nobody.get_discussion_details(repo, 1)
    assert (found.title, found.status, found.author) == ("Better", "open", "bob")
    assert found.diff
    assert "-1\n+2\n" in found.diff
    assert "+oid sha256:" in found.diff
    said, pushed = found.events
    assert isinstance(said, DiscussionComment)
    assert said.content == "Much"
    assert isinstance(pushed, DiscussionCommit)
    assert (pushed.summary, pushed.oid, pushed.author) == ("Better", told.oid, "bob")
    refs = place.nobody.list_repo_refs(repo, include_pull_requests=True)
    assert [(ref.ref, ref.target_commit) for ref in refs.pull_requests or []] == [("refs/pr/1", told.oid)]
    place.ann.merge_pull_request(repo, 1)
    assert Path(place.nobody.hf_hub_download(repo, "b.bin")).read_bytes() == LARGE
    assert place.nobody.get_discussion_details(repo, 1).merge_commit_oid == told.oid


def test_a_folder_as_a_proposal(place: Place, repo: str, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "large.bin").write_bytes(LARGE)
    (tmp_path / "new.txt").write_text("new")
    told = place.bob.upload_folder(repo_id=repo, folder_path=tmp_path, create_pr=True, commit_message="Folder")
    assert told.pr_num == 1
    assert files(place.nobody, repo) == {"a.txt"}
    assert files(place.nobody, repo, "refs/pr/1") == {"a.txt", "new.txt", "sub/large.bin"}
    place.ann.upload_file(path_or_fileobj=b"meanwhile", path_in_repo="c.txt", repo_id=repo)
    place.ann.change_discussion_status(repo, 1, "open")
    place.ann.merge_pull_request(repo, 1)
    assert files(place.nobody, repo) == {"a.txt", "c.txt", "new.txt", "sub/large.bin"}
    assert next(commit.title for commit in place.nobody.list_repo_commits(repo)) == "Folder (#1)"
    assert Path(place.nobody.hf_hub_download(repo, "sub/large.bin")).read_bytes() == LARGE


def test_conflicts(place: Place, repo: str) -> None:
    ask(place.bob, repo, "a.txt", b"theirs\n")
    place.ann.upload_file(path_or_fileobj=b"ours\n", path_in_repo="a.txt", repo_id=repo)
    assert place.ann.get_discussion_details(repo, 1).conflicting_files == ["a.txt"]
    with fails(409, r"a\.txt"):
        place.ann.merge_pull_request(repo, 1)
    assert Path(place.ann.hf_hub_download(repo, "a.txt")).read_bytes() == b"ours\n"
    place.ann.create_commit(repo, [CommitOperationDelete("a.txt")], commit_message="Give way", revision="refs/pr/1")
    assert place.ann.get_discussion_details(repo, 1).conflicting_files == ["a.txt"]


def test_lists(place: Place, repo: str) -> None:
    for number in range(1, 56):
        place.post(f"{repo}/discussions", place.bob, title=f"Talk {number}").raise_for_status()
    place.ann.create_discussion(repo, "Ann's")
    place.bob.create_pull_request(repo, "Draft")
    ask(place.bob, repo)
    place.bob.change_discussion_status(repo, 1, "closed")

    def numbers(**asked: Any) -> list[int]:
        return [each.num for each in place.nobody.get_repo_discussions(repo, **asked)]

    everything = list(range(58, 0, -1))
    assert numbers() == numbers(discussion_type="all", discussion_status="all") == everything
    assert numbers(discussion_type="pull_request") == [58, 57]
    assert numbers(discussion_type="discussion") == everything[2:]
    assert numbers(author="Ann") == [56]
    assert numbers(discussion_status="open") == everything[:-1]
    assert numbers(discussion_status="closed") == [1]
    place.ann.merge_pull_request(repo, 58)
    assert numbers(discussion_status="closed") == [58, 1]
    first = next(iter(place.nobody.get_repo_discussions(repo)))
    assert (first.title, first.status, first.author, first.is_pull_request) == ("Add b.txt", "merged", "bob", True)
    page = place.get(f"{repo}/discussions?p=1&status=all").json()
    assert (page["count"], page["start"], len(page["discussions"])) == (58, 50, 8)
    for query in ("type=x", "status=x", "p=x"):
        assert place.get(f"{repo}/discussions?{query}").status_code == 400


def test_who_may_not(place: Place, repo: str) -> None:
    (said,) = place.ann.create_discussion(repo, "Ann's", description="mine").events
    number = ask(place.ann, repo)
    acts: list[Callable[[HfApi], object]] = [
        lambda api: api.rename_discussion(repo, 1, "Mine"),
        lambda api: api.change_discussion_status(repo, 1, "closed"),
        lambda api: api.edit_discussion_comment(repo, 1, said.id, "not mine"),
        lambda api: api.merge_pull_request(repo, number),
    ]
    speak: list[Callable[[HfApi], object]] = [
        lambda api: api.create_discussion(repo, "Talk"),
        lambda api: api.create_pull_request(repo, "Draft"),
        lambda api: api.comment_discussion(repo, 1, "Hello"),
        lambda api: ask(api, repo, "x.txt"),
    ]
    for act in acts:
        with fails(403):
            act(place.bob)
    for act in acts + speak:
        with fails(403, "only read"):
            act(place.bob_reads)
        with fails(401):
            act(place.nobody)
    assert [each.num for each in place.bob.get_repo_discussions(repo)] == [2, 1]


def test_only_its_author_and_the_owner_push_to_a_proposal(place: Place, repo: str) -> None:
    ask(place.ann, repo)

    def push(api: HfApi, path: str, revision: str = "refs/pr/1") -> None:
        api.upload_file(path_or_fileobj=path.encode(), path_in_repo=path, repo_id=repo, revision=revision)

    with fails(403):
        push(place.bob, "x.txt")
    with fails(404):
        push(place.bob, "x.txt", "refs/pr/2")
    ask(place.bob, repo, "c.txt")
    push(place.bob, "d.txt", "refs/pr/2")
    push(place.ann, "e.txt", "refs/pr/2")
    assert files(place.nobody, repo, "refs/pr/2") == {"a.txt", "c.txt", "d.txt", "e.txt"}
    place.bob.change_discussion_status(repo, 2, "closed")
    with fails(409, "closed"):
        push(place.bob, "f.txt", "refs/pr/2")
    assert files(place.nobody, repo, "refs/pr/2") == {"a.txt", "c.txt", "d.txt", "e.txt"}
    place.ann.create_branch(repo, branch="None")
    with fails(403):
        place.bob.create_commit(repo, [CommitOperationAdd("x", b"x")], commit_message="Sneak", revision="None")


def test_private_repositories_tell_nothing(place: Place) -> None:
    repo = place.ann.create_repo("ann/secret", private=True).repo_id
    place.ann.create_discussion(repo, "Secret talk")
    for api in (place.bob, place.nobody):
        for act in (
            lambda api: list(api.get_repo_discussions(repo)),
            lambda api: api.get_discussion_details(repo, 1),
            lambda api: api.comment_discussion(repo, 1, "hello"),
        ):
            with pytest.raises(RepositoryNotFoundError):
                act(api)


def test_diffs_of_gated_files_are_for_who_may_read_them(place: Place, repo: str) -> None:
    ask(place.bob, repo, "b.txt", b"inside")
    place.ann.update_repo_settings(repo, gated="auto")
    assert "inside" in str(place.ann.get_discussion_details(repo, 1).diff)
    assert place.bob.get_discussion_details(repo, 1).diff == ""


def test_a_flooded_discussion_stays_readable(place: Place, repo: str) -> None:
    place.bob.create_discussion(repo, "Flood")
    answers = [place.post(f"{repo}/discussions/1/comment", place.bob, comment="&" * 65_000) for _ in range(40)]
    assert [answer.status_code for answer in answers] == [200] * 32 + [413] * 8
    assert "begin another one" in answers[-1].json()["error"]
    read = place.get(f"{repo}/discussions/1")
    assert len(read.json()["events"]) == 1 + 32  # the client describes it by itself
    assert len(read.content) < 16 << 20
    assert place.bob.change_discussion_status(repo, 1, "closed").new_status == "closed"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("", {}, 400),
        ("", {"title": 5}, 400),
        ("", {"title": " "}, 400),
        ("", {"title": "x" * 501}, 422),
        ("", {"title": "T", "description": "x" * 65537}, 413),
        ("", {"title": "T", "pullRequest": "yes"}, 400),
        ("/1/comment", {"comment": ""}, 400),
        ("/1/comment", {}, 400),
        ("/1/status", {"status": "merged"}, 400),
        ("/1/status", {"status": ["open"]}, 400),
        ("/1/status", {"status": "open"}, 409),
        ("/1/merge", {}, 400),
        ("/1/title", {}, 400),
        ("/1/comment/x/edit", {"content": "x"}, 404),
        ("/99/comment", {"comment": "x"}, 404),
        ("/0/merge", {}, 404),
        ("/x/comment", {"comment": "x"}, 404),
        ("/99999999999999999999/comment", {"comment": "x"}, 404),
    ],
)
def test_what_makes_no_sense(place: Place, path: str, body: dict[str, object], status: int) -> None:
    repo = place.ann.create_repo("ann/sense", private=False, exist_ok=True).repo_id
    if not place.get(f"{repo}/discussions").json()["count"]:
        place.ann.create_discussion(repo, "Talk")
    assert place.post(f"{repo}/discussions{path}", place.ann, **body).status_code == status
