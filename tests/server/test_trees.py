"""Trees against a plain dict, and against git."""

from __future__ import annotations

import random
from collections.abc import Collection
from pathlib import Path

import pytest

from tars_hub.server.gitobjects import TreeEntry, blob_oid, decode_tree, encode_tree, tree_oid
from tars_hub.server.trees import EMPTY_TREE, Finder, Line, NotAFolderError, Place, change, find, find_many, walk
from tests.server.git import Git

NAMES = ["a", "a.b", "a-b", "a0", "b", "é", "x y"]


class Store:
    """Trees by their ids; those asked for and not there are missing from the answer, as in the catalogue."""

    def __init__(self) -> None:
        self.trees: dict[str, bytes] = {}
        self.questions = 0
        self.asked: list[str] = []

    def load(self, oids: Collection[str]) -> dict[str, bytes]:
        self.questions += 1
        self.asked += oids
        return {oid: self.trees[oid] for oid in oids if oid in self.trees}

    def change(self, root: str, changes: dict[str, str | None]) -> str:
        new, fresh = change(self.load, root, changes)
        assert all(tree_oid(data) == oid for oid, data in fresh.items())
        self.trees |= fresh
        return new

    def files(self, root: str) -> dict[str, str]:
        return {place.path: place.oid for place in walk(self.load, root) if not place.is_tree}


def oid(text: str) -> str:
    return blob_oid(text.encode())


@pytest.fixture
def store() -> Store:
    return Store()


def _is_below(path: str, above: str) -> bool:
    return path.startswith(f"{above}/")


def _some_changes(chance: random.Random, files: dict[str, str]) -> tuple[dict[str, str | None], dict[str, str]]:
    """Changes that make sense one by one, and the files there should be after them."""
    changes: dict[str, str | None] = {}
    after = dict(files)
    for _ in range(chance.randrange(1, 8)):
        path = "/".join(chance.choices(NAMES, k=chance.choice([1, 1, 2, 2, 3, 4])))
        if any(path == each or _is_below(path, each) or _is_below(each, path) for each in changes):
            continue
        if chance.random() < 0.35 or any(_is_below(path, each) for each in after):
            changes[path] = None
            after = {each: at for each, at in after.items() if each != path and not _is_below(each, path)}
        elif not any(_is_below(each, path) for each in after):
            changes[path] = after[path] = oid(str(chance.random()))
        else:  # a file in the place of a folder, and of all that lay in it
            changes[path] = oid(path)
            after = {each: at for each, at in after.items() if not _is_below(each, path)} | {path: oid(path)}
    return changes, after


@pytest.mark.parametrize("seed", range(12))
def test_any_changes_end_as_a_dict_and_git_say(store: Store, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    git = Git(tmp_path / "git")
    root, files = EMPTY_TREE, dict[str, str]()
    for step in range(25):
        changes, files = _some_changes(chance, files)
        root = store.change(root, changes)
        assert store.files(root) == files
        if step % 6 == 0:
            assert root == git.write_tree(files)
    assert root == store.change(EMPTY_TREE, dict(files)), "the way that led here is no part of it"


class TestChange:
    def test_folders_left_empty_are_gone(self, store: Store) -> None:
        root = store.change(EMPTY_TREE, {"a/b/c": oid("1"), "d": oid("2")})
        assert store.change(root, {"a/b/c": None}) == store.change(EMPTY_TREE, {"d": oid("2")})
        assert store.change(root, {"a": None, "d": None}) == EMPTY_TREE

    def test_what_is_not_there_can_go(self, store: Store) -> None:
        root = store.change(EMPTY_TREE, {"a": oid("1")})
        assert store.change(root, {"b": None, "a/b": None, "c/d": None}) == root

    @pytest.mark.parametrize("at", ["a/b", "a/b/c/d"])
    def test_nothing_lies_below_a_file(self, store: Store, at: str) -> None:
        root = store.change(EMPTY_TREE, {"a/b": oid("1")})
        with pytest.raises(NotAFolderError, match=r"^a/b$"):
            store.change(root, {f"{at}/x": oid("2")})
        with pytest.raises(NotAFolderError, match=r"^n$"):
            store.change(root, {"n": oid("1"), "n/m": oid("2")})

    def test_a_file_makes_room_for_a_folder(self, store: Store) -> None:
        root = store.change(EMPTY_TREE, {"a": oid("1")})
        root = store.change(root, {"a": None, "a/b": oid("2")})
        assert store.files(root) == {"a/b": oid("2")}
        root = store.change(root, {"a": oid("3"), "a/b": None})
        assert store.files(root) == {"a": oid("3")}

    def test_only_new_trees_come_out(self, store: Store) -> None:
        root = store.change(EMPTY_TREE, {"a/x": oid("1"), "b/x": oid("2")})
        _, fresh = change(store.load, root, {"a/x": oid("3")})
        assert len(fresh) == 2
        assert change(store.load, root, {"a/x": oid("1")})[0] == root

    def test_the_order_of_changes_is_no_matter(self, store: Store) -> None:
        changes = {f"{a}/{b}": oid(a + b) for a in NAMES for b in NAMES}
        backwards = dict(reversed(changes.items()))
        assert store.change(EMPTY_TREE, dict(changes)) == store.change(EMPTY_TREE, dict(backwards))


class TestWalkAndFind:
    @pytest.fixture
    def root(self, store: Store) -> str:
        return store.change(EMPTY_TREE, {"b/c/d": oid("1"), "b.x": oid("2"), "a": oid("3")})

    def test_walk_is_in_gits_order(self, store: Store, root: str) -> None:
        assert [place.path for place in walk(store.load, root)] == ["a", "b.x", "b", "b/c", "b/c/d"]
        assert [place.path for place in walk(store.load, root, recursive=False)] == ["a", "b.x", "b"]
        assert [place.path for place in walk(store.load, root, within="top")][-1] == "top/b/c/d"
        assert list(walk(store.load, EMPTY_TREE)) == []

    def test_walk_asks_once_for_each_level(self, store: Store) -> None:
        root = store.change(EMPTY_TREE, {f"{number}/a/b": oid(str(number)) for number in range(50)})
        store.questions = 0
        assert len(list(walk(store.load, root))) == 150
        assert store.questions == 3

    def test_the_same_folder_may_lie_in_many_places(self, store: Store) -> None:
        root = store.change(EMPTY_TREE, {f"{number}/same": oid("1") for number in range(3)})
        assert store.files(root) == {f"{number}/same": oid("1") for number in range(3)}

    def test_find(self, store: Store, root: str) -> None:
        assert find(store.load, root, "") == Place("", root, True)
        assert find(store.load, root, "b/c/d") == Place("b/c/d", oid("1"), False)
        found = find(store.load, root, "b/c")
        assert found is not None
        assert found.is_tree
        for path in ("c", "a/x", "b/c/d/e", "b//c", "/b", "b/", ".", ".."):
            assert find(store.load, root, path) is None, path

    def test_a_deep_path(self, store: Store) -> None:
        path = "/".join(["d"] * 100)
        root = store.change(EMPTY_TREE, {path: oid("1")})
        assert store.files(root) == {path: oid("1")}


def _everywhere(files: dict[str, str]) -> list[str]:
    """Paths of files and folders, and of nothing."""
    folders = {path.rsplit("/", count)[0] for path in files for count in range(1, path.count("/") + 1)}
    return ["", "a//b", "/a", "none", *folders, *files, *(f"{path}/below" for path in files)]


class TestFindMany:
    @pytest.mark.parametrize("seed", range(6))
    def test_they_are_those_of_a_walk(self, store: Store, tmp_path: Path, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311
        files, roots, seen = dict[str, str](), [EMPTY_TREE], list[dict[str, Place]]()
        for _ in range(30):
            changes, files = _some_changes(chance, files)
            roots.append(store.change(roots[-1], changes))
        assert roots[-1] == Git(tmp_path / "git").write_tree(files)
        for root in roots:
            walked = {place.path: place for place in walk(store.load, root)}
            seen.append({"": Place("", root, True), **walked})
        paths = sorted({path for places in seen for path in _everywhere({path: "" for path in places if path})})
        for root, places in zip(roots, seen, strict=True):
            assert find_many(store.load, root, paths) == {path: places[path] for path in paths if path in places}
        finder, start = Finder(store.load, paths), 0
        while start < len(roots):
            some = seen[start : start + chance.randrange(1, 9)]
            lines = finder.along(roots[start : start + len(some)], paths)
            for path in paths:
                assert [_at(lines[path], index) for index in range(len(some))] == [
                    places[path].oid if path in places else None for places in some
                ]
            start += len(some)
            paths = chance.sample(paths, max(len(paths) - 3, 1))

    def test_each_tree_is_read_once_and_each_level_is_one_question(self, store: Store) -> None:
        root = store.change(EMPTY_TREE, {f"{a}/{b}/{c}": oid(a + b + c) for a in "abc" for b in "abc" for c in "abcd"})
        store.questions, store.asked = 0, []
        paths = [f"{a}/{b}/{c}" for a in "abc" for b in "abc" for c in "abcd"]
        assert len(find_many(store.load, root, paths)) == 36
        assert store.questions == 3
        assert len(store.asked) == len(set(store.asked)) == 13

    def test_what_is_not_asked_for_is_not_read(self, store: Store) -> None:
        root = store.change(EMPTY_TREE, {"a/x": oid("1"), "b/x": oid("2")})
        store.asked = []
        assert list(find_many(store.load, root, ["a", "a/x", "none/x", "none/" * 100_000])) == ["a", "a/x"]
        assert len(store.asked) == 2
        assert find_many(store.load, root, []) == {}

    def test_what_roots_share_is_read_once(self, store: Store) -> None:
        roots = [store.change(EMPTY_TREE, {f"d/{number}": oid(str(number)) for number in range(50)})]
        for number in range(60):
            roots.append(store.change(roots[-1], {"log": oid(str(number))}))
        finder, store.asked = Finder(store.load, ["d/1", "d/2"]), []
        for start in range(0, 61, 10):
            finder.along(roots[start : start + 10], ["d/1", "d/2"])
        assert len(store.asked) == len(set(store.asked)) == 61 + 1


def _at(line: Line, index: int) -> str | None:
    """The id of what stands in a root, by its number."""
    entry = next(entry for start, entry in reversed(line) if start <= index)
    return entry.oid if entry is not None else None


def test_decode_gives_what_encode_was_given() -> None:
    entries = [TreeEntry("a", oid("1"), False), TreeEntry("b", EMPTY_TREE, True)]
    assert list(decode_tree(encode_tree(entries))) == entries
