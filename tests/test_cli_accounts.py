"""`tars hub user`, `org` and `token`: what they print and change, beside a hub that runs too."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tars_hub.cli import main
from tars_hub.cli_accounts import size
from tars_hub.server.errors import UnauthorizedError
from tars_hub.server.hub import Hub
from tars_hub.server.rules.tokens import caller_of
from tars_hub.server.settings import Settings
from tars_hub.server.start import OWNER_TOKEN, first_owner, opened
from tests.checkout import ROOT
from tests.server.running import Site, done, site

Said = pytest.CaptureFixture[str]
Tars = Callable[..., list[str]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A hub's folder, as its first start leaves it."""
    with opened(Settings(data=tmp_path / "data")) as hub:
        assert first_owner(hub, "ann") is not None
    return tmp_path / "data"


@pytest.fixture
def tars(data: Path, capsys: Said) -> Tars:
    """Run `tars hub …`; its lines."""

    def run(*words: str) -> list[str]:
        assert main(["hub", *words, "--data", str(data)]) == 0
        said = capsys.readouterr()
        assert said.err == ""
        return said.out.splitlines()

    return run


@pytest.fixture
def running(data: Path) -> Iterator[Site]:
    """The hub of that folder, which answers meanwhile."""
    with opened(Settings(data=data), serving=True) as hub, site(hub) as found:
        found.tokens["ann"] = (data / OWNER_TOKEN).read_text().strip()
        yield found


def test_people_come_and_go_beside_a_hub_that_runs(tars: Tars, running: Site) -> None:
    assert tars("user", "add", "bob", "--quota", "2MB") == [
        "added bob; `tars hub token create bob --write` lets them push"
    ]
    (running.tokens["bob"],) = tars("token", "create", "bob", "--write")
    running.create("bob/m", "bob")
    running.put_large("bob/m", "bob", "model.bin", b"1" * 1_500_000)
    assert running.ask("POST", "/api/models/bob/m/preupload/main", "bob", json=_asked(700_000)).status_code == 413
    assert tars("user", "quota", "bob", "3MB") == ["bob keeps 1.5 MB, and may keep 3 MB"]
    done(running.ask("POST", "/api/models/bob/m/preupload/main", "bob", json=_asked(700_000)))
    assert tars("user", "list") == [
        "name  kind  models     used  quota  tokens",
        "ann   user       0  0 bytes   none       1",
        "bob   user       1   1.5 MB   3 MB       1",
    ]
    assert tars("user", "quota", "bob", "none") == ["bob keeps 1.5 MB, and may keep any amount"]
    assert tars("user", "remove", "bob", "--with-models") == ["removed bob and 1 model"]
    assert running.get("/api/whoami-v2", "bob").status_code == 401
    assert running.get("/api/models/bob/m", "ann").status_code == 404


def _asked(size_bytes: int) -> dict[str, object]:
    return {"files": [{"path": "a.bin", "sample": "", "size": size_bytes}]}


def test_readme_s_commands_work_as_printed(tars: Tars) -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("### People")[1].split("### ")[0]
    commands = section.split("```sh\n")[1].split("```")[0].splitlines()
    tars("user", "remove", "ann")  # of the fixture
    said = [tars(*command.removeprefix("tars hub ").split()) for command in commands]
    assert all(command.startswith("tars hub ") for command in commands)
    assert said[1][0].startswith("hf_")
    assert [row.split()[0] for row in said[-1]] == ["name", "ann", "lab"]
    words = {word for line in section.splitlines() for word in re.findall(r"`(?:user|org|token) [a-z]+`", line)}
    for word in words:
        with pytest.raises(SystemExit) as ended:
            main(["hub", *word.strip("`").split(), "--help"])
        assert ended.value.code == 0
    assert len(words) == 7


def test_columns_stand_below_each_other(tars: Tars) -> None:
    tars("user", "add", "a-rather-long-name")
    tars("org", "add", "lab")
    rows = tars("user", "list")
    assert len({row.index(word) for row, word in zip(rows, ("kind", "user", "user", "organisation"), strict=True)}) == 1
    assert len({len(row) for row in rows if "organisation" not in row}) == 1


def test_organisations(tars: Tars, running: Site) -> None:
    tars("user", "add", "bob")
    (running.tokens["bob"],) = tars("token", "create", "bob", "--write")
    made = tars("org", "add", "lab", "--member", "ann:admin", "--member", "bob:read", "--quota", "1GB")
    assert made == ["added lab, whose members are ann:admin, bob:read"]
    wanted = {"name": "m", "organization": "lab"}
    assert running.ask("POST", "/api/repos/create", "bob", json=wanted).status_code == 403
    assert tars("org", "member", "lab", "bob:write") == ["the members of lab are ann:admin, bob:write"]
    done(running.ask("POST", "/api/repos/create", "bob", json=wanted))
    assert tars("org", "list") == ["name  members", "lab   ann:admin, bob:write"]
    assert tars("org", "member", "lab", "bob:none") == ["the members of lab are ann:admin"]
    assert running.get("/api/models/lab/m", "bob").status_code == 404
    assert tars("user", "remove", "ann")[1:] == [
        "lab has no admin now; `tars hub org member lab USER:admin` makes one",
    ]
    assert tars("org", "remove", "lab", "--with-models") == ["removed lab and 1 model"]
    assert [row.split()[0] for row in tars("user", "list")] == ["name", "bob"]


def test_tokens(tars: Tars, running: Site) -> None:
    for name in ("m", "other"):
        running.create(f"ann/{name}", "ann", private=True)
    (text,) = tars("token", "create", "ann", "--write", "--repo", "ann/m", "--days", "30", "--label", "the laptop")
    assert [running.get(f"/api/models/ann/{name}", text).status_code for name in ("m", "other")] == [200, 404]
    rows = tars("token", "list", "ann")
    assert re.split(r" {2,}", rows[0].strip()) == ["id", "role", "for", "created", "ends", "label"]
    number, role, scope, _, ends, label = re.split(r" {2,}", rows[2].strip())
    assert (role, scope, label) == ("write", "ann/m", "the laptop")
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", ends)
    assert text not in "".join(rows)
    assert tars("token", "revoke", number) == [f"revoked token {number} of ann, the laptop"]
    assert running.get("/api/models/ann/m", text).status_code == 401
    assert len(tars("token", "list", "ann")) == 2


class TestTheOwnersToken:
    def test_it_leaves_the_disk_with_its_owner(self, tars: Tars, data: Path) -> None:
        assert tars("user", "remove", "ann") == [
            "removed ann",
            "nobody has a token now; `tars hub serve` makes a first one when it starts again",
        ]
        assert not (data / OWNER_TOKEN).exists()
        with opened(Settings(data=data)) as hub:
            text = first_owner(hub, "carl")
            assert caller_of(hub, text).name == "carl"
        assert (data / OWNER_TOKEN).read_text().strip() == text

    def test_it_leaves_the_disk_when_it_is_revoked(self, tars: Tars, data: Path) -> None:
        tars("token", "create", "ann", "--write")
        assert tars("token", "revoke", "1") == ["revoked token 1 of ann, first"]
        assert not (data / OWNER_TOKEN).exists()

    def test_what_else_is_in_its_file_stays(self, tars: Tars, data: Path) -> None:
        (data / OWNER_TOKEN).write_text("hf_something_else")
        tars("user", "remove", "ann")
        assert (data / OWNER_TOKEN).read_text() == "hf_something_else"

    def test_others_do_not_touch_it(self, tars: Tars, data: Path) -> None:
        tars("user", "add", "bob")
        tars("user", "remove", "bob")
        assert (data / OWNER_TOKEN).exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["user", "add", "bob", "--quota", "much"], "'much' is no size; 500MB"),
        (["user", "add", "bob", "--quota", "0"], "'0' is no size"),
        (["user", "quota", "ann", "-5GB"], "SIZE"),
        (["user", "quota", "nobody", "5GB"], "nobody"),
        (["user", "remove", "nobody"], "nobody"),
        (["user", "remove", "lab"], "lab is an organisation"),
        (["user", "add", "lab"], "'lab'"),
        (["org", "add", "ann"], "'ann'"),
        (["org", "add", "team", "--member", "ann"], "'ann' is no USER:read"),
        (["org", "add", "team", "--member", "ann:owner"], "USER:admin"),
        (["org", "add", "team", "--member", ":read"], "USER:read"),
        (["org", "add", "team", "--member", "ann:none"], "USER:read"),
        (["org", "add", "team", "--member", "nobody:read"], "nobody"),
        (["org", "member", "lab", "nobody:read"], "nobody"),
        (["org", "member", "lab", ":none"], "USER:read"),
        (["org", "member", "ann", "ann:read"], "no organisation 'ann'"),
        (["org", "remove", "ann"], "no organisation 'ann'"),
        (["token", "create", "lab"], "lab is an organisation"),
        (["token", "create", "ann", "--repo", "ann/nothing"], "ann/nothing"),
        (["token", "create", "ann", "--days", "0"], "whole number above 0"),
        (["token", "create", "ann", "--days", "99999"], "36,500"),
        (["token", "create", "ann", "--label", "two\nlines"], "one line"),
        (["token", "list", "lab"], "lab is an organisation"),
        (["token", "revoke", "99"], "no token 99"),
        (["token", "revoke", "all"], "no token's number"),
        (["token", "revoke", "9" * 23], "no token's number"),
        (["token", "revoke", "9" * 18], "no token 9"),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(
    data: Path, tars: Tars, capsys: Said, arguments: list[str], said: str
) -> None:
    tars("org", "add", "lab", "--member", "ann:admin")
    before = _state(data)
    assert main(["hub", *arguments, "--data", str(data)]) == 2
    found = capsys.readouterr()
    assert (found.out, found.err.count("\n")) == ("", 1)
    assert found.err.startswith("tars: ")
    assert said in found.err
    assert _state(data) == before


def _state(data: Path) -> object:
    with opened(Settings(data=data)) as hub:
        users = hub.catalog.accounts.users()
        return users, [hub.catalog.accounts.tokens(user.id) for user in users], _members(hub)


def _members(hub: Hub) -> object:
    return [hub.catalog.accounts.members(user.id) for user in hub.catalog.accounts.users()]


def test_an_owner_of_models_stays(data: Path, running: Site, capsys: Said) -> None:
    running.create("ann/m", "ann")
    assert main(["hub", "user", "remove", "ann", "--data", str(data)]) == 2
    assert "ann owns ann/m; move" in capsys.readouterr().err
    assert running.get("/api/whoami-v2", "ann").status_code == 200
    assert (data / OWNER_TOKEN).exists()
    with pytest.raises(UnauthorizedError):
        caller_of(running.hub, "hf_nobody")


def test_a_name_that_was_removed(data: Path, tars: Tars, running: Site, capsys: Said) -> None:
    tars("user", "add", "bob")
    (running.tokens["bob"],) = tars("token", "create", "bob", "--write")
    running.create("ann/m", "ann")
    done(running.ask("POST", "/api/models/ann/m/discussions", "bob", json={"title": "Hm", "description": "?"}))
    tars("user", "remove", "bob")
    assert main(["hub", "user", "add", "bob", "--data", str(data)]) == 2
    assert "wrote here before" in capsys.readouterr().err
    assert main(["hub", "org", "add", "bob", "--data", str(data)]) == 2
    capsys.readouterr()
    assert tars("user", "add", "bob", "--returning")[0].startswith("added bob")


@pytest.mark.parametrize(
    ("text", "count"), [("50GB", 50 * 10**9), ("1.5 tb", 1_500_000_000_000), ("1000", 1000), ("2k", 2000), ("7B", 7)]
)
def test_sizes(text: str, count: int) -> None:
    assert size(text) == count
