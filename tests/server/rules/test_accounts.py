"""Users, organisations and tokens: made, limited, taken back, and what is left of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tars_hub.server.errors import ConflictError, ForbiddenError, HubError, NotFoundError, UnauthorizedError
from tars_hub.server.hub import Hub
from tars_hub.server.records import Caller
from tars_hub.server.rules import discussions, repositories
from tars_hub.server.rules.accounts import add_organisation, add_user, find_person, remove_user
from tars_hub.server.rules.tokens import (
    Wish,
    add_first,
    begin_session,
    caller_of,
    caller_of_session,
    create_own_token,
    create_token,
    ending,
    revoke,
    revoke_any,
)


@pytest.fixture
def ann(hub: Hub) -> Caller:
    add_user(hub, "ann")
    add_user(hub, "bob")
    return caller_of(hub, create_token(hub, "ann", role="write"))


def make(hub: Hub, caller: Caller, name: str, namespace: str = "") -> None:
    repositories.create(hub, caller, namespace=namespace, name=name, private=True)


class TestNames:
    @pytest.mark.usefixtures("ann")
    def test_users_and_organisations_share_them(self, hub: Hub) -> None:
        add_organisation(hub, "lab", {"ann": "admin"})
        for taken in ("LAB", "Ann"):
            with pytest.raises(ConflictError, match="already"):
                add_user(hub, taken)
            with pytest.raises(ConflictError, match="already"):
                add_organisation(hub, taken, {})

    @pytest.mark.parametrize("member", ["nobody", "lab"])
    @pytest.mark.usefixtures("ann")
    def test_an_organisation_with_a_wrong_member_is_not_made(self, hub: Hub, member: str) -> None:
        add_organisation(hub, "lab", {})
        with pytest.raises(NotFoundError):
            add_organisation(hub, "team", {"ann": "admin", member: "read"})
        assert hub.catalog.accounts.user("team") is None

    def test_what_somebody_wrote_is_not_a_newcomer_s(self, hub: Hub, ann: Caller) -> None:
        """A comment may be edited by whoever bears its author's name."""
        make(hub, ann, "m")
        repositories.change_settings(hub, ann, "ann/m", private=False)
        repo = hub.catalog.repositories.find("ann/m")
        assert repo
        bob = caller_of(hub, create_token(hub, "bob", role="write"))
        discussions.begin(hub, bob, repo, "A question", "mine")
        remove_user(hub, find_person(hub, "bob"), with_models=False)
        for name in ("bob", "BOB"):
            with pytest.raises(ConflictError, match="--returning"):
                add_user(hub, name)
        assert add_user(hub, "bob", returning=True).name == "bob"

    @pytest.mark.usefixtures("ann")
    def test_who_wrote_nothing_leaves_the_name_free(self, hub: Hub) -> None:
        remove_user(hub, find_person(hub, "bob"), with_models=False)
        assert add_user(hub, "Bob").name == "Bob"


class TestRemoval:
    def test_models_stand_in_the_way_unless_they_go_too(self, hub: Hub, ann: Caller) -> None:
        for number in range(7):
            make(hub, ann, f"m{number}")
        with pytest.raises(HubError, match=r"ann owns ann/m0, .*ann/m4 and 2 more; .*--with-models"):
            remove_user(hub, find_person(hub, "ann"), with_models=False)
        assert hub.catalog.accounts.user("ann")
        assert remove_user(hub, find_person(hub, "ann"), with_models=True) == 7
        assert hub.catalog.repositories.find("ann/m0") is None
        assert hub.catalog.accounts.user("ann") is None

    def test_one_that_comes_meanwhile_is_seen(self, hub: Hub, ann: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
        search = hub.catalog.repositories.search

        def late(*wanted: Any) -> Any:
            found = search(*wanted)
            monkeypatch.undo()
            make(hub, ann, "late")
            return found

        make(hub, ann, "early")
        monkeypatch.setattr(hub.catalog.repositories, "search", late)
        assert remove_user(hub, find_person(hub, "ann"), with_models=True) == 2

    @pytest.mark.usefixtures("ann")
    def test_whose_token_and_session_it_was_is_nobody(self, hub: Hub) -> None:
        token = create_token(hub, "bob", role="write")
        session = begin_session(hub, token)[0]
        remove_user(hub, find_person(hub, "bob"), with_models=False)
        with pytest.raises(UnauthorizedError):
            caller_of(hub, token)
        assert caller_of_session(hub, session) == Caller()


class TestTokens:
    def test_none_is_mightier_than_the_one_it_is_made_with(self, hub: Hub, ann: Caller) -> None:
        make(hub, ann, "m")

        def own(wish: Wish, caller: Caller = ann) -> Caller:
            return caller_of(hub, create_own_token(hub, caller, wish))

        reading, scoped = own(Wish(role="read")), own(Wish(role="write", repositories=["ann/m"]))
        ends = own(Wish(role="write", days=3))
        for weak in (reading, scoped):
            with pytest.raises(ForbiddenError, match="may write, and is for all"):
                own(Wish(role="read"), weak)
        for days in (None, 4):
            with pytest.raises(ForbiddenError, match="outlast"):
                own(Wish(role="read", days=days), ends)
        assert own(Wish(role="read", days=2), ends).token
        with pytest.raises(UnauthorizedError):
            own(Wish(), Caller())

    def test_none_is_for_what_one_may_not_read(self, hub: Hub, ann: Caller) -> None:
        make(hub, ann, "m")
        bob = caller_of(hub, create_token(hub, "bob", role="write"))
        with pytest.raises(NotFoundError, match="ann/m"):
            create_own_token(hub, bob, Wish(role="write", repositories=["ann/m"]))

    @pytest.mark.parametrize("days", [0, -1, 36_501])
    def test_days_within_bounds(self, days: int) -> None:
        with pytest.raises(HubError, match="36,500"):
            ending(days)

    @pytest.mark.usefixtures("ann")
    def test_one_that_has_ended_is_no_token(self, hub: Hub) -> None:
        past = datetime.now(timezone.utc) - timedelta(seconds=1)
        text = create_token(hub, "ann", role="write", expires_at=past)
        for ask in (caller_of, begin_session):
            with pytest.raises(UnauthorizedError):
                ask(hub, text)

    def test_a_session_ends_with_its_token(self, hub: Hub, ann: Caller) -> None:
        text = create_token(hub, "ann", role="write", expires_at=ending(2))
        session, ends = begin_session(hub, text)
        found = caller_of_session(hub, session)
        assert found.token
        assert ends == found.token.expires_at
        revoke(hub, ann, found.token.id)
        assert caller_of_session(hub, session) == Caller()

    def test_each_takes_back_their_own(self, hub: Hub, ann: Caller) -> None:
        bob = caller_of(hub, create_token(hub, "bob", role="write"))
        assert ann.token
        takes: list[Callable[[], object]] = [lambda: revoke(hub, bob, ann.token.id), lambda: revoke(hub, ann, 999)]  # type: ignore[union-attr]
        for take in takes:
            with pytest.raises(NotFoundError, match="you have no token"):
                take()
        assert revoke_any(hub, ann.token.id).user == ann.user
        with pytest.raises(NotFoundError, match="no token"):
            revoke_any(hub, ann.token.id)

    def test_the_first_is_no_organisation_s(self, hub: Hub) -> None:
        add_organisation(hub, "lab", {})
        with pytest.raises(ConflictError, match="organisation"):
            add_first(hub, "LAB", "hf_x")
        assert not hub.catalog.accounts.has_tokens()
