"""Pull requests: who may do what, and what a merge leaves."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tars_hub.server.errors import (
    ConflictError,
    ForbiddenError,
    GatedError,
    HubError,
    NotFoundError,
    RevisionNotFoundError,
    TooLargeError,
    UnauthorizedError,
)
from tars_hub.server.gitobjects import commit_oid
from tars_hub.server.records import MAIN
from tars_hub.server.rules import commits as committing
from tars_hub.server.rules import comparing, discussions, proposals, repositories, revisions, squash
from tars_hub.server.rules.proposals import MergeConflictError
from tests.server.rules.world import NOBODY, World


def test_a_proposal_begins_at_its_branch(world: World) -> None:
    order = world.order({"a": "new\n"}, "Title\nmore", description="because")
    found, made = proposals.propose(world.hub, world.bob, world.repo, "main", order)
    assert (found.number, found.title, found.status, found.author) == (1, "Title", "open", "bob")
    assert found.proposal
    assert (found.proposal.base, found.proposal.start) == (MAIN, world.at().oid)
    assert world.at("refs/pr/1") == made
    assert made.parents == (world.at().oid,)
    assert world.files("refs/pr/1") == {"a": "new\n", "dir/b": "2\n"}
    assert world.files() == {"a": "1\n", "dir/b": "2\n"}
    assert world.kinds() == [("comment", "because"), ("commit", "Title")]


def test_a_proposal_may_begin_at_an_older_commit_and_at_another_branch(world: World) -> None:
    old = world.at()
    revisions.add_branch(world.hub, world.repo, "dev", None)
    world.push({"c": "3\n"}, "refs/heads/dev")
    order = world.order({"d": "4\n"}, parent=old.oid[:7])
    found, made = proposals.propose(world.hub, world.bob, world.repo, "dev", order)
    assert found.proposal
    assert (found.proposal.base, found.proposal.start) == ("refs/heads/dev", old.oid)
    assert made.parents == (old.oid,)
    world.accept()
    assert world.files("dev") == {"a": "1\n", "dir/b": "2\n", "c": "3\n", "d": "4\n"}
    assert world.at() == old


@pytest.mark.parametrize("start", ["no", "refs/tags/v1", "v1", "refs/pr/1", "refs/pr/9"])
def test_only_branches_are_proposed_to(world: World, start: str) -> None:
    revisions.add_tag(world.hub, world.repo, "v1", "main")
    world.propose({"x": "y"})
    with pytest.raises(RevisionNotFoundError):
        world.propose({"a": "new"}, start=start)
    assert world.hub.catalog.discussions.search(world.repo.id)[1] == 1


def test_what_fails_leaves_no_proposal(world: World) -> None:
    with pytest.raises(HubError, match="nothing to propose"):
        world.propose({"a": "1\n"})
    with pytest.raises(NotFoundError):
        world.propose({"no": None})
    with pytest.raises(RevisionNotFoundError):
        proposals.propose(world.hub, world.bob, world.repo, "main", world.order({"a": "x"}, parent="1234567"))
    order = world.order({"a": "x"}, description="ä" * 40_000)
    with pytest.raises(TooLargeError):
        proposals.propose(world.hub, world.bob, world.repo, "main", order)
    assert world.hub.catalog.discussions.search(world.repo.id) == ([], 0)
    assert [ref.name for ref in world.hub.catalog.history.refs(world.repo.id)] == [MAIN]


def test_a_long_summary_is_cut_to_a_title(world: World) -> None:
    order = world.order({"a": "x"}, "x" * 2000)
    assert proposals.propose(world.hub, world.bob, world.repo, "main", order)[0].title == "x" * 500


def test_a_draft_is_published_then_merged(world: World) -> None:
    made = proposals.begin(world.hub, world.bob, world.repo, "Draft", "well")
    assert made.status == "draft"
    assert world.at("refs/pr/1") == world.at()
    world.push({"c": "3"}, "refs/pr/1", world.bob)
    with pytest.raises(ConflictError, match="draft"):
        world.accept()
    discussions.change_status(world.hub, world.bob, world.repo, 1, "open")
    assert world.accept().status == "merged"
    assert world.kinds() == [
        ("comment", "well"),
        ("commit", "Change"),
        ("status-change", "open"),
        ("status-change", "merged"),
    ]


def test_nothing_new_is_merged_as_well(world: World) -> None:
    proposals.begin(world.hub, world.bob, world.repo, "Draft", "")
    discussions.change_status(world.hub, world.bob, world.repo, 1, "open")
    head = world.at()
    found = world.accept()
    assert found.proposal
    assert found.proposal.merge_commit == head.oid == world.at().oid


def test_a_branch_that_stood_still_moves_on(world: World) -> None:
    world.propose({"README.md": "---\ntags: [cats]\n---\n"})
    world.push({"c": "3"}, "refs/pr/1", world.bob)
    found = world.accept()
    assert found.proposal
    assert found.proposal.merge_commit == found.proposal.head == world.at().oid == world.at("refs/pr/1").oid
    assert set(world.files()) == {"README.md", "a", "dir/b", "c"}
    repo = world.hub.catalog.repositories.by_id(world.repo.id)
    assert repo
    assert "cats" in repo.facts.tags


def test_a_branch_that_moved_is_joined(world: World) -> None:
    world.propose({"README.md": "---\ntags: [cats]\n---\n", "dir/b": None})
    main = world.push({"a": "ours\n", "dir/c": "3\n"})
    asked = world.at("refs/pr/1")
    found = world.accept()
    joined = world.at()
    assert found.proposal
    assert found.proposal.merge_commit == joined.oid
    assert joined.parents == (main.oid, asked.oid)
    assert (joined.author, joined.message) == ("ann", "Ask (#1)")
    assert commit_oid(joined) == joined.oid
    assert world.files() == {"README.md": "---\ntags: [cats]\n---\n", "a": "ours\n", "dir/c": "3\n"}
    repo = world.hub.catalog.repositories.by_id(world.repo.id)
    assert repo
    assert "cats" in repo.facts.tags
    assert world.kinds() == [("commit", "Ask"), ("status-change", "merged")]


def test_both_made_the_same_change(world: World) -> None:
    world.propose({"a": "same\n"})
    main = world.push({"a": "same\n"})
    found = world.accept()
    assert found.proposal
    assert found.proposal.merge_commit == main.oid == world.at().oid


def test_conflicts_are_named_and_nothing_is_merged(world: World) -> None:
    found = world.propose({"a": "theirs\n", "dir/b": None, "ok": "x"})
    assert found.proposal
    assert proposals.conflicts(world.hub, world.repo, found, found.proposal) == ()
    main = world.push({"a": "ours\n", "dir/b": "ours\n"})
    with pytest.raises(MergeConflictError, match=r"a, dir/b") as caught:
        world.accept()
    assert caught.value.paths == ("a", "dir/b")
    assert proposals.conflicts(world.hub, world.repo, found, found.proposal) == ("a", "dir/b")
    assert world.find().status == "open"
    assert world.at() == main
    world.push({"a": "1\n", "dir/b": "2\n"})
    world.accept()
    assert world.files() == {"a": "theirs\n", "ok": "x"}
    merged = world.find()
    assert merged.proposal
    assert proposals.conflicts(world.hub, world.repo, merged, merged.proposal) == ()


def test_squashed_histories_are_merged_by_their_files(world: World) -> None:
    world.propose({"c": "3\n"})
    world.propose({"d": "4\n"})
    squash.squash(world.hub, world.ann, world.repo, "refs/pr/2")
    world.accept(2)
    squash.squash(world.hub, world.ann, world.repo, "main")
    world.accept(1)
    assert world.files() == {"a": "1\n", "dir/b": "2\n", "c": "3\n", "d": "4\n"}
    assert world.kinds(2)[0] == ("commit", "Super-squash branch 'refs/pr/2'")


def test_a_branch_that_is_gone_is_not_merged_into(world: World) -> None:
    revisions.add_branch(world.hub, world.repo, "dev", None)
    found = world.propose({"a": "x"}, start="dev")
    revisions.remove_branch(world.hub, world.repo, "dev")
    with pytest.raises(ConflictError, match="refs/heads/dev"):
        world.accept()
    assert found.proposal
    assert proposals.conflicts(world.hub, world.repo, found, found.proposal) == ()
    assert world.kinds() == [("commit", "Ask")]


def test_merged_stays_merged(world: World) -> None:
    world.propose({"a": "x"})
    world.accept()
    with pytest.raises(ConflictError, match="merged"):
        world.accept()
    for status in ("open", "closed"):
        with pytest.raises(ConflictError, match="merged"):
            discussions.change_status(world.hub, world.ann, world.repo, 1, status)
    # A commit that slipped in behind the merge is none of it.
    world.push({"late": "x"}, "refs/pr/1", world.bob)
    assert ("commit", "Change") not in world.kinds()


def test_closed_ones_stay_readable_and_open_again(world: World) -> None:
    world.propose({"a": "x"})
    discussions.change_status(world.hub, world.ann, world.repo, 1, "closed", "no thanks")
    assert world.files("refs/pr/1")["a"] == "x"
    with pytest.raises(ConflictError, match="closed"):
        world.accept()
    with pytest.raises(ConflictError, match="closed already"):
        discussions.change_status(world.hub, world.ann, world.repo, 1, "closed")
    discussions.change_status(world.hub, world.bob, world.repo, 1, "open")
    assert world.accept().status == "merged"


def test_a_talk_is_not_merged(world: World) -> None:
    discussions.begin(world.hub, world.bob, world.repo, "Talk", "")
    with pytest.raises(HubError, match="discussion"):
        world.accept()
    with pytest.raises(NotFoundError, match="2"):
        world.accept(2)


def test_many_at_once(world: World) -> None:
    """Requests are numbered without gaps, and all are merged while others push."""
    together = threading.Barrier(8)

    def ask(number: int) -> int:
        together.wait()
        return world.propose({f"new-{number}": "x"}).number

    def take(number: int) -> str:
        if number % 2:
            world.push({f"pushed-{number}": "x"})
        return world.accept(number).status

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(ask, range(8))) == list(range(1, 9))
        assert set(pool.map(take, range(1, 9))) == {"merged"}
    assert len(world.files()) == 2 + 8 + 4


def test_one_is_merged_once(world: World) -> None:
    world.propose({"a": "x"})

    def take(_: int) -> bool:
        try:
            world.accept()
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(take, range(6))).count(True) == 1
    assert world.kinds().count(("status-change", "merged")) == 1


def test_who_may_push_to_a_proposal(world: World) -> None:
    world.propose({"a": "x"})
    for who in (world.ann, world.bob):
        proposals.require_pusher(world.hub, who, world.repo, "refs/pr/1")
    for who, error in ((world.eve, ForbiddenError), (world.bob_reads, ForbiddenError), (NOBODY, UnauthorizedError)):
        with pytest.raises(error):
            proposals.require_pusher(world.hub, who, world.repo, "refs/pr/1")
    discussions.begin(world.hub, world.bob, world.repo, "Talk", "")
    for ref in ("refs/pr/2", "refs/pr/3", "refs/pr/01", "refs/pr/x", "refs/pr/", "refs/pr/" + "9" * 5000):
        with pytest.raises(RevisionNotFoundError):
            proposals.require_pusher(world.hub, world.ann, world.repo, ref)
    discussions.change_status(world.hub, world.bob, world.repo, 1, "closed")
    with pytest.raises(ConflictError, match="closed"):
        proposals.require_pusher(world.hub, world.bob, world.repo, "refs/pr/1")


def test_branches_are_for_who_may_write(world: World) -> None:
    proposals.require_pusher(world.hub, world.ann, world.repo, MAIN)
    with pytest.raises(ForbiddenError):
        proposals.require_pusher(world.hub, world.bob, world.repo, "refs/heads/None")


def test_gated_files_are_not_proposed_to_by_others(world: World) -> None:
    repo = repositories.change_settings(world.hub, world.ann, world.repo.full_name, gated="manual")
    with pytest.raises(GatedError):
        proposals.begin(world.hub, world.bob, repo, "Draft", "")


def test_a_diff_is_of_the_proposal_alone(world: World) -> None:
    world.propose({"a": "new\n", "dir/b": None, "c": "3\n"})
    found = world.find()
    world.push({"ours": "x"})
    assert found.proposal
    text = comparing.diff(world.hub, world.at(found.proposal.start), world.at("refs/pr/1"))
    assert text.count("diff --git") == 3
    assert "-1\n+new\n" in text
    assert "deleted file" in text
    assert "ours" not in text


def test_a_diff_has_one_effort_for_all_files(world: World) -> None:
    turns = "a\nb\n" * 240
    names = [f"{number:02}" for number in range(12)]
    world.push(dict.fromkeys(names, turns))
    world.propose(dict.fromkeys(names, "b\n" + turns[:-2] + "c\n"))
    found = world.find()
    assert found.proposal
    text = comparing.diff(world.hub, world.at(found.proposal.start), world.at("refs/pr/1"))
    removed = [part.count("\n-") for part in text.split("diff --git ")[1:]]
    assert removed == [2] * 8 + [481] * 4


def test_long_titles_of_commits_are_cut(world: World) -> None:
    world.propose({"a": "x"})
    order = world.order({"a": "y"}, "x" * 60_000)
    committing.commit(world.hub, world.bob, world.repo, "refs/pr/1", order)
    assert world.kinds()[-1] == ("commit", "x" * 500)
