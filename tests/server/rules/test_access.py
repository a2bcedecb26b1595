"""The one rule, as a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tars_hub.server.app import create_app
from tars_hub.server.records import Gated
from tars_hub.server.rules.access import Action, permits
from tars_hub.server.table import table
from tests.server.running import Site, site

WHO = ["owner", "owner:read", "other", "other:read", "", "no-such-token"]
STATES = ["private", "public", "gated"]
ALL = set(Action)
READS = {Action.READ, Action.DOWNLOAD}
MAY = {
    ("owner", "private"): ALL,
    ("owner", "public"): ALL,
    ("owner", "gated"): ALL,
    ("owner:read", "private"): READS,
    ("owner:read", "public"): READS,
    ("owner:read", "gated"): READS,
    ("other", "private"): set[Action](),
    ("other", "public"): READS | {Action.PROPOSE},
    ("other", "gated"): {Action.READ},
    ("other:read", "private"): set[Action](),
    ("other:read", "public"): READS,
    ("other:read", "gated"): {Action.READ},
    ("", "private"): set[Action](),
    ("", "public"): READS,
    ("", "gated"): {Action.READ},
}
# What each address takes, by method and the part of its path behind the repository; {r} is a revision.
NEEDS: dict[tuple[str, str], Action] = {
    ("GET", ""): Action.READ,
    ("GET", "/revision/{r}"): Action.READ,
    ("GET", "/refs"): Action.READ,
    ("GET", "/commits/{r}"): Action.READ,
    ("GET", "/tree/{r}"): Action.READ,
    ("GET", "/tree/{r}/{p}"): Action.READ,
    ("POST", "/paths-info/{r}"): Action.READ,
    ("GET", "/auth-check"): Action.DOWNLOAD,
    ("GET", "/auth-check/write"): Action.WRITE,
    ("PUT", "/settings"): Action.ADMINISTER,
    ("POST", "/preupload/{r}"): Action.WRITE,
    ("POST", "/commit/{r}"): Action.WRITE,
    ("POST", "/branch/{n}"): Action.WRITE,
    ("DELETE", "/branch/{n}"): Action.WRITE,
    ("POST", "/tag/{r}"): Action.WRITE,
    ("DELETE", "/tag/{n}"): Action.WRITE,
    ("POST", "/super-squash/{r}"): Action.WRITE,
    ("GET", "/xet-read-token/{r}"): Action.DOWNLOAD,
    ("GET", "/xet-write-token/{r}"): Action.WRITE,
}
# Addresses that are written otherwise, with what is asked for.
OTHER: list[tuple[str, str, dict[str, Any], Action]] = [
    ("GET", "/{repo}/resolve/main/README.md", {}, Action.DOWNLOAD),
    ("HEAD", "/{repo}/resolve/main/README.md", {}, Action.DOWNLOAD),
    ("GET", "/models/{repo}/resolve/main/README.md", {}, Action.DOWNLOAD),
    ("GET", "/{repo}", {}, Action.READ),
    ("GET", "/{repo}/tree/main", {}, Action.READ),
    ("GET", "/{repo}/commit/main", {}, Action.READ),
    ("POST", "/{repo}.git/info/lfs/objects/batch", {"json": {"operation": "upload", "objects": []}}, Action.PROPOSE),
    ("POST", "/api/lfs/verify/{repo}", {"json": {"oid": "0" * 64, "size": 1}}, Action.PROPOSE),
    ("POST", "/api/models/{repo}/preupload/main?create_pr=1", {"json": {"files": []}}, Action.PROPOSE),
    ("GET", "/api/models/{repo}/xet-write-token/None", {}, Action.PROPOSE),
    ("GET", "/api/models/{repo}/xet-write-token/main?create_pr=1", {}, Action.PROPOSE),
]
BODIES: dict[str, dict[str, Any]] = {
    "/paths-info/{r}": {"data": {"paths": "README.md"}},
    "/preupload/{r}": {"json": {"files": []}},
    "/tag/{r}": {"json": {"tag": "new"}},
    "/settings": {"json": {}},
}


def _addresses() -> list[tuple[str, str, dict[str, Any], Action]]:
    found = []
    for (method, rest), action in NEEDS.items():
        path = rest.replace("{r}", "main").replace("{p}", "folder").replace("{n}", "side")
        found.append((method, "/api/models/{repo}" + path, BODIES.get(rest, {}), action))
    return [*found, *OTHER]


@pytest.mark.parametrize(("who", "state"), MAY)
def test_the_rule(running: Site, who: str, state: str) -> None:
    repo = running.hub.catalog.repositories.find(f"owner/{state}")
    assert repo is not None
    caller = running.caller(who) if who else running.caller("other").__class__()
    assert {action for action in Action if permits(caller, repo, action)} == MAY[who, state]


@pytest.fixture(scope="module")
def running() -> Iterator[Site]:
    with site() as found:
        found.add("owner", "other")
        for state in STATES:
            repo = found.create(f"owner/{state}", "owner", private=state == "private", gated=state == "gated")
            found.put(repo, "owner", {"README.md": b"# hello", "folder/x": b"y"})
        yield found


def _shown(answer: Any, repo: str) -> tuple[int, str, dict[str, str]]:
    headers = {key: value for key, value in answer.headers.items() if key not in ("date", "content-length")}
    name = repo.partition("/")[2]
    plain = {key: value.replace(name, "NAME") for key, value in headers.items()}
    return answer.status_code, answer.text.replace(name, "NAME"), plain


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize(("method", "path", "options", "action"), _addresses())
def test_every_address_asks_the_rule(
    running: Site, method: str, path: str, options: dict[str, Any], action: Action, who: str
) -> None:
    missing = running.ask(method, path.format(repo="owner/missing"), who, **options)
    for state in STATES:
        answer = running.ask(method, path.format(repo=f"owner/{state}"), who, **options)
        may = MAY.get((who, state), set())
        if who == "no-such-token":
            assert (answer.status_code, missing.status_code) == (401, 401)
            assert answer.headers["X-Error-Message"] == "Invalid credentials in Authorization header"
            assert "X-Error-Code" not in answer.headers  # the client would take it for a missing repository
            assert method == "HEAD" or answer.json()["error"] == "Invalid credentials in Authorization header"
        elif Action.READ not in may:
            assert answer.headers["X-Error-Code"] == "RepoNotFound"
            assert _shown(answer, f"owner/{state}") == _shown(missing, "owner/missing")
        elif action in may:
            assert answer.status_code not in (401, 403), answer.text
            assert answer.headers.get("X-Error-Code") not in ("RepoNotFound", "GatedRepo"), answer.text
        elif state == "gated" and action in (Action.DOWNLOAD, Action.PROPOSE):
            assert (answer.status_code, answer.headers["X-Error-Code"]) == (403, "GatedRepo")
        else:
            assert answer.status_code == (403 if who else 401), answer.text
            assert "X-Error-Code" not in answer.headers
    if who != "no-such-token":
        assert (missing.status_code, missing.headers["X-Error-Code"]) == (404, "RepoNotFound")


def test_no_address_is_forgotten(running: Site) -> None:
    """A route that names a repository and is missing above would go unasked."""
    create_app(running.hub)
    known = {(method, "/api/models/{namespace}/{name}" + _plain(rest)) for method, rest in NEEDS}
    known |= {
        ("GET", "/{namespace}/{name}/resolve/{}/{}"),
        ("GET", "/models/{namespace}/{name}/resolve/{}/{}"),
        ("GET", "/{namespace}/{name}"),
        ("GET", "/{namespace}/{name}/tree/{}"),
        ("GET", "/{namespace}/{name}/commit/{}"),
        ("POST", "/{namespace}/{name}.git/info/lfs/objects/batch"),
        ("POST", "/api/lfs/verify/{namespace}/{name}"),
    }
    for route in table():
        path = route.path  # type: ignore[attr-defined]
        if "{namespace}" in path and "discussions" not in path:  # those have tests of their own
            for method in route.methods - {"HEAD"}:  # type: ignore[attr-defined]
                assert (method, _plain(path)) in known, f"{method} {path} is in no test of permissions"


def _plain(path: str) -> str:
    parts = path.split("/")
    fixed = ("{namespace}", "{name}", "{name}.git")
    return "/".join("{}" if part.startswith("{") and part not in fixed else part for part in parts)


class TestRepositoriesByName:
    """Those whose address does not name them, but their body does."""

    @pytest.mark.parametrize("who", ["owner:read", "other", "other:read", ""])
    def test_delete(self, running: Site, who: str) -> None:
        def delete(name: str) -> Any:
            return running.ask("DELETE", "/api/repos/delete", who, json={"name": f"owner/{name}"})

        if who == "owner:read":
            assert delete("private").status_code == 403
        else:
            assert _shown(delete("private"), "owner/private") == _shown(delete("missing"), "owner/missing")
        assert delete("public").status_code == (403 if who else 401)
        assert running.get("/api/models/owner/public").status_code == 200

    @pytest.mark.parametrize("who", ["owner:read", "other", "other:read", ""])
    def test_move(self, running: Site, who: str) -> None:
        target = "other/taken" if who.startswith("other") else "owner/new"

        def move(name: str) -> Any:
            wanted = {"fromRepo": f"owner/{name}", "toRepo": target}
            return running.ask("POST", "/api/repos/move", who, json=wanted)

        assert move("public").status_code == (403 if who else 401)
        if who != "owner:read":
            assert _shown(move("private"), "owner/private") == _shown(move("missing"), "owner/missing")

    def test_nobody_moves_into_a_namespace_of_another(self, running: Site) -> None:
        wanted = {"fromRepo": "owner/public", "toRepo": "other/mine"}
        assert running.ask("POST", "/api/repos/move", "owner", json=wanted).status_code == 403

    @pytest.mark.parametrize(("who", "status"), [("owner:read", 403), ("", 401), ("other", 403), ("nobody", 401)])
    def test_create(self, running: Site, who: str, status: int) -> None:
        wanted = {"name": "fresh", "organization": "owner"}
        assert running.ask("POST", "/api/repos/create", who, json=wanted).status_code == status
        wanted = {"name": "private", "organization": "owner"}  # the answer does not say that it is there
        assert running.ask("POST", "/api/repos/create", who, json=wanted).status_code == status

    @pytest.mark.parametrize("who", WHO[:-1])
    def test_lists_show_what_may_be_read(self, running: Site, who: str) -> None:
        shown = {each["id"] for each in running.get("/api/models?full=true", who).json()}
        assert shown == {f"owner/{state}" for state in STATES if Action.READ in MAY[who, state]}
        page = running.get("/", who).text
        assert {f"owner/{state}" for state in STATES if f"owner/{state}" in page} == shown
        for hidden in ("?search=private", "?author=owner&search=private", "?sort=createdAt&direction=1"):
            found = {each["id"] for each in running.get(f"/api/models{hidden}", who).json()}
            assert found <= shown

    def test_own_repositories(self, running: Site) -> None:
        assert running.get("/api/settings/repositories").status_code == 401
        assert running.get("/api/settings/repositories", "other").json() == []
        assert len(running.get("/api/settings/repositories", "owner:read").json()) == 3


@pytest.mark.parametrize("gate", ["auto", "manual"])
def test_both_gates_are_closed(running: Site, gate: Gated) -> None:
    running.ask("PUT", "/api/models/owner/gated/settings", "owner", json={"gated": gate})
    answer = running.get("/owner/gated/resolve/main/README.md", "other")
    assert (answer.status_code, answer.headers["X-Error-Code"]) == (403, "GatedRepo")


def test_a_gated_page_shows_no_files(running: Site) -> None:
    assert "hello" not in running.get("/owner/gated", "other").text
    assert "hello" in running.get("/owner/gated", "owner").text
