"""Commits over HTTP: lines that nobody sends by mistake, many at once, and what becomes of a branch."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tars_hub.server.gitobjects import blob_oid, pointer
from tests.server.running import Site, done, gone, large, line, ndjson, site, small

STALE = "The branch was updated since you opened this page. Please refresh and try again."


@pytest.fixture(scope="module")
def with_limits() -> Iterator[Site]:
    with site(commit_files=50, regular_bytes=1000, commit_bytes=100_000, revision_files=80, path_bytes=200) as found:
        found.add("ann", "bob")
        yield found


@pytest.fixture
def running(with_limits: Site) -> Site:
    """With ann/m as it was made, and nothing else."""
    with_limits.clear()
    with_limits.create("ann/m", "ann")
    return with_limits


def files(running: Site, revision: str = "main", repo: str = "ann/m") -> dict[str, str]:
    found = done(running.get(f"/api/models/{repo}/tree/{revision}?recursive=true", "ann")).json()
    return {each["path"]: each["oid"] for each in found if each["type"] == "file"}


def history(running: Site, revision: str = "main", repo: str = "ann/m") -> list[str]:
    return [each["id"] for each in done(running.get(f"/api/models/{repo}/commits/{revision}", "ann")).json()]


def post(running: Site, body: bytes, to: str = "main") -> Any:
    return running.ask("POST", f"/api/models/ann/m/commit/{to}", "ann", content=body)


HEADER = ndjson(line("header", summary="s"))


class TestLines:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"\n\n",
            b"{}",
            b"null",
            b"[]",
            b"7",
            b"{",
            b"\xff\xfe",
            b"[" * 100_000,
            b'{"key":' * 10_000,
            b'{"key":"header"}',
            b'{"key":"header","value":null}',
            b'{"key":"header","value":[]}',
            b'{"key":"header","value":{}}',
            b'{"key":"header","value":{"summary":7}}',
            b'{"key":"header","value":{"summary":"  "}}',
            b'{"key":"header","value":{"summary":"\\ud800"}}',
            b'{"key":"header","value":{"summary":"\xed\xa0\x80"}}',
            b'{"key":"header","value":{"summary":"s","parentCommit":7}}',
            b'{"key":["header"],"value":{}}',
            b'{"key":{},"value":{}}',
            b'{"value":{}}',
            HEADER + b'{"key":"unknown","value":{}}',
            HEADER + b'{"key":"file","value":{"path":"a"}}',
            HEADER + b'{"key":"file","value":{"path":"a","content":"!!!!","encoding":"base64"}}',
            HEADER + b'{"key":"file","value":{"path":"a","content":"YQ","encoding":"base64"}}',
            HEADER + '{"key":"file","value":{"path":"a","content":"é","encoding":"base64"}}'.encode(),
            HEADER + b'{"key":"file","value":{"path":"a","content":"a","encoding":"rot13"}}',
            HEADER + b'{"key":"file","value":{"path":7,"content":"a"}}',
            HEADER + b'{"key":"lfsFile","value":{"path":"a","oid":"../../etc/passwd"}}',
            HEADER + b'{"key":"lfsFile","value":{"path":"a","oid":"' + b"A" * 64 + b'"}}',
            HEADER + b'{"key":"lfsFile","value":{"path":"a","algo":"md5","oid":"' + b"a" * 64 + b'"}}',
            HEADER + b'{"key":"lfsFile","value":{"path":"a","oid":"' + b"a" * 64 + b'","size":-1}}',
            HEADER + b'{"key":"lfsFile","value":{"path":"a","oid":"' + b"a" * 64 + b'","size":1e400}}',
            HEADER + b'{"key":"lfsFile","value":{"path":"a","oid":"' + b"a" * 64 + b'","size":true}}',
            HEADER + b'{"key":"lfsFile","value":{"path":"a","oid":"' + b"a" * 64 + b'","size":' + b"9" * 5000 + b"}}",
            HEADER + b'{"key":"lfsFile","value":{"path":"a","oid":"' + b"a" * 64 + b'"}}',
            HEADER + b'{"key":"deletedFile","value":{}}',
        ],
    )
    def test_nonsense_is_refused_and_changes_nothing(self, running: Site, body: bytes) -> None:
        before = history(running)
        answer = post(running, body)
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"] == answer.headers["X-Error-Message"]
        assert history(running) == before

    def test_a_bad_line_behind_good_ones_undoes_them(self, running: Site) -> None:
        before = history(running)
        assert post(running, ndjson(line("header", summary="s"), small("a", b"x")) + b"{").status_code == 400
        assert history(running) == before

    @pytest.mark.parametrize(
        "path",
        [
            *("", "/", "/etc/passwd", "../x", "a/../../x", "a/..", "./a", "a//b", "a/", "..\\x", "a\\..\\b", "C:\\x"),
            *(
                "c:x",
                ".git/config",
                "a/.GIT/b",
                "a\0b",
                "a\nb",
                "a\rb",
                "\x1b[2J",
                "x" * 201,
                "é" * 101,
                "a/" * 100 + "b",
            ),
        ],
    )
    @pytest.mark.parametrize("kind", ["file", "large", "gone"])
    def test_paths_that_lead_elsewhere(self, running: Site, path: str, kind: str) -> None:
        sha256 = running.upload("ann/m", "ann", b"weights")
        change = {"file": small(path, b"x"), "large": large(path, sha256), "gone": gone(path)}[kind]
        before = history(running)
        answer = running.commit("ann/m", "ann", change)
        if kind == "gone" and path == "a/":  # a folder's path may end in a slash
            assert answer.status_code == 404
        else:
            assert answer.status_code == 422, answer.text
        assert history(running) == before

    @pytest.mark.parametrize("path", ["a b", "é/日本", "a#?%&+=", "..a", "...", "<script>", "'\"", "%2e%2e/x", "ab:c"])
    def test_odd_paths_are_kept_as_they_are(self, running: Site, path: str) -> None:
        done(running.commit("ann/m", "ann", small(path, b"x")))
        assert files(running)[path] == blob_oid(b"x")

    def test_limits_say_what_they_are(self, running: Site) -> None:
        too_large = running.commit("ann/m", "ann", small("a", b"x" * 1001))
        assert (too_large.status_code, "1,000 bytes are uploaded apart" in too_large.text) == (413, True)
        very_large = post(running, HEADER + b'{"key":"file","value":{"path":"a","content":"' + b"A" * 60_000 + b'"}}')
        assert very_large.status_code == 413
        body = post(running, HEADER + b" " * 100_000)
        assert (body.status_code, "100,000 bytes" in body.text) == (413, True)
        many = running.commit("ann/m", "ann", *(small(f"f{number}", b"x") for number in range(51)))
        assert (many.status_code, "50 files; make several" in many.text) == (413, True)
        done(running.commit("ann/m", "ann", *(small(f"f{number}", b"x") for number in range(50))))
        more = running.commit("ann/m", "ann", *(small(f"g{number}", b"x") for number in range(50)))
        assert (more.status_code, "a revision may have 80" in more.text) == (413, True)
        message = post(running, ndjson(line("header", summary="s", description="x" * 70_000), small("n", b"x")))
        assert (message.status_code, "65,536" in message.text) == (413, True)

    def test_a_sample_of_what_is_asked_before(self, running: Site) -> None:
        def ask(**file: Any) -> Any:
            path = "/api/models/ann/m/preupload/main"
            return running.ask("POST", path, "ann", json={"files": [{"path": "a", "size": 1, **file}]})

        assert done(ask()).json()["files"] == [
            {"path": "a", "uploadMode": "regular", "shouldIgnore": False, "oid": None}
        ]
        for bad in ({"path": 7}, {"size": -1}, {"size": "1"}, {"size": True}, {"sample": 7}):
            assert ask(**bad).status_code == 400, bad
        for path in ("../x", "a/" * 5000 + "b", "\0"):
            assert ask(path=path).status_code == 422, path
        assert ask(size=1 << 60).status_code == 413
        assert ask(size=1001).json()["files"][0]["uploadMode"] == "lfs"


class TestOutcomes:
    def test_nothing_but_a_header_is_no_new_commit(self, running: Site) -> None:
        head = history(running)[0]
        answer = done(post(running, HEADER))
        assert answer.json()["commitOid"] == head
        assert answer.json()["commitUrl"] == f"{running.url}/ann/m/commit/{head}"
        assert history(running) == [head]

    def test_the_same_again_is_no_new_commit(self, running: Site) -> None:
        first = done(running.commit("ann/m", "ann", small("a", b"x"), small("b/c", b"y"))).json()
        again = done(running.commit("ann/m", "ann", small("b/c", b"y"), small("a", b"x"))).json()
        assert first == again
        assert len(history(running)) == 2

    def test_the_last_of_a_path_wins(self, running: Site) -> None:
        done(running.commit("ann/m", "ann", small("a", b"1"), gone(".gitattributes"), small("a", b"2")))
        assert files(running) == {"a": blob_oid(b"2")}
        done(running.commit("ann/m", "ann", gone("a"), small("a", b"3")))
        assert files(running) == {"a": blob_oid(b"3")}
        done(running.commit("ann/m", "ann", small("b", b"1"), small("a", b"4"), gone("a")))
        assert files(running) == {"b": blob_oid(b"1")}

    def test_what_a_commit_says(self, running: Site) -> None:
        done(running.commit("ann/m", "ann", small("a", b"1"), summary="Title <b>é", description="Why\n\nnot"))
        [made, first] = done(running.get("/api/models/ann/m/commits/main?expand[]=formatted", "ann")).json()
        assert (made["title"], made["message"], made["authors"]) == ("Title <b>é", "Why\n\nnot", [{"user": "ann"}])
        assert made["formatted"]["title"] == "Title &lt;b&gt;é"
        assert (first["title"], first["message"]) == ("initial commit", "")

    def test_a_file_that_is_not_there_cannot_go(self, running: Site) -> None:
        answer = running.commit("ann/m", "ann", small("a", b"1"), gone("missing"))
        assert (answer.status_code, answer.headers["X-Error-Code"]) == (404, "EntryNotFound")
        assert answer.headers["X-Repo-Commit"] == history(running)[0]
        assert "A file with this name doesn't exist" in answer.json()["error"]
        assert "a" not in files(running)

    @pytest.mark.parametrize("folder", [True, False])
    @pytest.mark.parametrize("path", ["a", "a/"])
    def test_a_folder_goes_with_all_in_it(self, running: Site, folder: bool, path: str) -> None:
        running.put("ann/m", "ann", {"a/b/c": b"1", "a/d": b"2", "ab": b"3"})
        done(running.commit("ann/m", "ann", small("a/new", b"4"), gone(path, folder=folder)))
        assert files(running).keys() == {".gitattributes", "ab"}

    def test_a_folder_goes_and_comes_anew(self, running: Site) -> None:
        running.put("ann/m", "ann", {"a/b": b"1", "a/c": b"2"})
        done(running.commit("ann/m", "ann", gone("a", folder=True), small("a/c", b"3")))
        assert {path: oid for path, oid in files(running).items() if "/" in path} == {"a/c": blob_oid(b"3")}
        done(running.commit("ann/m", "ann", gone("a", folder=True), small("a", b"4")))
        assert files(running)["a"] == blob_oid(b"4")
        done(running.commit("ann/m", "ann", gone("a"), small("a/b/c", b"5")))
        assert files(running)["a/b/c"] == blob_oid(b"5")
        done(running.commit("ann/m", "ann", small("a/b/d", b"6"), gone("a"), small("a", b"7")))
        assert files(running).keys() == {".gitattributes", "a"}

    def test_a_file_is_no_folder_and_a_folder_no_file(self, running: Site) -> None:
        running.put("ann/m", "ann", {"a": b"1", "b/c": b"2"})
        before = history(running)
        for changes in ([small("a/x", b"3")], [small("b", b"3")], [small("n", b"1"), small("n/m", b"2")]):
            answer = running.commit("ann/m", "ann", *changes)
            assert answer.status_code == 422, answer.text
            assert "X-Error-Code" not in answer.headers
        assert history(running) == before

    def test_many_deletions_do_not_take_long(self) -> None:
        with site() as running:
            running.add("ann")
            running.create("ann/m", "ann")
            names = [f"d{number % 100}/f{number}" for number in range(8000)]
            done(running.commit("ann/m", "ann", *(small(name, b"x") for name in names)))
            begun = time.process_time()  # of the hub, which is in this process, and not what others on the machine take
            done(running.commit("ann/m", "ann", *(gone(name) for name in names)))
            assert time.process_time() - begun < 5
            assert files(running).keys() == {".gitattributes"}


class TestParents:
    def test_the_right_one_long_and_short(self, running: Site) -> None:
        head = history(running)[0]
        for number, parent in enumerate((head, None, None)):
            given = parent or history(running)[0][: 7 + number]
            done(running.commit("ann/m", "ann", small("a", b"%d" % number), parentCommit=given))
        assert len(history(running)) == 4
        done(running.commit("ann/m", "ann", small("a", b"x"), parentCommit=""))
        done(running.commit("ann/m", "ann", small("a", b"y"), parentCommit=None))

    @pytest.mark.parametrize("parent", ["stale", "0" * 40, "0" * 7, "main", "too short", "refs/heads/main"])
    def test_another_is_refused(self, running: Site, parent: str) -> None:
        stale = history(running)[0]
        running.put("ann/m", "ann", {"a": b"1"})
        head = history(running)[0]
        given = {"stale": stale, "too short": head[:3]}.get(parent, parent)
        answer = running.commit("ann/m", "ann", small("a", b"2"), parentCommit=given)
        assert answer.status_code == 412
        assert answer.headers["X-Error-Message"].startswith(STALE)
        assert history(running)[0] == head

    def test_who_asks_again_gets_the_commit_that_was_made(self, running: Site) -> None:
        """The answer to a commit may be lost, and clients send it once more."""
        parent = history(running)[0]
        sent = {"parentCommit": parent, "summary": "once"}
        first, again = (done(running.commit("ann/m", "ann", small("a", b"1"), **sent)).json() for _ in range(2))
        assert first == again
        assert len(history(running)) == 2
        for change in ({"summary": "another"}, {"description": "more"}):
            assert running.commit("ann/m", "ann", small("a", b"1"), **{**sent, **change}).status_code == 412
        assert running.commit("ann/m", "ann", small("a", b"2"), **sent).status_code == 412
        running.put("ann/m", "ann", {"b": b"2"})
        assert running.commit("ann/m", "ann", small("a", b"1"), **sent).status_code == 412
        assert len(history(running)) == 3


class TestBranches:
    def test_only_branches_are_committed_to(self, running: Site) -> None:
        head = history(running)[0]
        done(running.ask("POST", "/api/models/ann/m/tag/main", "ann", json={"tag": "v1"}))
        for to in ("v1", head, head[:10], "missing", "refs%2Ftags%2Fv1", "HEAD", "refs%2Fpr%2F9", "refs/tags/v1"):
            answer = running.commit("ann/m", "ann", small("a", b"1"), to=to)
            assert (answer.status_code, answer.headers["X-Error-Code"]) == (404, "RevisionNotFound"), to
        assert history(running) == [head]

    @pytest.mark.parametrize("to", ["feature%2Fx", "refs%2Fheads%2Ffeature%2Fx", "refs/heads/feature%2Fx"])
    def test_a_branch_with_a_slash(self, running: Site, to: str) -> None:
        done(running.ask("POST", "/api/models/ann/m/branch/feature%2Fx", "ann", json={}))
        made = running.put("ann/m", "ann", {"a": b"1"}, to=to)
        assert history(running, "feature%2Fx")[0] == made
        assert len(history(running)) == 1

    def test_a_branch_called_none_is_no_proposal(self, running: Site) -> None:
        """Some clients say `None` for a pull request that is yet to be; strangers may propose, and no more."""
        done(running.ask("POST", "/api/models/ann/m/branch/None", "ann", json={}))
        before = history(running, "None")
        assert running.commit("ann/m", "bob", small("a", b"1"), to="None").status_code == 403
        assert history(running, "None") == before

    def test_a_squash_keeps_the_files(self, running: Site) -> None:
        for number in range(3):
            running.put("ann/m", "ann", {f"f{number}": b"%d" % number})
        done(running.ask("POST", "/api/models/ann/m/tag/main", "ann", json={"tag": "v1"}))
        before = files(running)
        done(running.ask("POST", "/api/models/ann/m/super-squash/main", "ann", json={"message": "all"}))
        assert len(history(running)) == 1
        assert files(running) == before
        assert len(history(running, "v1")) == 4


class TestManyAtOnce:
    def test_no_update_is_lost(self, tmp_path: Any) -> None:
        from tars_hub.server.settings import Settings
        from tars_hub.server.start import opened

        with opened(Settings(data=tmp_path)) as hub, site(hub) as running:
            running.add("ann")
            running.create("ann/m", "ann")
            answers: list[Any] = []

            def push(number: int) -> None:
                for step in range(3):
                    answers.append(running.commit("ann/m", "ann", small(f"{number}/{step}", b"%d" % number)))

            threads = [threading.Thread(target=push, args=(number,)) for number in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert [answer.status_code for answer in answers] == [200] * 60
            assert files(running).keys() == {".gitattributes"} | {f"{a}/{b}" for a in range(20) for b in range(3)}
            log = history(running)
            assert len(log) == 61
            assert {answer.json()["commitOid"] for answer in answers} == set(log[:-1])

    def test_of_many_with_one_parent_one_wins(self, running: Site) -> None:
        head = history(running)[0]
        statuses: list[int] = []

        def push(number: int) -> None:
            answer = running.commit("ann/m", "ann", small(f"{number}", b"x"), parentCommit=head)
            statuses.append(answer.status_code)

        threads = [threading.Thread(target=push, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(statuses) == [200] + [412] * 7
        assert len(files(running)) == 2


class TestLargeFiles:
    DATA = b"weights " * 1000
    SHA256 = hashlib.sha256(DATA).hexdigest()

    def test_it_is_a_pointer_to_git(self, running: Site) -> None:
        running.put_large("ann/m", "ann", "model.bin", self.DATA)
        assert files(running)["model.bin"] == blob_oid(pointer(self.SHA256, len(self.DATA)))

    def test_a_size_that_is_said_must_be_right(self, running: Site) -> None:
        running.upload("ann/m", "ann", self.DATA)
        assert running.commit("ann/m", "ann", large("a", self.SHA256, 1)).status_code == 400
        done(running.commit("ann/m", "ann", large("a", self.SHA256, len(self.DATA))))

    def test_anothers_content_is_not_opened_by_its_name(self, running: Site) -> None:
        running.create("bob/secret", "bob", private=True)
        running.put_large("bob/secret", "bob", "model.bin", self.DATA)
        before = history(running)
        text = pointer(self.SHA256, len(self.DATA))
        for change in (large("a", self.SHA256), large("a", self.SHA256, len(self.DATA)), small("a", text)):
            answer = running.commit("ann/m", "ann", change)
            assert (answer.status_code, "upload it first" in answer.text) == (400, True)
        assert history(running) == before

    def test_a_pointer_that_came_first_does_not_stand_before_the_file(self, running: Site) -> None:
        """Its text has the id of the large file in git, so one of them would hide the other."""
        assert running.commit("ann/m", "ann", small("a", pointer(self.SHA256, len(self.DATA)))).status_code == 400
        running.create("bob/m", "bob")
        running.put_large("bob/m", "bob", "model.bin", self.DATA)
        assert running.get("/bob/m/resolve/main/model.bin").content == self.DATA

    def test_a_pointer_to_what_was_uploaded_is_the_file(self, running: Site) -> None:
        running.upload("ann/m", "ann", self.DATA)
        running.put("ann/m", "ann", {"model.bin": pointer(self.SHA256, len(self.DATA))})
        assert running.get("/ann/m/resolve/main/model.bin", "ann").content == self.DATA

    def test_a_content_of_one_repository_is_uploaded_anew_for_another(self, running: Site) -> None:
        running.put_large("ann/m", "ann", "model.bin", self.DATA)
        running.create("ann/n", "ann")
        assert running.commit("ann/n", "ann", large("a", self.SHA256)).status_code == 400
        assert "actions" in running.batch("ann/n", "ann", self.SHA256, len(self.DATA))
        running.put_large("ann/n", "ann", "model.bin", self.DATA)

    def test_what_is_uploaded_and_not_committed_can_be_read_nowhere(self, running: Site) -> None:
        running.upload("ann/m", "ann", self.DATA)
        for path in (self.SHA256, "model.bin"):
            assert running.get(f"/ann/m/resolve/main/{path}", "ann").status_code == 404
        assert json.dumps(self.SHA256)[1:-1] not in running.get("/api/models/ann/m?blobs=true", "ann").text


class TestAnswersThatAreLost:
    def test_a_deletion_that_is_sent_again(self, running: Site) -> None:
        done(running.commit("ann/m", "ann", small("a", b"1")))
        answers = [done(running.commit("ann/m", "ann", gone("a"))).json()["commitOid"] for _ in range(2)]
        assert answers[0] == answers[1] == history(running)[0]
        done(running.commit("ann/m", "ann", small("b", b"1")))
        assert running.commit("ann/m", "ann", gone("a")).status_code == 404


class TestRightsThatGo:
    def test_a_commit_that_was_begun_before_is_refused(self, running: Site) -> None:
        """Its body comes slowly, and meanwhile the owner takes the repository back."""
        opened = running.ask("POST", "/api/models/ann/m/discussions", "bob", json={"title": "t", "pullRequest": True})
        number = done(opened).json()["num"]
        lines = ndjson(line("header", summary="s"), small("a", b"1"))
        repo = running.hub.catalog.repositories.find("ann/m")
        assert repo is not None

        def body() -> Iterator[bytes]:
            yield lines[:20]
            running.hub.catalog.repositories.update(repo.id, private=True)
            yield lines[20:]

        to = f"refs%2Fpr%2F{number}"
        answer = running.ask("POST", f"/api/models/ann/m/commit/{to}", "bob", content=body())
        assert answer.status_code == 404
        assert "a" not in files(running, to)
