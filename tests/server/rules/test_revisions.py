"""Files of a revision by many paths at once."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from tars_hub.server.catalog.history import SqlHistory
from tars_hub.server.rules import revisions
from tests.server.running import Site, done, small

PATHS = [f"d/{number}" for number in range(256)]


@pytest.fixture(scope="module")
def repo(shared: Site) -> str:
    name = shared.create("ann/revisions", "ann")
    done(shared.commit(name, "ann", *(small(path, path.encode()) for path in PATHS), small("top", b"x")))
    return name


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the history is asked for, by name."""
    asked: list[str] = []
    trees, files = SqlHistory.trees, SqlHistory.files

    def counting_trees(history: SqlHistory, oids: Collection[str]) -> object:
        asked.append("trees")
        return trees(history, oids)

    def counting_files(history: SqlHistory, oids: Collection[str]) -> object:
        asked.append("files")
        return files(history, oids)

    monkeypatch.setattr(SqlHistory, "trees", counting_trees)
    monkeypatch.setattr(SqlHistory, "files", counting_files)
    return asked


def test_many_are_one_question_a_level(shared: Site, repo: str, questions: list[str]) -> None:
    found = shared.hub.catalog.repositories.find(repo)
    assert found is not None
    commit = revisions.commit_at(shared.hub, found, "main")
    paths = [*PATHS, "d", "top", "", "none", "d/none", "top/below"]
    at_once = revisions.entries_at(shared.hub, commit, paths)
    assert questions == ["trees", "trees", "files"]
    assert {path: at_once.get(path) for path in paths} == {
        path: revisions.entry_at(shared.hub, commit, path) for path in paths
    }
    assert set(paths) - set(at_once) == {"none", "d/none", "top/below"}


def test_a_preupload_is_few_questions_and_says_what_is_there(shared: Site, repo: str, questions: list[str]) -> None:
    files = [{"path": path, "size": 1, "sample": ""} for path in [*PATHS[:254], "d/none", "d"]]
    address = f"/api/models/{repo}/preupload/main"
    answer = done(shared.ask("POST", address, "ann", json={"files": files})).json()["files"]
    assert len(questions) < 10
    tree = done(shared.get(f"/api/models/{repo}/tree/main/d")).json()
    oids = {line["path"]: line["oid"] for line in tree}
    assert [line["path"] for line in answer] == [file["path"] for file in files]
    assert [line["oid"] for line in answer] == [oids.get(str(file["path"])) for file in files]


def test_a_preupload_of_more_is_refused(shared: Site, repo: str) -> None:
    files = [{"path": path, "size": 1} for path in [*PATHS, "one-more"]]
    answer = shared.ask("POST", f"/api/models/{repo}/preupload/main", "ann", json={"files": files})
    assert answer.status_code == 400
    assert "'files' must be a list of up to 256 objects" in answer.json()["error"]


def test_paths_info_is_few_questions_in_the_order_asked(shared: Site, repo: str, questions: list[str]) -> None:
    paths = ["top", "none", *reversed(PATHS), "d", "top"]
    answer = done(shared.ask("POST", f"/api/models/{repo}/paths-info/main", json={"paths": paths})).json()
    assert [line["path"] for line in answer] == ["top", *reversed(PATHS), "d"]
    assert len(questions) < 8
