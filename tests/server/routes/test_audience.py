"""Likes, access to gated models, users and organisations, as the stock client asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import BadRequestError, GatedRepoError, HfHubHTTPError

from tars_hub.server.rules.accounts import add_organisation
from tests.server.running import Site, done, site


@pytest.fixture(scope="module")
def running() -> Iterator[Site]:
    with site() as found:
        found.add("ann", "bob", "carl")
        add_organisation(found.hub, "lab", {"ann": "admin", "bob": "read"})
        yield found


def api(running: Site, who: str) -> HfApi:
    return HfApi(endpoint=running.url, token=running.tokens[who] if who else False)


class TestLikes:
    def test_liked_listed_and_taken_back(self, running: Site) -> None:
        for name in ("liked", "left"):
            running.create(f"ann/{name}", "ann")
        for who in ("bob", "ann", "bob"):
            done(running.ask("POST", "/api/models/ann/liked/like", who))
        bob = api(running, "bob")
        assert [user.username for user in bob.list_repo_likers("ann/liked")] == ["ann", "bob"]
        assert (bob.model_info("ann/liked").likes, bob.model_info("ann/left").likes) == (2, 0)
        mine = bob.list_liked_repos()
        assert (mine.user, mine.total, mine.models, mine.datasets) == ("bob", 1, ["ann/liked"], [])
        assert next(model.id for model in bob.list_models(author="ann", sort="likes")) == "ann/liked"
        assert bob.get_user_overview("bob").num_likes == 1
        bob.unlike("ann/liked")
        bob.unlike("ann/liked")
        assert bob.list_liked_repos().total == 0
        assert bob.model_info("ann/liked").likes == 1

    def test_pages(self, running: Site) -> None:
        running.create("carl/known", "carl")
        for who in ("ann", "bob", "carl"):
            done(running.ask("POST", "/api/models/carl/known/like", who))
        answer = done(running.get("/api/models/carl/known/likers?limit=2"))
        assert [each["user"] for each in answer.json()] == ["ann", "bob"]
        more = done(running.get(answer.links["next"]["url"]))
        assert ([each["user"] for each in more.json()], "Link" in more.headers) == (["carl"], False)

    def test_a_removed_user_likes_nothing(self, running: Site) -> None:
        running.add("gone")
        running.create("carl/kept", "carl")
        done(running.ask("POST", "/api/models/carl/kept/like", "gone"))
        user = running.hub.catalog.accounts.user("gone")
        assert user
        assert running.hub.catalog.accounts.remove_user(user.id)
        assert running.get("/api/models/carl/kept/likers").json() == []
        assert api(running, "").model_info("carl/kept").likes == 0


class TestAccess:
    @pytest.fixture
    def gated(self, running: Site, request: pytest.FixtureRequest) -> str:
        name = f"ann/{request.node.name[:60].replace('_', '-')}"
        running.create(name, "ann", gated=True)
        running.put(name, "ann", {"config.json": b"{}"})
        done(running.ask("PUT", f"/api/models/{name}/settings", "ann", json={"gated": "manual"}))
        return name

    def test_asked_for_accepted_and_cancelled(self, running: Site, gated: str) -> None:
        ann, bob = api(running, "ann"), api(running, "bob")
        assert done(running.ask("POST", f"/api/models/{gated}/ask-access", "bob")).json() == {"status": "pending"}
        (waiting,) = ann.list_pending_access_requests(gated)
        assert (waiting.username, waiting.status, waiting.timestamp.tzinfo is not None) == ("bob", "pending", True)
        with pytest.raises(GatedRepoError):
            bob.auth_check(gated)
        ann.accept_access_request(gated, "bob")
        bob.auth_check(gated)
        assert running.get(f"/{gated}/resolve/main/config.json", "bob").content == b"{}"
        assert [each.username for each in ann.list_accepted_access_requests(gated)] == ["bob"]
        ann.cancel_access_request(gated, "bob")
        with pytest.raises(GatedRepoError):
            bob.auth_check(gated)
        ann.accept_access_request(gated, request_id=waiting.request_id)
        bob.auth_check(gated)
        ann.reject_access_request(gated, "bob", rejection_reason=None)
        assert [each.username for each in ann.list_rejected_access_requests(gated)] == ["bob"]
        assert done(running.ask("POST", f"/api/models/{gated}/ask-access", "bob")).json() == {"status": "rejected"}

    def test_granted_unasked_and_not_twice(self, running: Site, gated: str) -> None:
        ann = api(running, "ann")
        ann.grant_access(gated, "bob")
        api(running, "bob").auth_check(gated)
        for name in ("bob", "ann"):
            with pytest.raises(BadRequestError, match="has access"):
                ann.grant_access(gated, name)

    def test_an_open_gate_lets_everybody_in_who_asks(self, running: Site, gated: str) -> None:
        done(running.ask("POST", f"/api/models/{gated}/ask-access", "bob"))
        done(running.ask("PUT", f"/api/models/{gated}/settings", "ann", json={"gated": "auto"}))
        with pytest.raises(GatedRepoError):
            api(running, "carl").auth_check(gated)
        for who in ("bob", "carl", "carl"):
            assert done(running.ask("POST", f"/api/models/{gated}/ask-access", who)).json() == {"status": "accepted"}
            api(running, who).auth_check(gated)

    def test_mistakes(self, running: Site, gated: str) -> None:
        ann = api(running, "ann")
        running.create("ann/plain" + gated[-8:], "ann")
        plain = "ann/plain" + gated[-8:]
        refused: tuple[Callable[[], object], ...] = (
            lambda: list(ann.list_pending_access_requests(plain)),
            lambda: ann.grant_access(plain, "bob"),
            lambda: ann.reject_access_request(gated, "bob", rejection_reason="because"),
        )
        for wrong in refused:
            with pytest.raises(BadRequestError):
                wrong()
        absent: tuple[Callable[[], object], ...] = (
            lambda: ann.accept_access_request(gated, "carl"),  # has not asked
            lambda: ann.accept_access_request(gated, "whoever"),
            lambda: ann.accept_access_request(gated, request_id="f" * 24),
            lambda: ann.accept_access_request(gated, request_id="zz"),
            lambda: ann.grant_access(gated, "whoever"),
            lambda: ann.grant_access(gated, "lab"),
        )
        for missing in absent:
            with pytest.raises(HfHubHTTPError) as caught:
                missing()
            assert caught.value.response.status_code == 404
        assert running.get(f"/api/models/{gated}/user-access-request/perhaps", "ann").status_code == 400
        assert running.ask("POST", f"/api/models/{plain}/ask-access", "bob").status_code == 400

    def test_gated_models_are_told_from_others(self, running: Site, gated: str) -> None:
        running.create("carl/ungated", "carl")
        found = api(running, "carl")
        assert gated in {model.id for model in found.list_models(gated=True)}
        assert "carl/ungated" in {model.id for model in found.list_models(gated=False)}
        assert not {model.id for model in found.list_models(gated=True)} & {
            model.id for model in found.list_models(gated=False)
        }


class TestPeople:
    def test_a_user(self, running: Site) -> None:
        found = api(running, "carl").get_user_overview("BOB")
        assert (found.username, found.fullname, found.user_type) == ("bob", "bob", "user")
        assert [org.name for org in found.orgs] == ["lab"]
        assert found.num_models == 0

    def test_an_organisation(self, running: Site) -> None:
        found = api(running, "").get_organization_overview("lab")
        assert (found.name, found.num_users) == ("lab", 2)
        members = api(running, "").list_organization_members("lab")
        assert [member.username for member in members] == ["ann", "bob"]

    @pytest.mark.parametrize("path", ["users/lab/overview", "users/nobody/likes", "organizations/bob/members"])
    def test_who_is_not_there(self, running: Site, path: str) -> None:
        assert running.get(f"/api/{path}").status_code == 404

    def test_whoami_names_organisations(self, running: Site) -> None:
        assert [(org["name"], org["roleInOrg"]) for org in api(running, "bob").whoami()["orgs"]] == [("lab", "read")]

    def test_what_an_organisation_keeps(self, running: Site) -> None:
        wanted = {"name": "kept", "organization": "lab", "visibility": "private"}
        done(running.ask("POST", "/api/repos/create", "ann", json=wanted))
        running.put_large("lab/kept", "ann", "model.bin", b"1" * 5000)
        running.put_large("lab/kept", "ann", "model.bin", b"2" * 5000)
        (found,) = api(running, "bob").list_user_repos("lab")
        assert (found.id, found.visibility) == ("lab/kept", "private")
        assert 10_000 < found.storage < 13_000  # with its history
        assert found.storage_percent == 100
        with pytest.raises(HfHubHTTPError, match="no member"):
            list(api(running, "carl").list_user_repos("lab"))
        assert running.get("/api/organizations/lab/settings/repositories").status_code == 401
