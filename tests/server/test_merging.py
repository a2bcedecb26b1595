"""What a merge of two revisions changes, and what stands against it."""

from __future__ import annotations

import pytest

from tars_hub.server.merging import merge

BASE = {"a": "1", "b": "2", "dir/c": "3"}


@pytest.mark.parametrize(
    ("ours", "theirs", "changes"),
    [
        ({}, {}, {}),
        ({"a": "x"}, {}, {}),
        ({}, {"a": "x"}, {"a": "x"}),
        ({"a": "x"}, {"b": "y"}, {"b": "y"}),
        ({"a": "x"}, {"a": "x"}, {}),
        ({"a": None}, {"a": None}, {}),
        ({"b": None}, {"a": None}, {"a": None}),
        ({"new": "n"}, {"dir/new": "m"}, {"dir/new": "m"}),
        ({"new": "n"}, {"new": "n"}, {}),
        ({}, {"dir/c": None, "dir": "file"}, {"dir/c": None, "dir": "file"}),
        ({}, {"a": None, "a/below": "x"}, {"a": None, "a/below": "x"}),
    ],
)
def test_it_goes_through(
    ours: dict[str, str | None], theirs: dict[str, str | None], changes: dict[str, str | None]
) -> None:
    found = merge(BASE, changed(ours), changed(theirs))
    assert found.conflicts == ()
    assert found.changes == changes
    merged = {**changed(ours), **changes}
    assert found.files == sum(oid is not None for oid in merged.values())


@pytest.mark.parametrize(
    ("ours", "theirs", "conflicts"),
    [
        ({"a": "x"}, {"a": "y"}, ("a",)),
        ({"a": None}, {"a": "y"}, ("a",)),
        ({"a": "x"}, {"a": None}, ("a",)),
        ({"new": "n"}, {"new": "m"}, ("new",)),
        ({"a": "x", "b": "x"}, {"b": "y", "a": "y"}, ("a", "b")),
        ({"new": "n"}, {"new/below": "m"}, ("new/below",)),
        ({"new/far/below": "n"}, {"new": "m"}, ("new",)),
        ({"dir/d": "n"}, {"dir/c": None, "dir": "file"}, ("dir",)),
    ],
)
def test_it_does_not(ours: dict[str, str | None], theirs: dict[str, str | None], conflicts: tuple[str, ...]) -> None:
    assert merge(BASE, changed(ours), changed(theirs)).conflicts == conflicts


def changed(changes: dict[str, str | None]) -> dict[str, str]:
    return {path: oid for path, oid in {**BASE, **changes}.items() if oid}
