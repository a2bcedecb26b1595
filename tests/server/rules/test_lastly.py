"""Which commit last changed a path, against the naive way and against git."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Collection
from pathlib import Path

import pytest

from tars_hub.server.catalog.history import SqlHistory
from tars_hub.server.gitobjects import blob_oid, new_commit
from tars_hub.server.hub import Hub
from tars_hub.server.records import MAIN, Commit, NewCommit, RefChange
from tars_hub.server.rules.lastly import last_commits
from tars_hub.server.trees import EMPTY_TREE, change, find, walk
from tests.server.catalog.samples import NOON
from tests.server.git import Git


class Past:
    """A repository's history, made without files' contents."""

    def __init__(self, hub: Hub) -> None:
        self.load = hub.catalog.history.trees
        self._history = hub.catalog.history
        first = new_commit(tree=EMPTY_TREE, parents=(), author="ann", at=NOON, message="first")
        new = NewCommit(commit=first, trees={EMPTY_TREE: b""}, files=())
        self.repo = hub.catalog.repositories.add("ann", "m", private=False, first=new)
        self.commits = [first]

    @property
    def head(self) -> Commit:
        return self.commits[-1]

    def change(self, **texts: str | None) -> None:
        self.change_paths(dict(texts))

    def change_paths(self, texts: dict[str, str | None]) -> None:
        """Put files of these texts in place, or take some out."""
        oids = {path: None if text is None else blob_oid(text.encode()) for path, text in texts.items()}
        tree, fresh = change(self.load, self.head.tree, oids)
        message = f"change {len(self.commits)}"
        made = new_commit(tree=tree, parents=(self.head.oid,), author="ann", at=NOON, message=message)
        step = RefChange(name=MAIN, old=self.head.oid, new=made.oid)
        self._history.commit(self.repo.id, NewCommit(commit=made, trees=fresh, files=()), [step])
        self.commits.append(made)

    def naive(self, path: str) -> Commit:
        """Commit by commit, backwards."""
        places = [find(self.load, commit.tree, path) for commit in reversed(self.commits)]
        oids = [place.oid if place else None for place in places]
        same = next((at for at, oid in enumerate(oids) if oid != oids[0]), len(oids))
        return self.commits[len(oids) - same]


@pytest.fixture
def past(hub: Hub) -> Past:
    return Past(hub)


def _grow(past: Past, chance: random.Random, steps: int) -> None:
    """Changes of a few files and folders, some of them back to what they were."""
    for _ in range(steps):
        folder = chance.choice(["", "d/", "d/e/", "f/"])
        path = folder + chance.choice(["a", "b", "c"])
        past.change_paths({path: chance.choice(["1", "2", "3", None])})


@pytest.mark.parametrize("seed", range(4))
def test_they_are_those_of_the_naive_way(hub: Hub, past: Past, seed: int) -> None:
    _grow(past, random.Random(seed), 60)  # noqa: S311
    for number in range(seed * 100):  # so that the answers lie several questions back
        past.change(log=str(number))
    paths = [place.path for place in walk(past.load, past.head.tree)]
    assert last_commits(hub, past.repo.id, past.head, paths) == {path: past.naive(path) for path in paths}
    odd = ["never", "never/x", f"{paths[0]}/x"]
    assert last_commits(hub, past.repo.id, past.head, odd) == {path: past.naive(path) for path in odd}


def test_they_are_those_of_git(hub: Hub, past: Past, tmp_path: Path) -> None:
    _grow(past, random.Random(9), 50)  # noqa: S311
    git, ids = Git(tmp_path / "git"), dict[str, Commit]()
    made: list[str] = []
    for commit in past.commits:
        files = {place.path: place.oid for place in walk(past.load, commit.tree) if not place.is_tree}
        tree = git.write_tree(files)
        assert tree == commit.tree
        made.append(git.commit(tree, made[-1:], "ann", NOON, commit.message))
        ids[made[-1]] = commit
    paths = [place.path for place in walk(past.load, past.head.tree)]
    found = last_commits(hub, past.repo.id, past.head, paths)
    for path in paths:
        command = ["git", "-C", str(tmp_path / "git"), "log", "-1", "--format=%H", made[-1], "--", path]
        said = subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()
        assert found[path] == ids[said], path


class TestCost:
    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
        """The trees of each question."""
        questions: list[list[str]] = []
        trees = SqlHistory.trees

        def counting(history: SqlHistory, oids: Collection[str]) -> dict[str, bytes]:
            questions.append(list(oids))
            return trees(history, oids)

        monkeypatch.setattr(SqlHistory, "trees", counting)
        return questions

    def test_each_tree_is_read_once_however_many_paths(self, hub: Hub, past: Past, asked: list[list[str]]) -> None:
        paths = [f"d/{number}" for number in range(50)]
        past.change_paths(dict.fromkeys(paths, "x"))
        for number in range(300):
            past.change(log=str(number))
        asked.clear()
        assert set(last_commits(hub, past.repo.id, past.head, paths).values()) == {past.commits[1]}
        read = [oid for question in asked for oid in question]
        assert len(read) == len(set(read)) <= 303
        assert len(asked) < 12

    def test_of_what_changed_lately_no_long_past_is_read(self, hub: Hub, past: Past, asked: list[list[str]]) -> None:
        for number in range(100):
            past.change(log=str(number))
        asked.clear()
        assert last_commits(hub, past.repo.id, past.head, ["log"]) == {"log": past.head}
        assert sum(map(len, asked)) <= 17

    def test_large_trees_are_read_few_at_once(
        self, hub: Hub, past: Past, asked: list[list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tars_hub.server.rules.lastly._BYTES", 1000)
        past.change_paths({f"f{number}": "x" for number in range(30)})  # almost 1,000 bytes
        for number in range(100):
            past.change(log=str(number))
        asked.clear()
        assert last_commits(hub, past.repo.id, past.head, ["f1"]) == {"f1": past.commits[1]}
        assert [len(question) for question in asked][:6] == [1, 16, 8, 4, 2, 1]
        assert max(len(question) for question in asked[5:]) <= 2
