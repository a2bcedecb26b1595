"""Settings: read from texts, limited, and named when they are wrong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from tars_hub.errors import UsageError
from train.settings import check, find_setting, setting, settings_of


@dataclass(frozen=True, kw_only=True)
class Example:
    plain: str = "no setting"
    hidden: int = setting(1, "a setting with no flag", least=0, shown=False)
    count: int = setting(1, "how many", least=0, most=10)
    share: float = setting(0.5, "how much", least=0)
    limit: float | None = setting(None, "at most", least=0.01)
    on: bool = setting(False, "whether")
    kind: Literal["one", "two"] = setting("one", "which")
    place: Path | None = setting(None, "where")

    def __post_init__(self) -> None:
        check(self)


KNOWN = {each.name: each for each in settings_of(Example)}


def test_only_what_is_shown_can_be_set() -> None:
    assert list(KNOWN) == ["count", "share", "limit", "on", "kind", "place"]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", "7", 7),
        ("share", "1e-3", 0.001),
        ("share", "2", 2.0),
        ("limit", "none", None),
        ("limit", "None", None),
        ("limit", "3", 3.0),
        ("on", "yes", True),
        ("on", "Off", False),
        ("on", "1", True),
        ("kind", "two", "two"),
        ("place", "some/where", Path("some/where")),
    ],
)
def test_a_text_becomes_a_value_of_the_fields_type(name: str, text: str, value: object) -> None:
    found = KNOWN[name].read(text)
    assert found == value
    assert type(found) is type(value) or isinstance(value, Path)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("count", "many", "count is 'many'; it must be a whole number"),
        ("count", "1.5", "count is '1.5'; it must be a whole number"),
        ("count", "none", "a whole number"),
        ("share", "", "a number"),
        ("on", "perhaps", "on is 'perhaps'; it must be yes or no"),
    ],
)
def test_a_text_that_means_nothing_is_named(name: str, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        KNOWN[name].read(text)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"count": 11}, "count is 11; it must be a whole number, 0 to 10"),
        ({"count": -1}, "count is -1"),
        ({"count": True}, "count is True"),
        ({"count": 1.0}, "count is 1.0"),
        ({"hidden": -1}, "hidden is -1"),
        ({"share": -0.1}, "share is -0.1; it must be a number, at least 0"),
        ({"share": float("nan")}, "share is nan"),
        ({"share": float("inf")}, "share is inf"),
        ({"limit": 0.0}, "limit is 0"),
        ({"kind": "three"}, "kind is 'three'; it must be one of one, two"),
    ],
)
def test_a_value_that_cannot_work_is_refused_wherever_it_comes_from(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Example(**changes)


def test_whole_numbers_do_for_a_number_and_nothing_where_nothing_is_allowed() -> None:
    assert Example(share=2, limit=None).share == 2


def test_a_name_is_found_with_hyphens_and_a_wrong_one_has_a_neighbour() -> None:
    assert find_setting("count", KNOWN) is find_setting(" count", KNOWN)
    with pytest.raises(UsageError, match="--set 'cuont': there is no such setting; did you mean count"):
        find_setting("cuont", KNOWN)
    with pytest.raises(UsageError, match="`--help` lists them"):
        find_setting("zzzzzz", KNOWN)
