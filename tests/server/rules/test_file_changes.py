"""Which files differ between two revisions, and what is said of them."""

from __future__ import annotations

import pytest

from tars_hub.server.rules import comparison
from tars_hub.server.rules.comparing import files_of
from tars_hub.server.rules.comparison import compare
from tars_hub.server.rules.file_changes import changes
from tests.server.rules.world import World


def found(world: World, old: str | None, new: str) -> dict[str, str]:
    said = compare(world.hub, world.at(old) if old else None, world.at(new), details=False)
    return {change.path: change.kind for change in said.files}


def test_added_changed_and_removed(world: World) -> None:
    first = world.at().oid
    world.push({"a": "other\n", "dir/b": None, "dir/c/d": "new\n"})
    assert found(world, first, "main") == {"a": "changed", "dir/b": "removed", "dir/c/d": "added"}
    assert found(world, "main", first) == {"a": "changed", "dir/b": "added", "dir/c/d": "removed"}
    assert found(world, "main", "main") == {}


def test_a_file_that_becomes_a_folder(world: World) -> None:
    first = world.at().oid
    world.push({"a": None})
    world.push({"a/inner": "x\n"})
    assert found(world, first, "main") == {"a": "removed", "a/inner": "added"}


def test_the_first_commit_of_all(world: World) -> None:
    log = world.hub.catalog.history.log(world.repo.id, world.at().oid)
    assert log[-1].parents == ()
    assert found(world, None, log[-1].oid) == {".gitattributes": "added"}


def test_it_says_what_whole_trees_say(world: World) -> None:
    """What is not looked into is the same indeed."""
    first = world.at()
    world.push({f"d{at % 7}/e{at % 3}/f{at}": f"{at}\n" for at in range(30)})
    second = world.push({"d1/e1/f1": "x\n", "d2/e2/f2": None, "d9": "a file\n"})
    for old, new in ((first, second), (second, first)):
        before, after = files_of(world.hub, old), files_of(world.hub, new)
        differing = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        assert changes(world.hub, old, new).blobs == {path: (before.get(path), after.get(path)) for path in differing}


def test_shared_folders_are_not_loaded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first = world.push({f"big/{at}/f": "x\n" for at in range(20)})
    second = world.push({"a": "y\n"})
    loaded: list[str] = []
    history = world.hub.catalog.history
    real = history.trees
    monkeypatch.setattr(history, "trees", lambda oids: loaded.extend(oids) or real(oids), raising=False)
    assert changes(world.hub, first, second).blobs.keys() == {"a"}
    assert len(loaded) == 2


def test_lines_config_and_metrics(world: World) -> None:
    first = world.push(
        {"config.json": '{"classes": 2}', "training/metrics.json": '{"top1": 0.5}', "n.txt": "one\ntwo\n"}
    )
    second = world.push(
        {"config.json": '{"classes": 3}', "training/metrics.json": '{"top1": 0.75}', "n.txt": "one\n2\n"}
    )
    said = compare(world.hub, first, second, details=True)
    [config], [metrics] = said.config, said.metrics
    assert [(row.name, row.old, row.new) for row in config.rows] == [("classes", "2", "3")]
    assert [(row.name, row.better) for row in metrics.rows] == [("top1", True)]
    lines = {text.path: [(line.mark, line.text) for line in text.lines] for text in said.texts}
    assert lines["n.txt"] == [("place", "@@ -1,2 +1,2 @@"), ("same", " one"), ("removed", "-two"), ("added", "+2")]


def test_lines_of_strangers_are_bounded(world: World) -> None:
    first = world.at()
    second = world.push(
        {f"t{at:02}": "".join(f"{at} {n}\n" for n in range(2000)) for at in range(12)} | {"z": "+" * 90_000}
    )
    said = compare(world.hub, first, second, details=True)
    assert sum(len(text.lines) for text in said.texts) <= 5000
    assert all(len(line.text) <= 2000 for text in said.texts for line in text.lines)
    assert said.texts[0].more == 1001  # with the line that says where
    assert len(said.files) == 13


def test_of_very_many_files_the_first_are_shown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tars_hub.server.rules.comparison._LISTED", 20)
    monkeypatch.setattr("tars_hub.server.rules.text_changes._FILES", 10)
    first = world.at()
    second = world.push({f"f{at:03}": f"{at}\n" for at in range(30)})
    said = compare(world.hub, first, second, details=True)
    assert (len(said.files), said.more, said.changes.count("added")) == (20, 10, 30)
    assert len(said.texts) == 10


def test_what_looks_like_a_difference_is_none(world: World) -> None:
    first = world.at()
    second = world.push({"t": "@@ -1 +1 @@\n--- a/x\n+++ b/x\n\\ no\n"})
    [text] = compare(world.hub, first, second, details=True).texts
    assert [line.mark for line in text.lines] == ["place", "added", "added", "added", "added"]


def test_who_may_not_see_files_learns_nothing_of_them(world: World) -> None:
    first = world.at()
    second = world.push({"config.json": '{"classes": 3}', "a": "secret\n"})
    said = compare(world.hub, first, second, details=False)
    assert (said.texts, said.config, said.metrics, said.tensors, said.pictures) == ((), (), (), (), ())


def test_metrics_that_are_the_same(world: World) -> None:
    first = world.push({"training/metrics.json": '{"top1": 0.5}'})
    second = world.push({"a": "z\n"})
    assert compare(world.hub, first, second, details=True).metrics == []
    [table] = compare(world.hub, first, second, details=True, all_metrics=True).metrics
    assert [(row.name, row.kind) for row in table.rows] == [("top1", None)]


def test_the_hub_says_when_it_is_busy(world: World) -> None:
    first = world.push({"w.safetensors": "1"})
    second = world.push({"w.safetensors": "2"})
    assert world.hub.turns.acquire(blocking=False)
    assert world.hub.turns.acquire(blocking=False)
    try:
        [tensors] = compare(world.hub, first, second, details=True).tensors
    finally:
        world.hub.turns.release(2)
    assert "just now" in tensors.trouble


def test_a_merge_is_compared_with_either_parent(world: World) -> None:
    world.propose({"b": "theirs\n"})
    world.push({"a": "ours\n"})
    world.accept()
    merged = world.at()
    assert len(merged.parents) == 2
    assert [found(world, parent, "main") for parent in merged.parents] == [{"b": "added"}, {"a": "changed"}]


def test_no_more_values_are_read_than_a_page_can_bear(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON can be written to be slow, and whoever looks has it read anew."""
    first, second = (
        world.push({f"{at}/{name}.json": f'{{"a": {value}}}' for at in range(4) for name in ("config", "metrics")})
        for value in (1, 2)
    )

    def shown() -> tuple[int, int]:
        said = compare(world.hub, first, second, details=True)
        return len(said.metrics), len(said.config)

    assert shown() == (4, 4)
    monkeypatch.setattr(comparison, "VALUE_BYTES", 6 * 2 * 8)
    assert shown() == (4, 2)
    monkeypatch.setattr(comparison, "MAX_BYTES", 8 - 1)
    assert shown() == (0, 0), "not as if all of it were new"
