"""Files over HTTP, to the header."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tars_hub.server.gitobjects import blob_oid
from tests.server.running import Site, done, small

DATA = bytes(range(256)) * 40
LARGE = b"weights" * 200_000
PATHS = ["a b.txt", "é/日本.txt", "a#b", "a?b=c", "a%2Fb", "a+b", "a&b", "'q\"", "<script>.html", "x/..y/z", "a;b", "~"]
SPANS = {
    "bytes=0-0": (0, 1),
    "bytes=0-": (0, len(DATA)),
    "bytes=5-9": (5, 10),
    "bytes=10-99999999": (10, len(DATA)),
    "bytes=-1": (len(DATA) - 1, len(DATA)),
    "bytes=-99999999": (0, len(DATA)),
    f"bytes={len(DATA) - 1}-": (len(DATA) - 1, len(DATA)),
    "BYTES=1-2": (1, 3),
    "bytes= 1-2": (1, 3),
}
# Passed over, as the standard allows: what is no single range, or makes no sense.
NO_SPANS = [
    "bytes=",
    "bytes=-",
    "bytes=a-b",
    "bytes=9-5",
    "bytes=1-2,4-5",
    "lines=1-2",
    "1-2",
    "bytes=--5",
    "bytes=1.5-2",
]
NO_SPANS += ["bytes=+1-2", "bytes=٣-", "bytes=" + "9" * 30 + "-", "bytes=1-2-3", "bytes", "", "=", "bytes=0x1-"]


@pytest.fixture(scope="module")
def repo(shared: Site) -> str:
    name = shared.create("ann/files", "ann")
    shared.put(name, "ann", {"data.txt": DATA, "empty": b"", **dict.fromkeys(PATHS, b"odd")})
    shared.put_large(name, "ann", "model.bin", LARGE)
    return name


def get(shared: Site, path: str, revision: str = "main", **headers: str) -> Any:
    encoded = {key.replace("_", "-"): value.encode("utf-8") for key, value in headers.items()}
    return shared.get(f"/ann/files/resolve/{revision}/{path}", headers=encoded)


class TestRanges:
    @pytest.mark.parametrize("span", SPANS)
    def test_a_part(self, shared: Site, repo: str, span: str) -> None:
        assert repo
        start, end = SPANS[span]
        answer = get(shared, "data.txt", Range=span)
        assert (answer.status_code, answer.content) == (206, DATA[start:end])
        assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(DATA)}"
        assert answer.headers["Content-Length"] == str(end - start)

    @pytest.mark.parametrize("span", NO_SPANS)
    def test_what_is_none_brings_all(self, shared: Site, repo: str, span: str) -> None:
        assert repo
        answer = get(shared, "data.txt", Range=span)
        assert (answer.status_code, answer.content) == (200, DATA)
        assert "Content-Range" not in answer.headers

    @pytest.mark.parametrize("span", [f"bytes={len(DATA)}-", "bytes=99999999-99999999", "bytes=-0"])
    def test_behind_the_end(self, shared: Site, repo: str, span: str) -> None:
        assert repo
        answer = get(shared, "data.txt", Range=span)
        assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{len(DATA)}")

    @pytest.mark.parametrize(("span", "status"), [("bytes=0-", 416), ("bytes=-5", 416), ("bytes=x", 200), ("", 200)])
    def test_of_nothing(self, shared: Site, repo: str, span: str, status: int) -> None:
        assert repo
        assert get(shared, "empty", Range=span).status_code == status

    def test_a_large_file_over_its_pieces(self, shared: Site, repo: str) -> None:
        assert repo
        answer = get(shared, "model.bin", Range="bytes=1048570-1048590")
        assert answer.content == LARGE[1048570:1048591]

    def test_who_goes_on_with_another_version_begins_anew(self, shared: Site, repo: str) -> None:
        assert repo
        tag = get(shared, "data.txt").headers["ETag"]
        assert get(shared, "data.txt", Range="bytes=5-", If_Range=tag).status_code == 206
        assert get(shared, "data.txt", Range="bytes=5-", If_Range='"other"').content == DATA


class TestHeaders:
    @pytest.mark.parametrize("path", ["data.txt", "model.bin", "empty", "missing"])
    @pytest.mark.parametrize("span", ["", "bytes=3-5", "bytes=99999999-"])
    def test_head_says_what_get_says(self, shared: Site, repo: str, path: str, span: str) -> None:
        address, headers = f"/{repo}/resolve/main/{path}", {"Range": span, "Accept-Encoding": "identity"}
        head, full = (shared.ask(method, address, headers=headers) for method in ("HEAD", "GET"))
        assert head.status_code == full.status_code
        told = [{key: value for key, value in each.headers.items() if key != "date"} for each in (head, full)]
        assert told[0] == told[1]
        assert head.content == b""
        assert int(full.headers["Content-Length"]) == len(full.content)

    def test_of_a_small_and_of_a_large_file(self, shared: Site, repo: str) -> None:
        commit = shared.get(f"/api/models/{repo}").json()["sha"]
        small_one, large_one = get(shared, "data.txt").headers, get(shared, "model.bin").headers
        sha256 = hashlib.sha256(LARGE).hexdigest()
        assert small_one["ETag"] == f'"{blob_oid(DATA)}"'
        assert large_one["ETag"] == large_one["X-Linked-Etag"] == f'"{sha256}"'
        assert large_one["X-Linked-Size"] == str(len(LARGE))
        assert "X-Linked-Etag" not in small_one
        assert {small_one["X-Repo-Commit"], large_one["X-Repo-Commit"]} == {commit}
        assert small_one["Accept-Ranges"] == "bytes"

    def test_what_is_known_is_not_sent(self, shared: Site, repo: str) -> None:
        assert repo
        tag = get(shared, "data.txt").headers["ETag"]
        for text in (tag, f"W/{tag}"):
            answer = get(shared, "data.txt", If_None_Match=text)
            assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", tag)
        assert get(shared, "data.txt", If_None_Match='"other"').status_code == 200

    def test_a_strangers_file_is_no_page(self, shared: Site, repo: str) -> None:
        for path in (*PATHS, "data.txt", "model.bin"):
            answer = done(get(shared, quote(path, safe="/")))
            assert answer.headers["Content-Type"] == "application/octet-stream"
            assert answer.headers["Content-Disposition"].startswith("attachment")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "sandbox" in answer.headers["Content-Security-Policy"]
            assert answer.headers["Content-Disposition"].isascii()
        missing = get(shared, "%3Cscript%3E%0d%0aX-Bad:%201")
        assert missing.headers["Content-Type"] == "application/json"
        assert "X-Bad" not in missing.headers
        assert repo

    def test_a_file_that_is_not_there(self, shared: Site, repo: str) -> None:
        commit = shared.get(f"/api/models/{repo}").json()["sha"]
        for path in ("missing", "data.txt/below", "x", "x/..y", "a%2520b.txt", "%FF", "%00", "a//b", "empty/"):
            answer = get(shared, path)
            assert (answer.status_code, answer.headers["X-Error-Code"]) == (404, "EntryNotFound"), path
            assert answer.headers["X-Repo-Commit"] == commit
            assert answer.headers["X-Error-Message"].isascii() or answer.headers["X-Error-Message"].isprintable()


class TestAddresses:
    @pytest.mark.parametrize("path", PATHS)
    def test_odd_paths(self, shared: Site, repo: str, path: str) -> None:
        assert done(get(shared, quote(path, safe="/"))).content == b"odd"
        assert done(get(shared, quote(path, safe=""))).content == b"odd"
        [line] = shared.ask("POST", f"/api/models/{repo}/paths-info/main", data={"paths": path}).json()
        assert (line["path"], line["size"]) == (path, 3)

    @pytest.mark.parametrize("name", ["feature/x", "é", "v1.0", "a/b/c", "x#y", "100%"])
    def test_branches_and_tags(self, shared: Site, repo: str, name: str) -> None:
        quoted = quote(name, safe="")
        done(shared.ask("POST", f"/api/models/{repo}/branch/{quoted}", "ann", json={}))
        made = shared.put(repo, "ann", {"only": name.encode()}, to=quoted)
        for revision in (quoted, quote(f"refs/heads/{name}", safe=""), f"refs/heads/{quoted}", made, made[:10]):
            assert done(get(shared, "only", revision)).content == name.encode()
            for what in ("tree", "commits", "revision"):
                done(shared.get(f"/api/models/{repo}/{what}/{revision}"))
        done(shared.ask("POST", f"/api/models/{repo}/tag/{quoted}", "ann", json={"tag": f"t-{name}"}))
        assert done(get(shared, "only", quote(f"t-{name}", safe=""))).content == name.encode()
        refs = shared.get(f"/api/models/{repo}/refs").json()
        assert f"refs/heads/{name}" in {each["ref"] for each in refs["branches"]}
        assert f"refs/tags/t-{name}" in {each["ref"] for each in refs["tags"]}
        again = shared.ask("POST", f"/api/models/{repo}/branch/{quoted}", "ann", json={})
        assert (again.status_code, f"refs/heads/{name} already exists" in again.json()["error"]) == (409, True)
        done(shared.ask("DELETE", f"/api/models/{repo}/branch/{quoted}", "ann"))
        done(shared.ask("DELETE", f"/api/models/{repo}/tag/{quote(f't-{name}', safe='')}", "ann"))
        gone = get(shared, "only", quoted)
        assert (gone.status_code, gone.headers["X-Error-Code"]) == (404, "RevisionNotFound")

    @pytest.mark.parametrize("revision", ["refs%2Fpr%2F7", "refs/pr/7"])
    def test_a_pull_requests_ref(self, shared: Site, repo: str, revision: str) -> None:
        found = shared.hub.catalog.repositories.find(repo)
        assert found is not None
        head = shared.hub.catalog.history.ref(found.id, "refs/heads/main")
        from tars_hub.server.records import RefChange

        here = shared.hub.catalog.history.ref(found.id, "refs/pr/7")
        shared.hub.catalog.history.move_refs(found.id, [RefChange(name="refs/pr/7", old=here, new=head)])
        assert done(get(shared, "data.txt", revision)).content == DATA
        assert done(shared.get(f"/api/models/{repo}/tree/{revision}")).json()
        assert done(shared.get(f"/api/models/{repo}/commits/{revision}")).json()
        assert "refs/pr/7" in str(shared.get(f"/api/models/{repo}/refs?include_prs=1").json()["pullRequests"])

    @pytest.mark.parametrize(
        "revision", ["missing", "0" * 40, "refs%2Fheads", "refs%2Fheads%2F", "%20", "%2E%2E", "%00", "a" * 3000]
    )
    def test_no_revision(self, shared: Site, repo: str, revision: str) -> None:
        for path in (f"/{repo}/resolve/{revision}/data.txt", f"/api/models/{repo}/tree/{revision}"):
            answer = shared.get(path)
            assert (answer.status_code, answer.headers["X-Error-Code"]) == (404, "RevisionNotFound")

    @pytest.mark.parametrize(
        "path", ["gpt2/resolve/main/config.json", "api/models/gpt2", "api/models/gpt2/revision/main"]
    )
    def test_models_of_nobody(self, shared: Site, path: str) -> None:
        """What transformers asks for, given a bare name; it must learn that there is no such model."""
        answer = shared.get(f"/{path}")
        assert (answer.status_code, answer.headers["X-Error-Code"]) == (404, "RepoNotFound")

    def test_names_in_any_case_and_after_a_move(self, shared: Site) -> None:
        shared.put(shared.create("ann/Old-Name", "ann"), "ann", {"f": b"x"})
        assert done(shared.get("/ANN/old-name/resolve/main/f")).content == b"x"
        wanted = {"fromRepo": "ann/old-NAME", "toRepo": "ANN/new"}
        assert done(shared.ask("POST", "/api/repos/move", "ann", json=wanted)).json()["url"].endswith("/ann/new")
        for name in ("ann/new", "ann/Old-Name"):
            assert done(shared.get(f"/{name}/resolve/main/f")).content == b"x"
            assert shared.get(f"/api/models/{name}").json()["id"] == "ann/new"


@pytest.fixture(scope="module")
def many(shared: Site) -> str:
    repo = shared.create("ann/many", "ann")
    done(shared.commit(repo, "ann", *(small(f"d/f é {number:04}", b"x") for number in range(1205))))
    for number in range(7):
        shared.put(repo, "ann", {"n": b"%d" % number})
    return repo


class TestPages:
    def _all(self, shared: Site, url: str, who: str = "") -> list[list[Any]]:
        pages, following = list[list[Any]](), shared.url + url
        while following:
            answer = done(shared.get(following, who))
            pages.append(answer.json())
            following = answer.links.get("next", {}).get("url", "")
            assert following.startswith(("", shared.url))
        return pages

    def test_of_a_tree(self, shared: Site, many: str) -> None:
        pages = self._all(shared, f"/api/models/{many}/tree/main/d?recursive=true")
        assert [len(page) for page in pages] == [1000, 205]
        assert len({line["path"] for page in pages for line in page}) == 1205
        pages = self._all(shared, f"/api/models/{many}/tree/main?recursive=true&limit=500&expand=false")
        assert [len(page) for page in pages] == [500, 500, 208]

    def test_of_a_tree_with_its_commits(self, shared: Site, many: str) -> None:
        pages = self._all(shared, f"/api/models/{many}/tree/main?expand=true&limit=2")
        lines = {line["path"]: line["lastCommit"]["title"] for page in pages for line in page}
        assert lines == {".gitattributes": "initial commit", "d": "a change", "n": "a change"}

    def test_of_commits(self, shared: Site, many: str) -> None:
        pages = self._all(shared, f"/api/models/{many}/commits/main?limit=4")
        assert [len(page) for page in pages] == [4, 4, 1]
        assert len({commit["id"] for page in pages for commit in page}) == 9

    def test_of_models(self, shared: Site) -> None:
        for number in range(5):
            shared.create(f"bob/paged-{number}", "bob")
        for sort in ("createdAt", "lastModified", "id", "downloads"):
            pages = self._all(shared, f"/api/models?search=paged&limit=2&sort={sort}&full=true")
            assert [len(page) for page in pages] == [2, 2, 1]
            assert {each["id"] for page in pages for each in page} == {f"bob/paged-{number}" for number in range(5)}

    def test_a_link_keeps_what_was_asked(self, shared: Site, many: str) -> None:
        path = f"/api/models/{many}/tree/main?recursive=true&limit=5&x=a%20b%26c&x=%C3%A9%3E%22&y"
        url = str(shared.get(path).links["next"]["url"])
        assert "x=a%20b%26c&x=%C3%A9%3E%22" in url
        assert "cursor=5" in url
        assert "cursor=10" in str(shared.get(url).links["next"]["url"])
        assert str(shared.get(url).links["next"]["url"]).count("cursor") == 1

    @pytest.mark.parametrize("value", ["-1", "x", "1e3", "", "9" * 19, "%D9%A3", "0x1", "1.5", "%00"])
    def test_odd_numbers(self, shared: Site, many: str, value: str) -> None:
        for path in (
            "/api/models?limit=",
            f"/api/models/{many}/tree/main?cursor=",
            f"/api/models/{many}/commits/main?p=",
        ):
            assert shared.get(path + value).status_code == 400, path

    def test_numbers_that_are_too_large_are_cut(self, shared: Site, many: str) -> None:
        nines = "9" * 18
        for path in (f"/api/models?cursor={nines}", f"/api/models/{many}/commits/main?p={nines}"):
            assert done(shared.get(path)).json() == []


def test_head_and_get_of_a_missing_repository_are_alike(shared: Site) -> None:
    head, full = (shared.ask(method, "/ann/none/resolve/main/x") for method in ("HEAD", "GET"))
    assert (head.status_code, head.headers["X-Error-Code"]) == (full.status_code, full.headers["X-Error-Code"])


@pytest.fixture(scope="module", autouse=True)
def nothing_is_wrong(shared: Site) -> Iterator[None]:
    """What all these tests left is sound."""
    yield
    from tars_hub.server.check import check

    assert list(check(shared.hub, lambda *_: None)) == []
