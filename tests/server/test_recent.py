"""What a hub remembers, and forgets."""

from __future__ import annotations

from tars_hub.server.recent import Recent


def test_a_value_is_made_once() -> None:
    made: list[str] = []
    kept = Recent[str, int](2)

    def make() -> int:
        made.append("")
        return len(made)

    assert [kept.get("a", make), kept.get("a", make), kept.get("b", make)] == [1, 1, 2]


def test_the_one_that_was_asked_for_longest_ago_is_forgotten() -> None:
    kept = Recent[str, str](2)
    assert kept.is_new("a", "1")
    assert kept.is_new("b", "2")
    assert not kept.is_new("a", "3")
    assert kept.get("a", lambda: "made") == "1"
    assert kept.is_new("c", "4")
    assert kept.get("a", lambda: "made") == "1"
    assert kept.get("b", lambda: "made") == "made"
