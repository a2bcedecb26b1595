"""The error tree is as its docstring draws it, and errors survive the ways they travel."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

from tars_hub import errors
from tars_hub.errors import PictureError, TarsError

CLASSES = {
    name: kind for name, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__
}


def drawn_parents() -> dict[str, str]:
    """Each class in the docstring's drawing with the one it hangs from."""
    parents: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^[ │├└─]+([A-Z]\w+Error)\b", line)
        if not found:
            continue
        indent, name = found.start(1), found[1]
        while above and above[-1][0] >= indent:
            above.pop()
        parents[name] = above[-1][1] if above else "Exception"
        above.append((indent, name))
    return parents


def test_the_drawing_is_the_tree() -> None:
    assert drawn_parents() == {name: kind.__base__.__name__ for name, kind in CLASSES.items()}


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_every_error_says_what_it_is(kind: type[TarsError]) -> None:
    assert issubclass(kind, TarsError)
    assert kind.__doc__


def test_a_picture_error_keeps_name_and_reason_apart_and_survives_a_worker_process() -> None:
    error = PictureError("a/b.jpg", "cut short")
    sent = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own object
    for found in (error, sent):
        assert (str(found), found.name, found.reason) == ("a/b.jpg: cut short", "a/b.jpg", "cut short")
    assert type(sent) is PictureError
