"""Discussions: who may do what, what may be said, and how much of it."""

from __future__ import annotations

import pytest

from tars_hub.server.errors import (
    ConflictError,
    ForbiddenError,
    HubError,
    TooLargeError,
    UnauthorizedError,
    UnprocessableError,
)
from tars_hub.server.rules import discussions, proposals
from tests.server.rules.world import NOBODY, World


def test_who_may_do_what(world: World) -> None:
    """Eve is known, and neither the author nor somebody who may write."""
    hub, repo = world.hub, world.repo
    discussions.begin(hub, world.bob, repo, "Talk", "well")
    (said,) = hub.catalog.discussions.events(repo.id, 1)
    world.propose({"a": "x"})
    discussions.comment(hub, world.eve, repo, 1, "I may say something")
    refused = [
        lambda who: discussions.rename(hub, who, repo, 1, "Mine"),
        lambda who: discussions.change_status(hub, who, repo, 1, "closed"),
        lambda who: discussions.edit(hub, who, repo, 1, said.id, "not well"),
        lambda who: discussions.hide(hub, who, repo, 1, said.id),
        lambda who: proposals.accept(hub, who, repo, 2),
    ]
    may_not_speak = [
        lambda who: discussions.begin(hub, who, repo, "Talk", ""),
        lambda who: discussions.comment(hub, who, repo, 1, "hello"),
        lambda who: proposals.begin(hub, who, repo, "Draft", ""),
        lambda who: world.propose({"a": "y"}, who),
    ]
    for act in refused:
        with pytest.raises(ForbiddenError):
            act(world.eve)
    for act in refused + may_not_speak:
        with pytest.raises(ForbiddenError, match="only read"):
            act(world.bob_reads)
        with pytest.raises(UnauthorizedError):
            act(NOBODY)
    with pytest.raises(ForbiddenError, match="bob wrote it"):
        discussions.edit(hub, world.ann, repo, 1, said.id, "the owner may not put words into mouths")
    with pytest.raises(ForbiddenError):
        proposals.accept(hub, world.bob, repo, 2)
    discussions.rename(hub, world.ann, repo, 1, "Moderated")
    discussions.hide(hub, world.ann, repo, 1, said.id)
    with pytest.raises(ConflictError, match="hidden"):
        discussions.edit(hub, world.bob, repo, 1, said.id, "again")
    assert world.kinds(1) == [
        ("comment", ""),
        ("comment", "I may say something"),
        ("title-change", "Moderated"),
    ]


@pytest.mark.parametrize("title", ["", " \n ", "x" * 501, "a\0b", "a\x1bb", "\ud800"])
def test_titles_that_cannot_be(world: World, title: str) -> None:
    with pytest.raises((HubError, UnprocessableError)):
        discussions.begin(world.hub, world.bob, world.repo, title, "")


def test_titles_are_one_line(world: World) -> None:
    made = discussions.begin(world.hub, world.bob, world.repo, "  Zoë\n and 👩‍💻\t", "")
    assert made.title == "Zoë and 👩‍💻"


@pytest.mark.parametrize("text", ["", "  ", "ä" * 32769, "a\0b", "\ud800"])
def test_comments_that_cannot_be(world: World, text: str) -> None:
    discussions.begin(world.hub, world.bob, world.repo, "Talk", "")
    with pytest.raises(HubError):
        discussions.comment(world.hub, world.bob, world.repo, 1, text)
    assert discussions.comment(world.hub, world.bob, world.repo, 1, "ä" * 32768).text == "ä" * 32768


def test_a_discussion_takes_no_more_comments(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discussions, "COMMENTS", 3)
    discussions.begin(world.hub, world.bob, world.repo, "Talk", "one")
    for text in ("two", "three"):
        discussions.comment(world.hub, world.eve, world.repo, 1, text)
    for who in (world.eve, world.ann):
        with pytest.raises(TooLargeError, match="3 comments and takes no more"):
            discussions.comment(world.hub, who, world.repo, 1, "four")
    with pytest.raises(TooLargeError):
        discussions.change_status(world.hub, world.bob, world.repo, 1, "closed", "four")
    discussions.change_status(world.hub, world.bob, world.repo, 1, "closed")
    assert [text for _, text in world.kinds()] == ["one", "two", "three", "closed"]


def test_a_discussion_is_not_renamed_and_reopened_for_ever(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discussions, "CHANGES", 4)
    discussions.begin(world.hub, world.bob, world.repo, "Talk", "one")
    for status in ("closed", "open", "closed", "open"):
        discussions.change_status(world.hub, world.bob, world.repo, 1, status)
    with pytest.raises(TooLargeError, match="4 times"):
        discussions.rename(world.hub, world.bob, world.repo, 1, "Other")
    discussions.change_status(world.hub, world.ann, world.repo, 1, "closed")
    with pytest.raises(TooLargeError, match="4 times"):
        discussions.change_status(world.hub, world.bob, world.repo, 1, "open")
    discussions.comment(world.hub, world.bob, world.repo, 1, "Comments are counted apart")


def test_all_text_of_a_discussion_is_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discussions, "ALL_BYTES", 20)
    discussions.begin(world.hub, world.bob, world.repo, "Talk", "ä" * 4)
    (said,) = world.hub.catalog.discussions.events(world.repo.id, 1)
    discussions.edit(world.hub, world.bob, world.repo, 1, said.id, "x" * 12)
    refused = [
        lambda: discussions.comment(world.hub, world.bob, world.repo, 1, "x"),
        lambda: discussions.edit(world.hub, world.bob, world.repo, 1, said.id, "x"),
        lambda: discussions.rename(world.hub, world.bob, world.repo, 1, "x"),
        lambda: discussions.change_status(world.hub, world.bob, world.repo, 1, "closed", "x"),
    ]
    for act in refused:
        with pytest.raises(TooLargeError, match="20 bytes of text"):
            act()
    discussions.hide(world.hub, world.bob, world.repo, 1, said.id)
    discussions.comment(world.hub, world.bob, world.repo, 1, "x" * 20)


def test_a_comment_has_so_many_versions(world: World) -> None:
    discussions.begin(world.hub, world.bob, world.repo, "Talk", "0")
    (said,) = world.hub.catalog.discussions.events(world.repo.id, 1)
    for number in range(1, discussions.VERSIONS):
        discussions.edit(world.hub, world.bob, world.repo, 1, said.id, str(number))
    with pytest.raises(TooLargeError, match="20 versions"):
        discussions.edit(world.hub, world.bob, world.repo, 1, said.id, "again")


def test_a_full_discussion_is_merged_without_a_comment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.propose({"a": "x"})
    monkeypatch.setattr(discussions, "COMMENTS", 0)
    monkeypatch.setattr(discussions, "CHANGES", 0)
    with pytest.raises(TooLargeError):
        proposals.accept(world.hub, world.ann, world.repo, 1, "Thanks")
    assert world.find().status == "open"
    assert world.accept().status == "merged"


def test_strangers_have_so_many_open(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discussions, "OPEN", 2)
    discussions.begin(world.hub, world.bob, world.repo, "Talk", "")
    proposals.begin(world.hub, world.bob, world.repo, "Draft", "")
    refused = [
        lambda: discussions.begin(world.hub, world.bob, world.repo, "Talk", ""),
        lambda: proposals.begin(world.hub, world.bob, world.repo, "Draft", ""),
        lambda: world.propose({"a": "x"}),
    ]
    for act in refused:
        with pytest.raises(TooLargeError, match="2 discussions and pull requests open"):
            act()
    discussions.change_status(world.hub, world.bob, world.repo, 2, "open")  # a draft counts already
    discussions.begin(world.hub, world.eve, world.repo, "Talk", "")
    for number in range(4, 7):
        assert discussions.begin(world.hub, world.ann, world.repo, "Talk", "").number == number
    discussions.change_status(world.hub, world.bob, world.repo, 1, "closed")
    assert world.propose({"a": "x"}).number == 7
    with pytest.raises(TooLargeError):
        discussions.change_status(world.hub, world.bob, world.repo, 1, "open")
    discussions.change_status(world.hub, world.ann, world.repo, 1, "open")
