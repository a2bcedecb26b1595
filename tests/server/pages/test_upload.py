"""Upload and delete in the browser: what is committed, and what is refused without leaving a trace."""

from __future__ import annotations

import hashlib
import tracemalloc
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tars_hub.server.pages import upload as module
from tars_hub.server.rules.tokens import create_token
from tars_hub.server.settings import Settings
from tars_hub.server.start import opened
from tests.server.pages.visiting import Visit, visit
from tests.server.running import Site, done, gone, site

NAME = "ann/files"


def head(running: Site, repo: str = NAME, revision: str = "main") -> str:
    return str(done(running.get(f"/api/models/{repo}/revision/{revision}", "ann")).json()["sha"])


def listed(running: Site, repo: str = NAME, revision: str = "main") -> dict[str, Any]:
    found = done(running.get(f"/api/models/{repo}/tree/{revision}?recursive=true", "ann")).json()
    return {each["path"]: each for each in found if each["type"] == "file" and each["path"] != ".gitattributes"}


def content(running: Site, path: str, repo: str = NAME, revision: str = "main") -> bytes:
    return done(running.get(f"/{repo}/resolve/{revision}/{path}", "ann")).content


@pytest.fixture
def ann(shared: Site) -> Visit:
    shared.clear()
    shared.create(NAME, "ann")
    shared.put(NAME, "ann", {"README.md": b"# hello"})
    return visit(shared, "ann")


def upload(visitor: Visit, *files: tuple[str, bytes], to: str = "main", repo: str = NAME, **fields: str) -> Any:
    fields = {"parent": head(visitor.site, repo, to)} | fields
    return visitor.upload(f"/{repo}/upload/{to}", list(files), fields)


def test_several_files_are_one_commit(ann: Visit) -> None:
    model = bytes(range(256)) * 100
    before = head(ann.site)
    answer = upload(
        ann, ("config.json", b"{}"), ("model.safetensors", model), ("empty", b""), summary="Say hello", folder="a/b"
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/{NAME}/tree/main/a/b")
    commits = ann.site.get(f"/api/models/{NAME}/commits/main", "ann").json()
    assert [(each["title"], each["authors"][0]["user"]) for each in commits[:1]] == [("Say hello", "ann")]
    assert commits[1]["id"] == before
    files = listed(ann.site)
    assert set(files) == {"README.md", "a/b/config.json", "a/b/model.safetensors", "a/b/empty"}
    assert "lfs" not in files["a/b/config.json"], "by the hub's own rule"
    assert files["a/b/model.safetensors"]["lfs"]["oid"] == hashlib.sha256(model).hexdigest()
    assert content(ann.site, "a/b/model.safetensors") == model
    assert content(ann.site, "a/b/empty") == b""


@pytest.mark.parametrize("name", ["été.txt", 'a "b".txt', "a%20b.txt", "a&b;c=d.txt", "日本.txt", " x .txt", "a+b.txt"])
def test_names_come_as_they_are(ann: Visit, name: str) -> None:
    assert upload(ann, (name, b"x")).status_code == 303
    assert name in listed(ann.site)


def test_a_file_is_replaced(ann: Visit) -> None:
    assert upload(ann, ("README.md", b"# other")).status_code == 303
    assert content(ann.site, "README.md") == b"# other"


def test_a_card_that_clients_would_refuse_is_refused(ann: Visit) -> None:
    answer = upload(ann, ("README.md", b"---\ntags: [a\n---\n"), ("x.txt", b"x"))
    assert answer.status_code == 422
    assert "the front matter of README.md is not good YAML" in answer.text
    assert content(ann.site, "README.md") == b"# hello"
    assert set(listed(ann.site)) == {"README.md"}
    assert upload(ann, ("README.md", b"---\ntags: [a\n---\n"), folder="sub").status_code == 303, "that is no card"


def test_a_branch_whose_name_has_a_slash(ann: Visit) -> None:
    done(ann.site.ask("POST", f"/api/models/{NAME}/branch/feature%2Fx", "ann", json={}))
    answer = upload(ann, ("x", b"y"), to="feature%2Fx")
    assert answer.headers["Location"] == f"/{NAME}/tree/feature%2Fx"
    assert "x" in listed(ann.site, revision="feature%2Fx")
    assert "x" not in listed(ann.site)


BAD = [
    *("../x", "/etc/passwd", "a/../b", "a//b", ".git/config", "a\\..\\..\\b", "x\0y", "a\nb", "..", "."),
    *("C:/x", "x" * 2000),
]


@pytest.mark.parametrize("name", BAD)
def test_names_that_lead_elsewhere(ann: Visit, name: str) -> None:
    answers = [upload(ann, ("good.txt", b"x"), ("x", b"x"), folder=f"a/{name}" if name[0] == "/" else name)]
    if name.isprintable():
        data = f"of {name!r}".encode()
        answers.append(upload(ann, ("good.txt", b"x"), (name, data)))
        assert not ann.site.hub.catalog.contents.get([hashlib.sha256(data).hexdigest()]), "not a byte of it is taken"
    for answer in answers:
        assert answer.status_code in (400, 422), answer.text
        assert 'role="alert"' in answer.text
    assert set(listed(ann.site)) == {"README.md"}


@pytest.mark.parametrize(("data", "said"), [("", "no file was chosen"), ("content", "has no name")])
def test_files_without_a_name(ann: Visit, data: str, said: str) -> None:
    answer = ann.raw_post(f"/{NAME}/upload/main", {}, **written(ann, data, filename=""))
    assert answer.status_code in (400, 422)
    assert said in answer.text
    assert set(listed(ann.site)) == {"README.md"}


def written(visitor: Visit, data: str, *, filename: str, end: str = "--b--\r\n") -> dict[str, Any]:
    """A form with one file, as a browser writes it."""
    body = (
        f'--b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{visitor.csrf}\r\n'
        f'--b\r\nContent-Disposition: form-data; name="parent"\r\n\r\n{head(visitor.site)}\r\n'
        f'--b\r\nContent-Disposition: form-data; name="files"; filename="{filename}"\r\n\r\n{data}\r\n{end}'
    )
    return {"content": body.encode(), "headers": {"Content-Type": "multipart/form-data; boundary=b"}}


def test_two_files_of_one_name(ann: Visit) -> None:
    answer = upload(ann, ("x.txt", b"one"), ("x.txt", b"two"))
    assert (answer.status_code, "two of the files are called" in answer.text) == (422, True)
    assert set(listed(ann.site)) == {"README.md"}


def test_a_file_and_a_folder_of_one_name(ann: Visit) -> None:
    answer = upload(ann, ("x", b"y"), folder="README.md")
    assert (answer.status_code, "nothing can lie below it" in answer.text) == (422, True)


def test_a_branch_that_moved_meanwhile(ann: Visit) -> None:
    before = head(ann.site)
    ann.site.put(NAME, "ann", {"README.md": b"# newer"})
    answer = upload(ann, ("README.md", b"# older"), ("x.txt", b""), parent=before, summary="Mine")
    assert answer.status_code == 412
    assert "Somebody else changed this branch" in answer.text
    assert 'value="Mine"' in answer.text, "what was typed stays"
    assert (content(ann.site, "README.md"), set(listed(ann.site))) == (b"# newer", {"README.md"})
    assert head(ann.site) in answer.text, "the next try is meant for what is there now"
    assert upload(ann, ("README.md", b"# older"), parent="").status_code == 400


def test_too_large() -> None:
    with site(file_bytes=3 << 20) as running:
        running.add("ann")
        running.create(NAME, "ann")
        visitor = visit(running, "ann")
        answer = upload(visitor, ("small.txt", b"x"), ("big.bin", bytes(8 << 20)), ("more.txt", b"x"))
        assert answer.status_code == 413
        assert "&#39;big.bin&#39; has more than 3,145,728 bytes" in answer.text
        assert listed(running) == {}
        assert upload(visitor, ("big.bin", bytes(3 << 20))).status_code == 303


def test_beyond_the_owners_quota(ann: Visit) -> None:
    accounts = ann.site.hub.catalog.accounts
    owner = accounts.user("ann")
    assert owner is not None
    accounts.set_quota(owner.id, 100_000)
    try:
        answer = upload(ann, ("big.bin", bytes(200_000)))
        assert (answer.status_code, "has no room for" in answer.text) == (413, True)
        assert upload(visit(ann.site, "bob"), ("big.bin", bytes(95_000))).status_code == 413, "others leave some"
        assert upload(ann, ("big.bin", bytes(95_000))).status_code == 303
    finally:
        accounts.set_quota(owner.id, None)


def test_a_form_that_breaks_off(ann: Visit) -> None:
    """Whatever came of it is gone."""
    at = urlsplit(ann.site.url).netloc
    body = written(ann, "abc", filename="x.bin", end="")["content"]
    lines = [
        f"POST /{NAME}/upload/main HTTP/1.1",
        *(f"Host: {at}", f"Origin: http://{at}", f"Cookie: tars_session={ann.session}", "Connection: close"),
        "Content-Type: multipart/form-data; boundary=b",
    ]
    whole = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode()
    assert b"broke off" in ann.site.raw(whole + body)
    cut = "\r\n".join([*lines, f"Content-Length: {len(body) + 10_000}", "", ""]).encode()
    ann.site.raw(cut + body, hang_up=True)
    assert set(listed(ann.site)) == {"README.md"}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"csrf={csrf}"),
        ("multipart/form-data", b"--b--"),
        ("multipart/form-data; boundary=" + "b" * 300, b"--b--"),
        ("multipart/form-data; boundary=b", b"no form at all"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="\xff"\r\n\r\nx\r\n--b--\r\n',
        ),
        ("multipart/form-data; boundary=b", b"--b\r\n" + b"X: y\r\n" * 100 + b"\r\nx\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b", b"--b\r\nX: " + b"y" * 10_000 + b"\r\n\r\nx\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b", b"--b\r\nX: y\r\n\r\n" + b"y" * 100_000 + b"\r\n--b--\r\n"),
    ],
)
def test_what_is_no_form(ann: Visit, kind: str, body: bytes) -> None:
    body = body.replace(b"{csrf}", ann.csrf.encode())
    answer = ann.raw_post(f"/{NAME}/upload/main", {}, content=body, headers={"Content-Type": kind})
    assert answer.status_code in (400, 403, 413), answer.text


def test_the_token_comes_before_the_files(ann: Visit) -> None:
    """Nothing of a stranger's file is taken to find out at its end that they are one."""
    body = (
        '--b\r\nContent-Disposition: form-data; name="files"; filename="x.bin"\r\n\r\nabc\r\n'
        f'--b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{ann.csrf}\r\n--b--\r\n'
    ).encode()
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert ann.raw_post(f"/{NAME}/upload/main", {}, content=body, headers=headers).status_code == 403


def test_a_pointer_opens_nobody_elses_content(ann: Visit) -> None:
    ann.site.create("bob/files", "bob", private=True)
    sha256 = ann.site.upload("bob/files", "bob", b"secret" * 1000)
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize 6000\n".encode()
    answer = upload(ann, ("x.txt", text))
    assert (answer.status_code, "was not uploaded" in answer.text) == (400, True)


class TestWhoMayNotWrite:
    """They may propose, where they may download."""

    def test_a_pull_request(self, ann: Visit) -> None:
        bob = visit(ann.site, "bob")
        assert "become a pull request" in bob.get(f"/{NAME}/upload/main").text
        answer = upload(bob, ("x.txt", b"mine"), summary="Please take it")
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/{NAME}/discussions/1")
        assert set(listed(ann.site)) == {"README.md"}
        assert content(ann.site, "x.txt", revision="refs%2Fpr%2F1") == b"mine"
        more = upload(bob, ("y.txt", b"more"), to="refs%2Fpr%2F1")
        assert more.status_code == 303
        assert "y.txt" in listed(ann.site, revision="refs%2Fpr%2F1")

    def test_an_owner_may_as_well(self, ann: Visit) -> None:
        answer = upload(ann, ("x.txt", b"mine"), propose="yes")
        assert answer.headers["Location"] == f"/{NAME}/discussions/1"

    def test_not_to_anothers_pull_request(self, ann: Visit) -> None:
        upload(ann, ("x.txt", b"mine"), propose="yes")
        answer = upload(visit(ann.site, "bob"), ("y.txt", b"mine"), to="refs%2Fpr%2F1")
        assert answer.status_code == 403

    @pytest.mark.parametrize("who", ["", "bob"])
    def test_a_private_one_is_not_there(self, ann: Visit, who: str) -> None:
        ann.site.create("ann/secret", "ann", private=True)
        ann.site.put("ann/secret", "ann", {"x": b"y"})
        visitor = visit(ann.site, who)
        for path in ("/ann/secret/upload/main", "/ann/secret/delete/main/x", "/ann/secret/settings"):
            assert visitor.get(path).status_code == visitor.get(path.replace("secret", "none")).status_code == 404


class TestDelete:
    """A page asks before it is done."""

    def test_a_file_goes(self, ann: Visit) -> None:
        ann.site.put(NAME, "ann", {"a/b c.txt": b"x", "a/d.txt": b"y"})
        page = ann.get(f"/{NAME}/delete/main/a/b%20c.txt")
        assert "Delete this file?" in page.text
        answer = ann.post(f"/{NAME}/delete/main/a/b%20c.txt", {"parent": head(ann.site)})
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/{NAME}/tree/main/a")
        assert set(listed(ann.site)) == {"README.md", "a/d.txt"}
        last = ann.post(f"/{NAME}/delete/main/a/d.txt", {"parent": head(ann.site)})
        assert last.headers["Location"] == f"/{NAME}/tree/main", "the folder went with its last file"

    def test_a_branch_that_moved_meanwhile(self, ann: Visit) -> None:
        before = head(ann.site)
        ann.site.put(NAME, "ann", {"README.md": b"# newer"})
        answer = ann.post(f"/{NAME}/delete/main/README.md", {"parent": before})
        assert (answer.status_code, "Somebody else changed" in answer.text) == (412, True)
        assert content(ann.site, "README.md") == b"# newer"

    def test_a_file_that_is_gone_meanwhile(self, ann: Visit) -> None:
        before = head(ann.site)
        done(ann.site.commit(NAME, "ann", gone("README.md")))
        assert ann.post(f"/{NAME}/delete/main/README.md", {"parent": before}).status_code == 404

    def test_no_folder(self, ann: Visit) -> None:
        ann.site.put(NAME, "ann", {"a/b.txt": b"x"})
        assert ann.get(f"/{NAME}/delete/main/a").status_code == 404
        assert ann.post(f"/{NAME}/delete/main/a", {"parent": head(ann.site)}).status_code == 404

    def test_a_stranger_proposes_to(self, ann: Visit) -> None:
        bob = visit(ann.site, "bob")
        answer = bob.post(f"/{NAME}/delete/main/README.md", {"parent": head(ann.site)})
        assert answer.headers["Location"] == f"/{NAME}/discussions/1"
        assert "README.md" in listed(ann.site)


def test_rights_that_end_while_files_come(ann: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files may come for hours; who may not write any more when they are here has not written."""
    whole = module.Picked.end

    def end(picked: Any) -> None:
        whole(picked)
        ann.site.hub.catalog.accounts.remove_token(token_id)

    ann.site.tokens["brief"] = create_token(ann.site.hub, "ann", role="write", label="brief")
    visitor = visit(ann.site, "brief")
    found = ann.site.caller("brief").token
    assert found is not None
    token_id = found.id
    monkeypatch.setattr(module.Picked, "end", end)
    assert upload(visitor, ("x.txt", b"x")).status_code in (401, 403)
    assert set(listed(ann.site)) == {"README.md"}


class _Zeros:
    """A file that is never all there."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int = -1) -> bytes:
        size = self._left if size < 0 else min(size, self._left)
        self._left -= size
        return bytes(size)


def test_a_large_file_is_not_held_in_memory(tmp_path: Path) -> None:
    size = 60 << 20
    with opened(Settings(data=tmp_path)) as hub, site(hub) as running:
        running.add("ann")
        running.create(NAME, "ann")
        visitor = visit(running, "ann")
        tracemalloc.start()
        try:
            answer = upload(visitor, ("model.safetensors", _Zeros(size)))  # type: ignore[arg-type]
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert answer.status_code == 303
        assert listed(running)["model.safetensors"]["size"] == size
        assert peak < 25 << 20, "what may travel within a commit, once, and a few pieces"
