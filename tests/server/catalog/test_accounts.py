"""Users and tokens."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from tars_hub.server.catalog.interface import Catalog, TakenError


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
