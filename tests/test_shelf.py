"""A shelf that many ask: what stays, what is made once, and what a failure leaves."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tars_hub.shelf import Shelf

WITHIN_S = 20


def test_those_used_last_stay() -> None:
    shelf: Shelf[str, str] = Shelf(2)
    made: list[str] = []

    def get(key: str) -> str:
        return shelf.get(key, lambda: made.append(key) or key.upper())  # type: ignore[func-returns-value]

    assert [get(key) for key in "aba"] == ["A", "B", "A"]
    assert made == ["a", "b"]
    get("c")  # b falls off, used longest ago
    get("a")
    assert made == ["a", "b", "c"]
    get("b")
    assert made == ["a", "b", "c", "b"]


def test_many_at_once_have_it_made_once() -> None:
    shelf: Shelf[str, object] = Shelf(2)
    begun, may_end = threading.Event(), threading.Event()
    made: list[object] = []

    def make() -> object:
        begun.set()
        assert may_end.wait(WITHIN_S)
        made.append(object())
        return made[-1]

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(shelf.get, "a", make) for _ in range(8)]
        assert begun.wait(WITHIN_S)
        may_end.set()
        assert {id(each.result(WITHIN_S)) for each in asked} == {id(made[0])}
    assert len(made) == 1


def test_what_is_there_is_given_while_another_is_made() -> None:
    shelf: Shelf[str, str] = Shelf(2)
    shelf.get("a", lambda: "A")
    begun, may_end = threading.Event(), threading.Event()

    def make() -> str:
        begun.set()
        assert may_end.wait(WITHIN_S)
        return "B"

    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(shelf.get, "b", make)
        assert begun.wait(WITHIN_S)
        try:
            assert pool.submit(shelf.get, "a", pytest.fail).result(WITHIN_S) == "A"
            assert not slow.done()
        finally:
            may_end.set()


def test_no_more_are_made_at_once_than_may_be() -> None:
    shelf: Shelf[int, int] = Shelf(8, made_at_once=2)
    begun: queue.Queue[int] = queue.Queue()
    may_end = threading.Event()

    def make() -> int:
        begun.put(1)
        assert may_end.wait(WITHIN_S)
        return 0

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(shelf.get, key, make) for key in range(4)]
        try:
            assert [begun.get(timeout=WITHIN_S) for _ in range(2)] == [1, 1]
            with pytest.raises(queue.Empty):
                begun.get(timeout=0.3)
        finally:
            may_end.set()
        assert [each.result(WITHIN_S) for each in asked] == [0] * 4


def test_who_waited_for_a_failure_tries_alone() -> None:
    shelf: Shelf[str, str] = Shelf(2)
    begun, may_end = threading.Event(), threading.Event()

    def fail() -> str:
        begun.set()
        assert may_end.wait(WITHIN_S)
        raise KeyError("not for you")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(shelf.get, "a", fail)
        assert begun.wait(WITHIN_S)
        second = pool.submit(shelf.get, "a", lambda: "A")
        may_end.set()
        with pytest.raises(KeyError):
            first.result(WITHIN_S)
        assert second.result(WITHIN_S) == "A"
    assert shelf.get("a", pytest.fail) == "A"
