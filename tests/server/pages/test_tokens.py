"""One's own tokens in the browser, and what may be made with which."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tars_hub.server.rules import tokens
from tars_hub.server.rules.tokens import caller_of, create_token
from tests.server.pages.visiting import Visit, visit
from tests.server.running import Site, site


@pytest.fixture
def running() -> Iterator[Site]:
    with site() as found:
        found.add("ann", "bob")
        found.create("ann/one", "ann", private=True)
        found.create("ann/two", "ann", private=True)
        found.create("bob/secret", "bob", private=True)
        yield found


def make(visitor: Visit, **fields: str) -> tuple[int, str]:
    """A token made with the form; the status, and the token's text or the page."""
    wanted = {"label": "laptop", "role": "read", "days": "30", "repositories": ""} | fields
    answer = visitor.post("/settings/tokens", wanted)
    found = re.search(r'id="new-token">(hf_\w+)<', answer.text)
    return answer.status_code, found[1] if found else answer.text


def test_a_token_is_shown_once(running: Site) -> None:
    ann = visit(running, "ann")
    status, text = make(ann, role="write", label="<b>laptop")
    assert (status, len(text)) == (200, 43)
    token = caller_of(running.hub, text).token
    assert token is not None
    assert (token.label, token.role, token.repositories, token.user.name) == ("<b>laptop", "write", None, "ann")
    assert token.expires_at is not None
    assert 29 <= (token.expires_at - token.created_at).days <= 30
    page = ann.get("/settings/tokens").text
    assert text not in page
    assert "&lt;b&gt;laptop" in page


def test_the_lines_to_log_in_with(running: Site) -> None:
    answer = visit(running, "ann").post("/settings/tokens", {"role": "read", "days": "never", "label": ""})
    assert f"export HF_ENDPOINT={running.url}\nhf auth login --token hf_" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_for_some_repositories(running: Site) -> None:
    ann = visit(running, "ann")
    _, text = make(ann, repositories="ann/one\r\n")
    running.tokens["one"] = text
    assert running.get("/api/models/ann/one", "one").status_code == 200
    assert running.get("/api/models/ann/two", "one").status_code == 404
    assert 'href="/ann/one"' in ann.get("/settings/tokens").text
    scoped = visit(running, "one").get("/settings/tokens").text
    assert "ann-write" not in scoped, "it knows nothing of the others"
    assert "Revoke" not in scoped
    running.ask("DELETE", "/api/repos/delete", "ann", json={"name": "ann/one"})
    assert "none that is left" in ann.get("/settings/tokens").text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"role": "admin"}, "role is one of"),
        ({"days": "0"}, "days is one of"),
        ({"days": ""}, "days is one of"),
        ({"label": "x" * 101}, "one line of up to 100"),
        ({"label": "a\nb"}, "one line of up to 100"),
        ({"repositories": "bob/secret"}, "there is no repository"),
        ({"repositories": "ann/none"}, "there is no repository"),
        ({"repositories": "ann/one " * 51}, "up to 50"),
    ],
)
def test_what_cannot_be(running: Site, fields: dict[str, str], said: str) -> None:
    before = running.hub.catalog.accounts.tokens(1)
    status, page = make(visit(running, "ann"), **fields)
    assert status in (400, 404)
    assert said in page
    assert running.hub.catalog.accounts.tokens(1) == before
    assert fields.get("label", "")[:50] in page, "what was typed stays"


def test_none_outlasts_the_one_of_the_session(running: Site) -> None:
    ann = visit(running, "ann")
    _, running.tokens["brief"] = make(ann, role="write", days="7")
    assert make(visit(running, "brief"), days="30")[0] == 403
    assert make(visit(running, "brief"), days="never")[0] == 403
    assert make(visit(running, "brief"), days="7")[0] == 403, "not by a second"


def test_nobody_revokes_anothers(running: Site) -> None:
    text = create_token(running.hub, "bob", role="read")
    theirs = caller_of(running.hub, text).token
    assert theirs is not None
    ann = visit(running, "ann")
    assert ann.post(f"/settings/tokens/{theirs.id}/revoke").status_code == 404
    assert caller_of(running.hub, text).name == "bob"
    for wrong in ("0", "x", "99999999999999999999", "-1", "%00"):
        assert ann.post(f"/settings/tokens/{wrong}/revoke").status_code == 404


def test_one_that_may_only_read_sees_them_and_no_buttons(running: Site) -> None:
    page = visit(running, "ann:read").get("/settings/tokens").text
    assert "ann-write" in page
    assert "Revoke" not in page
    assert "Make a token" not in page


def test_nobody_makes_any_number_of_them(running: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_MOST_OWN", 4)
    ann = visit(running, "ann")
    assert [make(ann)[0] for _ in range(3)] == [200, 200, 409]
    assert "ann has 4 tokens" in make(ann)[1]
