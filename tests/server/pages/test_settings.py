"""A repository's settings, what visitors do to it, and organisations' members, in the browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tars_hub.server.records import Repo
from tests.server.pages.visiting import Visit, visit
from tests.server.running import Site, site


@pytest.fixture
def running() -> Iterator[Site]:
    with site() as found:
        found.add("ann", "bob", "eve")
        found.create("ann/model", "ann", private=True)
        found.put("ann/model", "ann", {"README.md": b"# hello"})
        yield found


@pytest.fixture
def ann(running: Site) -> Visit:
    return visit(running, "ann")


def repo(running: Site, name: str = "ann/model") -> Repo:
    found = running.hub.catalog.repositories.find(name)
    assert found is not None
    return found


@pytest.mark.parametrize("gate", ["off", "auto", "manual"])
@pytest.mark.parametrize("visibility", ["public", "private"])
def test_who_may_see_it(ann: Visit, visibility: str, gate: str) -> None:
    answer = ann.post("/ann/model/settings/visibility", {"visibility": visibility, "gated": gate})
    assert answer.headers["Location"] == "/ann/model/settings"
    now = repo(ann.site)
    assert (now.private, now.gated) == (visibility == "private", gate.replace("off", ""))
    page = ann.get("/ann/model/settings").text
    assert f'value="{visibility}" required checked' in page
    assert f'value="{gate}" selected' in page


@pytest.mark.parametrize(
    ("form", "fields", "status", "said"),
    [
        ("visibility", {"visibility": "none", "gated": "off"}, 400, "visibility is one of"),
        ("visibility", {"visibility": "public"}, 400, "gated is one of"),
        ("move", {"namespace": "bob", "name": "model"}, 403, "may not make repositories in"),
        ("move", {"namespace": "ann", "name": "../x"}, 422, "cannot name a repository"),
        ("move", {"namespace": "ann", "name": "taken"}, 409, "already exists"),
        ("access", {"user": "bob", "answer": "accept"}, 400, "is not gated"),
        ("access", {"user": "bob", "answer": "maybe"}, 400, "answer is one of"),
        ("delete", {"confirm": "ann/other"}, 400, "type ann/model to delete it"),
        ("delete", {}, 400, "type ann/model to delete it"),
    ],
)
def test_what_is_refused_says_why(ann: Visit, form: str, fields: dict[str, str], status: int, said: str) -> None:
    ann.site.create("ann/taken", "ann")
    before = repo(ann.site)
    answer = ann.post(f"/ann/model/settings/{form}", fields)
    assert (answer.status_code, said in answer.text) == (status, True), answer.text
    assert repo(ann.site) == before


def test_another_name(ann: Visit) -> None:
    answer = ann.post("/ann/model/settings/move", {"namespace": "ann", "name": "better"})
    assert answer.headers["Location"] == "/ann/better/settings"
    assert repo(ann.site).full_name == "ann/better"
    old = ann.post("/ann/model/settings/delete", {"confirm": "ann/model"})
    assert old.status_code == 400, "its old name is not enough to lose it by"


def test_its_end(ann: Visit) -> None:
    assert ann.post("/ann/model/settings/delete", {"confirm": " ann/model "}).headers["Location"] == "/ann"
    assert ann.site.hub.catalog.repositories.find("ann/model") is None


class TestAccess:
    """Who asks for a gated model's files gets them, at once or when the owner says so."""

    def ask(self, running: Site, gate: str) -> Visit:
        visit(running, "ann").post("/ann/model/settings/visibility", {"visibility": "public", "gated": gate})
        bob = visit(running, "bob")
        assert running.get("/ann/model/resolve/main/README.md", "bob").status_code == 403
        assert bob.post("/ann/model/ask-access").headers["Location"] == "/ann/model"
        return bob

    def status(self, running: Site) -> int:
        return running.get("/ann/model/resolve/main/README.md", "bob").status_code

    def test_at_once(self, running: Site) -> None:
        self.ask(running, "auto")
        assert self.status(running) == 200

    def test_when_the_owner_says_so(self, running: Site) -> None:
        self.ask(running, "manual")
        assert self.status(running) == 403
        ann = visit(running, "ann")
        assert "bob</a> asks" in ann.get("/ann/model/settings").text
        ann.post("/ann/model/settings/access", {"user": "bob", "answer": "accept"})
        assert self.status(running) == 200
        page = ann.get("/ann/model/settings").text
        assert "Nobody waits" in page
        assert "Shut out bob" in page
        ann.post("/ann/model/settings/access", {"user": "bob", "answer": "reject"})
        assert self.status(running) == 403

    def test_nobody_answers_for_the_owner(self, running: Site) -> None:
        bob = self.ask(running, "manual")
        assert bob.post("/ann/model/settings/access", {"user": "bob", "answer": "accept"}).status_code == 403
        assert self.status(running) == 403

    def test_what_is_not_gated_needs_no_asking(self, running: Site) -> None:
        visit(running, "ann").post("/ann/model/settings/visibility", {"visibility": "public", "gated": "off"})
        assert visit(running, "bob").post("/ann/model/ask-access").status_code == 400


def test_a_like_and_its_end(ann: Visit) -> None:
    assert ann.post("/ann/model/like").headers["Location"] == "/ann/model"
    assert repo(ann.site).likes == 1
    ann.post("/ann/model/like")
    assert repo(ann.site).likes == 0


@pytest.mark.parametrize("who", ["bob", "bob:read"])
def test_what_is_private_is_not_there(running: Site, who: str) -> None:
    visitor = visit(running, who)
    for form in ("like", "ask-access", "settings/visibility", "settings/move", "settings/access", "settings/delete"):
        answers = [visitor.post(f"/ann/{name}/{form}", {"confirm": "x"}) for name in ("model", "none")]
        assert [each.status_code for each in answers] == [404, 404]
        texts = {each.text.replace(f"ann/{name}", "") for each, name in zip(answers, ("model", "none"), strict=True)}
        assert len(texts) == 1


def test_new(ann: Visit) -> None:
    page = ann.get("/new").text
    assert "<option>ann</option>" in page
    answer = ann.post("/new", {"namespace": "ann", "name": "fresh", "visibility": "public"})
    assert answer.headers["Location"] == "/ann/fresh"
    assert not repo(ann.site, "ann/fresh").private
    for fields, status in (
        ({"name": "fresh"}, 409),
        ({"name": "../x"}, 422),
        ({"name": "x", "namespace": "bob"}, 403),
        ({"name": "x", "visibility": "none"}, 400),
        ({"name": "x", "namespace": "nobody"}, 403),
    ):
        refused = ann.post("/new", {"namespace": "ann", "visibility": "public"} | fields)
        assert (refused.status_code, 'role="alert"' in refused.text) == (status, True)
        assert f'value="{fields["name"]}"' in refused.text, "what was typed stays"
    assert ann.site.hub.catalog.repositories.find("bob/x") is None


class TestMembers:
    """Admins of an organisation say who is in it."""

    @pytest.fixture(autouse=True)
    def _team(self, running: Site) -> None:
        accounts = running.hub.catalog.accounts
        team = accounts.add_user("Team", organisation=True)
        for name, role in (("ann", "admin"), ("bob", "write")):
            user = accounts.user(name)
            assert user is not None
            accounts.set_member(team.id, user.id, role)  # type: ignore[arg-type]

    def roles(self, running: Site) -> dict[str, str]:
        accounts = running.hub.catalog.accounts
        team = accounts.user("team")
        assert team is not None
        return {each.user.name: each.role for each in accounts.members(team.id)}

    def test_come_change_and_go(self, ann: Visit) -> None:
        assert "bob" in ann.get("/settings/members/team").text
        for role, now in (("admin", "admin"), ("read", "read"), ("none", None)):
            answer = ann.post("/settings/members/team", {"user": "Eve", "role": role})
            assert answer.headers["Location"] == "/settings/members/Team"
            assert self.roles(ann.site).get("eve") == now

    def test_a_member_makes_models_there(self, running: Site) -> None:
        bob = visit(running, "bob")
        assert "<option>Team</option>" in bob.get("/new").text
        answer = bob.post("/new", {"namespace": "Team", "name": "model", "visibility": "private"})
        assert answer.headers["Location"] == "/Team/model"

    @pytest.mark.parametrize("who", ["bob", "eve", "ann:read"])
    def test_nobody_else_says_so(self, running: Site, who: str) -> None:
        before = self.roles(running)
        visitor = visit(running, who)
        status = 403 if who == "ann:read" else 404
        assert visitor.get("/settings/members/team").status_code == status
        for name in ("eve", "bob", "ann"):
            answer = visitor.post("/settings/members/team", {"user": name, "role": "admin"})
            assert answer.status_code == status
        assert self.roles(running) == before
        assert visitor.get("/settings/members/none").status_code == status

    @pytest.mark.parametrize("role", ["read", "write", "none"])
    def test_one_admin_stays(self, ann: Visit, role: str) -> None:
        answer = ann.post("/settings/members/team", {"user": "ann", "role": role})
        assert (answer.status_code, "only admin" in answer.text) == (409, True)
        ann.post("/settings/members/team", {"user": "bob", "role": "admin"})
        assert ann.post("/settings/members/team", {"user": "ann", "role": role}).headers["Location"] == "/Team"
        assert ann.get("/settings/members/team").status_code == 404

    @pytest.mark.parametrize(
        ("user", "role", "status"), [("none", "read", 404), ("Team", "read", 404), ("", "read", 404), ("eve", "x", 400)]
    )
    def test_what_cannot_be(self, ann: Visit, user: str, role: str, status: int) -> None:
        answer = ann.post("/settings/members/team", {"user": user, "role": role})
        assert (answer.status_code, 'role="alert"' in answer.text) == (status, True)


def test_an_organisation_s_name_in_letters_that_no_header_takes(ann: Visit) -> None:
    """The sign of kelvin is a k in lower case."""
    accounts = ann.site.hub.catalog.accounts
    team, user = accounts.add_user("kin", organisation=True), accounts.user("ann")
    assert user is not None
    accounts.set_member(team.id, user.id, "admin")
    answer = ann.post("/settings/members/%E2%84%AAin", {"user": "bob", "role": "read"})
    assert (answer.status_code, answer.headers.get("Location")) == (303, "/settings/members/kin")


def test_who_may_only_read_sees_no_buttons(running: Site) -> None:
    """Neither with a token for reading, nor where it is somebody else's."""
    running.ask("PUT", "/api/models/ann/model/settings", "ann", json={"visibility": "public"})
    words = ["/ann/model/like", "/ann/model/settings", "/ann/model/upload/", "/ann/model/delete/"]
    for who, seen in (("ann", words), ("ann:read", []), ("bob", words[:1]), ("bob:read", []), ("", [])):
        visitor = visit(running, who)
        pages = "".join(visitor.get(f"/ann/model{path}").text for path in ("", "/tree/main", "/blob/main/README.md"))
        assert [word for word in words if word in pages] == seen, who


def test_admins_find_the_members_page(running: Site) -> None:
    accounts = running.hub.catalog.accounts
    team = accounts.add_user("crew", organisation=True)
    ann, bob = accounts.user("ann"), accounts.user("bob")
    assert ann is not None
    assert bob is not None
    accounts.set_member(team.id, ann.id, "admin")
    accounts.set_member(team.id, bob.id, "write")
    assert 'href="/settings/members/crew"' in visit(running, "ann").get("/crew").text
    assert "/settings/members" not in visit(running, "bob").get("/crew").text
