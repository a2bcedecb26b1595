"""Discussions and pull requests, their numbers and what happens in them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest

from tars_hub.server.catalog.interface import Catalog, RefMovedError, StaleError
from tars_hub.server.records import MAIN, Discussion, Facts, NewCommit, NewDiscussion, Proposal, RefChange, Repo
from tests.server.catalog.samples import commit, file, keep, push, sha1, sha256, step

NO_ID = f"{7**20:024x}"


def talk(title: str = "Talk", description: str = "", author: str = "bob") -> NewDiscussion:
    return NewDiscussion(title=title, status="open", author=author, description=description)


def request(first: NewCommit | None = None, *, start: str = "first") -> NewDiscussion:
    proposal = Proposal(base=MAIN, start=sha1(start))
    status = "open" if first else "draft"
    return NewDiscussion(title="Ask", status=status, author="bob", proposal=proposal, commit=first)


def proposed(catalog: Catalog, repo: Repo) -> Discussion:
    """Pull request 1, open, with the commit "asked" on top of "first"."""
    keep(catalog, file("a"))
    return catalog.discussions.add(repo.id, request(commit("asked", "first", files=(file("a"),))))


def merge_steps(new: str, *, main: str = "first") -> list[RefChange]:
    return [step(main, new), step("asked", "asked", "refs/pr/1")]


def test_numbers_count_up_in_each_repository(catalog: Catalog, repo: Repo) -> None:
    other = catalog.repositories.add("Bob", "Dogs", private=True, first=commit("other"))
    numbers = [catalog.discussions.add(repo.id, new).number for new in (talk(), request(), talk())]
    assert numbers == [1, 2, 3]
    assert catalog.discussions.add(other.id, talk()).number == 1


def test_numbers_have_no_gaps_with_many_at_once(catalog: Catalog, repo: Repo) -> None:
    def add(number: int) -> int:
        return catalog.discussions.add(repo.id, request() if number % 2 else talk()).number

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(add, range(40))) == list(range(1, 41))


def test_a_discussion_comes_back_as_it_was_made(catalog: Catalog, repo: Repo) -> None:
    made = catalog.discussions.add(repo.id, talk("Zoë 🐈", "why <b>?", "Zoe"))
    assert (made.number, made.title, made.status, made.author) == (1, "Zoë 🐈", "open", "Zoe")
    assert made.proposal is None
    assert abs(datetime.now(timezone.utc) - made.created_at) < timedelta(minutes=1)
    assert catalog.discussions.find(repo.id, 1) == made
    assert catalog.discussions.find(repo.id, 2) is None
    assert catalog.discussions.find(repo.id + 1, 1) is None
    (said,) = catalog.discussions.events(repo.id, 1)
    assert (said.kind, said.author, said.text, said.hidden, said.earlier) == ("comment", "Zoe", "why <b>?", False, ())
    assert catalog.discussions.event(repo.id, 1, said.id) == said


def test_a_draft_begins_where_it_starts(catalog: Catalog, repo: Repo) -> None:
    made = catalog.discussions.add(repo.id, request())
    assert made.proposal == Proposal(base=MAIN, start=sha1("first"))
    assert catalog.history.ref(repo.id, made.ref) == sha1("first")
    assert catalog.discussions.events(repo.id, 1) == []


def test_a_proposal_begins_with_its_commit(catalog: Catalog, repo: Repo) -> None:
    made = proposed(catalog, repo)
    assert catalog.history.ref(repo.id, made.ref) == sha1("asked")
    assert catalog.history.find_commit(repo.id, sha1("asked")) == commit("asked", "first").commit
    assert catalog.history.ref(repo.id, MAIN) == sha1("first")
    assert catalog.contents.linked(repo.id, [sha256("a")]) == {sha256("a"): True}


def test_a_repository_that_is_gone_takes_none(catalog: Catalog, repo: Repo) -> None:
    catalog.discussions.add(repo.id, talk("Talk", "well"))
    proposed_before = catalog.discussions.add(repo.id, request())
    catalog.repositories.remove(repo.id)
    assert catalog.discussions.find(repo.id, 1) is None
    assert catalog.discussions.events(repo.id, 1) == []
    assert catalog.history.ref(repo.id, proposed_before.ref) is None
    for new in (talk(), request(), request(commit("asked", "first"))):
        with pytest.raises(RefMovedError):
            catalog.discussions.add(repo.id, new)
    with pytest.raises(StaleError):
        catalog.discussions.comment(repo.id, 1, author="bob", text="hello?")


def test_search(catalog: Catalog, repo: Repo) -> None:
    for new in (talk(author="Ann"), request(), talk(), request(commit("asked", "first"))):
        catalog.discussions.add(repo.id, new)
    catalog.discussions.change_status(repo.id, 3, author="bob", old="open", new="closed")
    search = catalog.discussions.search

    def numbers(**asked: object) -> list[int]:
        found, count = search(repo.id, **asked)  # type: ignore[arg-type]
        assert count == len(found)
        return [each.number for each in found]

    assert numbers() == [4, 3, 2, 1]
    assert numbers(pull_requests=True) == [4, 2]
    assert numbers(pull_requests=False) == [3, 1]
    assert numbers(statuses=("closed", "merged")) == [3]
    assert numbers(statuses=("open", "draft"), pull_requests=True) == [4, 2]
    assert numbers(statuses=("draft",)) == [2]
    assert numbers(author="aNN") == [1]
    assert numbers(author="an") == []
    page, count = search(repo.id, offset=1, limit=2)
    assert ([each.number for each in page], count) == ([3, 2], 4)
    assert search(repo.id + 1) == ([], 0)


def test_what_happens_is_told_in_order(catalog: Catalog, repo: Repo) -> None:
    catalog.discussions.add(repo.id, talk("Old", "first"))
    catalog.discussions.comment(repo.id, 1, author="ann", text="second")
    renamed = catalog.discussions.rename(repo.id, 1, author="ann", title="New")
    closed = catalog.discussions.change_status(repo.id, 1, author="bob", old="open", new="closed", comment="done")
    assert (renamed.before, renamed.text) == ("Old", "New")
    assert (closed.kind, closed.text) == ("status-change", "closed")
    told = [(event.kind, event.author, event.text) for event in catalog.discussions.events(repo.id, 1)]
    assert told == [
        ("comment", "bob", "first"),
        ("comment", "ann", "second"),
        ("title-change", "ann", "New"),
        ("comment", "bob", "done"),
        ("status-change", "bob", "closed"),
    ]
    found = catalog.discussions.find(repo.id, 1)
    assert found
    assert (found.title, found.status) == ("New", "closed")


def test_a_status_changes_only_from_where_it_is(catalog: Catalog, repo: Repo) -> None:
    catalog.discussions.add(repo.id, talk())
    with pytest.raises(StaleError):
        catalog.discussions.change_status(repo.id, 1, author="bob", old="closed", new="open", comment="lost")
    assert catalog.discussions.events(repo.id, 1) == []
    for number in (0, 2):
        with pytest.raises(StaleError):
            catalog.discussions.change_status(repo.id, number, author="bob", old="open", new="closed")
        with pytest.raises(StaleError):
            catalog.discussions.rename(repo.id, number, author="bob", title="x")


def test_a_comment_is_edited_and_hidden(catalog: Catalog, repo: Repo) -> None:
    catalog.discussions.add(repo.id, talk(description="one"))
    (said,) = catalog.discussions.events(repo.id, 1)
    for text in ("two", "three"):
        edited = catalog.discussions.edit(repo.id, 1, said.id, text=text)
    assert edited.text == "three"
    assert [version.text for version in edited.earlier] == ["one", "two"]
    assert said.at == edited.at == edited.earlier[0].at < edited.earlier[1].at < edited.updated_at
    hidden = catalog.discussions.hide(repo.id, 1, said.id)
    assert (hidden.hidden, hidden.text, hidden.earlier) == (True, "", ())
    assert catalog.discussions.events(repo.id, 1) == [hidden]
    assert catalog.discussions.hide(repo.id, 1, said.id) == hidden
    with pytest.raises(StaleError):
        catalog.discussions.edit(repo.id, 1, said.id, text="back")


@pytest.mark.parametrize("event_id", ["", "1", "x" * 24, "f" * 24, "F" * 24, "0" * 24, NO_ID, "-" + "0" * 22 + "1"])
def test_no_such_comment(catalog: Catalog, repo: Repo, event_id: str) -> None:
    catalog.discussions.add(repo.id, talk(description="one"))
    assert catalog.discussions.event(repo.id, 1, event_id) is None
    with pytest.raises(StaleError):
        catalog.discussions.edit(repo.id, 1, event_id, text="two")
    with pytest.raises(StaleError):
        catalog.discussions.hide(repo.id, 1, event_id)


def test_comments_belong_to_their_discussion_and_other_events_are_none(catalog: Catalog, repo: Repo) -> None:
    for _ in range(2):
        catalog.discussions.add(repo.id, talk(description="one"))
    (said,) = catalog.discussions.events(repo.id, 1)
    renamed = catalog.discussions.rename(repo.id, 1, author="bob", title="x")
    assert catalog.discussions.event(repo.id, 2, said.id) is None
    for number, event_id in ((2, said.id), (1, renamed.id)):
        with pytest.raises(StaleError):
            catalog.discussions.edit(repo.id, number, event_id, text="two")


def test_merging_moves_the_branch_and_tells_so(catalog: Catalog, repo: Repo) -> None:
    proposed(catalog, repo)
    push(catalog, repo, "second", "first")
    new = commit("joined", "second", facts=Facts(tags=("merged",), pipeline_tag="image-classification"))
    told = catalog.discussions.merge(
        repo.id,
        1,
        author="Ann",
        head=sha1("asked"),
        new=new,
        changes=merge_steps("joined", main="second"),
        comment="thanks",
    )
    assert told.text == "merged"
    found = catalog.discussions.find(repo.id, 1)
    assert found
    assert found.status == "merged"
    assert found.proposal == Proposal(base=MAIN, start=sha1("first"), head=sha1("asked"), merge_commit=new.commit.oid)
    assert [event.text for event in catalog.discussions.events(repo.id, 1)] == ["thanks", "merged"]
    assert catalog.history.ref(repo.id, MAIN) == new.commit.oid
    after = catalog.repositories.by_id(repo.id)
    assert after
    assert after.facts.tags == ("merged",)


def test_an_old_commit_is_news_when_it_is_merged(catalog: Catalog, repo: Repo) -> None:
    proposed(catalog, repo)
    before = datetime.now(timezone.utc)
    catalog.discussions.merge(
        repo.id, 1, author="Ann", head=sha1("asked"), new=commit("asked", "first"), changes=merge_steps("asked")
    )
    after = catalog.repositories.by_id(repo.id)
    assert after
    assert after.updated_at >= before
    assert after.facts == repo.facts
    assert catalog.history.ref(repo.id, MAIN) == sha1("asked")


@pytest.mark.parametrize("other", ["main moved", "pushed to", "closed"])
def test_who_merges_late_changes_nothing(catalog: Catalog, repo: Repo, other: str) -> None:
    proposed(catalog, repo)
    if other == "main moved":
        push(catalog, repo, "second", "first")
    elif other == "pushed to":
        catalog.history.commit(repo.id, commit("more", "asked"), [step("asked", "more", "refs/pr/1")])
    else:
        catalog.discussions.change_status(repo.id, 1, author="bob", old="open", new="closed")
    refs, events = catalog.history.refs(repo.id), catalog.discussions.events(repo.id, 1)
    new = commit("joined", "first")
    with pytest.raises((RefMovedError, StaleError)):
        catalog.discussions.merge(
            repo.id, 1, author="Ann", head=sha1("asked"), new=new, changes=merge_steps("joined"), comment="thanks"
        )
    assert catalog.history.refs(repo.id) == refs
    assert catalog.discussions.events(repo.id, 1) == events
    assert catalog.history.find_commit(repo.id, new.commit.oid) is None


def test_all_goes_with_its_repository(catalog: Catalog, repo: Repo) -> None:
    catalog.discussions.add(repo.id, talk(description="one"))
    (said,) = catalog.discussions.events(repo.id, 1)
    catalog.discussions.edit(repo.id, 1, said.id, text="two")
    catalog.repositories.remove(repo.id)
    again = catalog.repositories.add("Ann", "Cats", private=False, first=commit("first"))
    assert catalog.discussions.search(again.id) == ([], 0)
    assert catalog.discussions.add(again.id, talk()).number == 1
