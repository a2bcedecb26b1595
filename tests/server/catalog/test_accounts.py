"""Users and tokens."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from tars_hub.server.catalog.interface import Catalog, TakenError
from tars_hub.server.records import NewDiscussion, Repo


def test_a_user_is_found_in_any_case(catalog: Catalog) -> None:
    before = datetime.now(timezone.utc)
    ann = catalog.accounts.add_user("Ann")
    assert catalog.accounts.user("ANN") == catalog.accounts.user("ann") == ann
    assert (ann.name, ann.created_at.tzinfo) == ("Ann", timezone.utc)
    assert before <= ann.created_at <= datetime.now(timezone.utc)
    assert catalog.accounts.user("bob") is None


def test_a_name_is_taken_in_any_case(catalog: Catalog) -> None:
    ann = catalog.accounts.add_user("Ann")
    with pytest.raises(TakenError):
        catalog.accounts.add_user("aNN")
    assert catalog.accounts.users() == [ann]


def test_users_come_by_name(catalog: Catalog) -> None:
    assert catalog.accounts.users() == []
    for name in ("carl", "Bob", "ann"):
        catalog.accounts.add_user(name)
    assert [user.name for user in catalog.accounts.users()] == ["ann", "Bob", "carl"]


def test_a_token_is_found_by_digest_and_id(catalog: Catalog) -> None:
    ann = catalog.accounts.add_user("Ann")
    bob = catalog.accounts.add_user("Bob")
    laptop = catalog.accounts.add_token(ann, digest="d1", role="write", label="laptop")
    other = catalog.accounts.add_token(bob, digest="d2", role="read", label="")
    assert catalog.accounts.token("d1") == catalog.accounts.token_by_id(laptop.id) == laptop
    assert catalog.accounts.token("d2") == catalog.accounts.token_by_id(other.id) == other
    assert (laptop.user, laptop.role, laptop.label, other.user) == (ann, "write", "laptop", bob)
    assert laptop.created_at.tzinfo == timezone.utc
    assert catalog.accounts.token("d3") is None
    assert catalog.accounts.token_by_id(999) is None


def test_the_first_token_comes_with_its_user_and_once(catalog: Catalog) -> None:
    assert not catalog.accounts.has_tokens()
    first = catalog.accounts.add_first("Ann", digest="d1", role="write", label="first")
    assert first is not None
    assert first == catalog.accounts.token("d1")
    assert (first.user, first.user.name, first.role, first.label) == (
        catalog.accounts.user("ann"),
        "Ann",
        "write",
        "first",
    )
    assert catalog.accounts.has_tokens()
    assert catalog.accounts.add_first("bob", digest="d2", role="write", label="first") is None
    assert (catalog.accounts.user("bob"), catalog.accounts.token("d2")) == (None, None)


def test_the_first_token_of_a_user_who_is_there(catalog: Catalog) -> None:
    ann = catalog.accounts.add_user("Ann")
    assert not catalog.accounts.has_tokens()
    first = catalog.accounts.add_first("ANN", digest="d1", role="write", label="first")
    assert first is not None
    assert first.user == ann
    assert catalog.accounts.users() == [ann]


def test_identity_is_drawn_once(catalog: Catalog) -> None:
    assert len(catalog.instance) == 32
    assert int(catalog.instance, 16)
    assert len(catalog.secret) == 32
    assert catalog.secret == catalog.secret


def test_a_user_is_found_by_id(catalog: Catalog) -> None:
    ann = catalog.accounts.add_user("Ann")
    assert catalog.accounts.user_by_id(ann.id) == ann
    assert catalog.accounts.user_by_id(ann.id + 1) is None


def test_an_organisation_has_a_name_of_its_own_and_members(catalog: Catalog) -> None:
    ann, bob = catalog.accounts.add_user("Ann"), catalog.accounts.add_user("bob")
    lab = catalog.accounts.add_user("Lab", organisation=True)
    assert (lab.organisation, ann.organisation) == (True, False)
    with pytest.raises(TakenError):
        catalog.accounts.add_user("lab")
    for user, role in ((bob, "write"), (ann, "admin"), (bob, "read")):
        catalog.accounts.set_member(lab.id, user.id, role)  # type: ignore[arg-type]
    assert [(each.user, each.role) for each in catalog.accounts.members(lab.id)] == [(ann, "admin"), (bob, "read")]
    assert catalog.accounts.organisations_of(ann.id) == [lab]
    catalog.accounts.set_member(lab.id, ann.id, None)
    catalog.accounts.set_member(lab.id, ann.id, None)
    assert [each.user for each in catalog.accounts.members(lab.id)] == [bob]
    assert catalog.accounts.organisations_of(ann.id) == []


def test_a_quota_is_set_and_lifted(catalog: Catalog) -> None:
    ann = catalog.accounts.add_user("ann")
    for quota in (2**50, None):
        catalog.accounts.set_quota(ann.id, quota)
        found = catalog.accounts.user("ann")
        assert found
        assert found.quota_bytes == quota


def test_a_token_is_for_some_repositories_until_a_day(catalog: Catalog, repo: Repo) -> None:
    ann = catalog.accounts.add_user("ann")
    ends = datetime.now(timezone.utc) + timedelta(days=3)
    made = catalog.accounts.add_token(
        ann, digest="d", role="write", label="", expires_at=ends, repositories=[repo.id, repo.id]
    )
    assert catalog.accounts.token("d") == made
    assert (made.repositories, made.expires_at) == (frozenset({repo.id}), ends)
    catalog.repositories.remove(repo.id)
    found = catalog.accounts.token("d")
    assert found
    assert found.repositories == frozenset()  # for nothing any more, and not for everything


def test_a_caller_is_who_holds_a_token_or_a_session_now(catalog: Catalog, repo: Repo) -> None:
    accounts, now = catalog.accounts, datetime.now(timezone.utc)
    ann, lab = accounts.add_user("ann"), accounts.add_user("Lab", organisation=True)
    accounts.set_member(lab.id, ann.id, "write")
    catalog.audience.decide(repo.id, ann.id, "accepted")
    good = accounts.add_token(ann, digest="good", role="read", label="", expires_at=now + timedelta(hours=1))
    ended = accounts.add_token(ann, digest="ended", role="read", label="", expires_at=now - timedelta(seconds=1))
    for token, digest, hours in ((good, "s", 1), (good, "old", -1), (ended, "late", 1)):
        accounts.add_session(token.id, digest=digest, expires_at=now + timedelta(hours=hours))
    held = {digest: accounts.caller(token=digest) for digest in ("good", "ended", "x")}
    caller = held["good"]
    assert caller
    assert (caller.token, caller.roles, caller.granted) == (good, {"lab": "write"}, frozenset({repo.id}))
    assert accounts.caller(token_id=good.id) == accounts.caller(session="s") == caller
    gone = [held["ended"], held["x"], accounts.caller(token_id=ended.id)]
    gone += [accounts.caller(session=digest) for digest in ("old", "late", "x", "good")]
    assert gone == [None] * 7
    assert accounts.token("ended") == ended  # it is still there to be seen
    accounts.remove_session("s")
    assert accounts.caller(session="s") is None


def test_a_session_goes_with_its_token(catalog: Catalog) -> None:
    ann = catalog.accounts.add_user("ann")
    tokens = [catalog.accounts.add_token(ann, digest=name, role="read", label=name) for name in "ab"]
    for token in tokens:
        soon = datetime.now(timezone.utc) + timedelta(hours=1)
        catalog.accounts.add_session(token.id, digest=f"of {token.label}", expires_at=soon)
    catalog.accounts.remove_token(tokens[0].id)
    assert catalog.accounts.caller(session="of a") is None
    assert catalog.accounts.caller(session="of b")
    assert catalog.accounts.tokens(ann.id) == tokens[1:]


def test_a_token_has_so_many_sessions_at_a_time(catalog: Catalog) -> None:
    ann = catalog.accounts.add_user("ann")
    token, other = (catalog.accounts.add_token(ann, digest=name, role="read", label=name) for name in "ab")
    now = datetime.now(timezone.utc)
    catalog.accounts.add_session(other.id, digest="of another", expires_at=now + timedelta(hours=1))
    for at in range(102):
        catalog.accounts.add_session(token.id, digest=f"{at}", expires_at=now + timedelta(hours=1, seconds=at))
    there = [at for at in range(102) if catalog.accounts.caller(session=f"{at}")]
    assert there == list(range(2, 102))
    assert catalog.accounts.caller(session="of another")
    catalog.accounts.add_session(token.id, digest="ends first", expires_at=now + timedelta(minutes=1))
    assert catalog.accounts.caller(session="ends first")


def test_a_user_goes_with_all_that_is_theirs_but_repositories(catalog: Catalog, repo: Repo) -> None:
    accounts, audience = catalog.accounts, catalog.audience
    owner, bob = accounts.add_user("Ann"), accounts.add_user("bob")
    lab = accounts.add_user("lab", organisation=True)
    accounts.set_member(lab.id, bob.id, "admin")
    token = accounts.add_token(bob, digest="d", role="write", label="")
    audience.like(repo.id, bob.id, liked=True)
    audience.decide(repo.id, bob.id, "accepted")
    assert accounts.remove_user(bob.id)
    assert (accounts.user("bob"), accounts.token("d"), accounts.members(lab.id)) == (None, None, [])
    assert (audience.likers(repo.id), audience.requests(repo.id, statuses=["accepted"])) == ([], [])
    found = catalog.repositories.by_id(repo.id)
    assert found
    assert found.likes == 0
    again = accounts.add_user("bob")
    assert again.id > bob.id  # whatever still says the old id does not mean the new one
    assert accounts.add_token(again, digest="d", role="read", label="").id > token.id
    assert not accounts.remove_user(owner.id)  # "Ann" owns a repository
    assert accounts.user("ann") == owner
    catalog.repositories.remove(repo.id)
    assert accounts.remove_user(owner.id)


def test_a_name_leaves_traces(catalog: Catalog, repo: Repo) -> None:
    discussion = NewDiscussion(title="t", status="open", author="Bob")
    number = catalog.discussions.add(repo.id, discussion).number
    catalog.discussions.comment(repo.id, number, author="Carl", text="hm")
    assert repo.namespace == "Ann"
    assert [name for name in ("ann", "BOB", "carl", "dora", "an") if catalog.accounts.has_traces(name)] == [
        "ann",
        "BOB",
        "carl",
    ]
    catalog.repositories.remove(repo.id)
    assert not any(catalog.accounts.has_traces(name) for name in ("ann", "bob", "carl"))
