"""A shelf that many ask: what stays, what is made once, and what a failure leaves."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tars_hub.shelf import Shelf, Take

WITHIN_S = 20


def test_those_used_last_stay() -> None:
    shelf: Shelf[str, str] = Shelf(2)
    made: list[str] = []

    def get(key: str) -> str:
        return shelf.get(key, lambda _: made.append(key) or key.upper())  # type: ignore[func-returns-value]

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

    def make(_take: Take) -> object:
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
    shelf.get("a", lambda _: "A")
    begun, may_end = threading.Event(), threading.Event()

    def make(_take: Take) -> str:
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

    def make(_take: Take) -> int:
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

    def fail(_take: Take) -> str:
        begun.set()
        assert may_end.wait(WITHIN_S)
        raise KeyError("not for you")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(shelf.get, "a", fail)
        assert begun.wait(WITHIN_S)
        second = pool.submit(shelf.get, "a", lambda _: "A")
        may_end.set()
        with pytest.raises(KeyError):
            first.result(WITHIN_S)
        assert second.result(WITHIN_S) == "A"
    assert shelf.get("a", pytest.fail) == "A"


class Recorder:
    """Makes things of a given size, and notes what was made."""

    def __init__(self, room: int, places: int = 8) -> None:
        self.shelf: Shelf[str, int] = Shelf(places, room=room, size_of=lambda size: size)
        self.made: list[str] = []

    def get(self, key: str, size: int, *, said: int | None = None) -> None:
        def make(take: Take) -> int:
            take(size if said is None else said)
            self.made.append(key)
            return size

        assert self.shelf.get(key, make) == size

    def stays(self, key: str) -> bool:
        """Whether it is there; asking counts as use."""

        def missing(_take: Take) -> int:
            raise LookupError(key)

        try:
            self.shelf.get(key, missing)
        except LookupError:
            return False
        return True


class TestRoom:
    def test_those_used_longest_ago_make_room_for_a_large_one(self) -> None:
        recorder = Recorder(room=10)
        for key in "abc":
            recorder.get(key, 3)
        assert recorder.stays("a")  # and is used last now
        recorder.get("d", 4)
        assert [key for key in "abcd" if recorder.stays(key)] == ["a", "c", "d"]
        recorder.get("e", 10)
        assert [key for key in "acde" if recorder.stays(key)] == ["e"]

    def test_room_is_made_before_a_thing_is(self) -> None:
        recorder = Recorder(room=10)
        recorder.get("a", 6)

        def make(take: Take) -> int:
            assert recorder.stays("a")
            take(5)
            assert not recorder.stays("a")
            return 5

        assert recorder.shelf.get("b", make) == 5

    def test_what_is_larger_than_it_said_is_not_too_much_either(self) -> None:
        recorder = Recorder(room=10)
        recorder.get("a", 3)
        recorder.get("b", 8, said=1)
        assert [recorder.stays(key) for key in "ab"] == [False, True]
        recorder.get("c", 11, said=1)
        assert [recorder.stays(key) for key in "abc"] == [False, False, False]

    def test_two_that_do_not_fit_together_are_made_one_after_the_other(self) -> None:
        shelf: Shelf[str, int] = Shelf(8, room=10, size_of=lambda size: size)
        begun: queue.Queue[int] = queue.Queue()
        may_end = threading.Event()

        def make(take: Take) -> int:
            take(99)  # who needs more than all gets all
            begun.put(1)
            assert may_end.wait(WITHIN_S)
            return 7

        with ThreadPoolExecutor(2) as pool:
            asked = [pool.submit(shelf.get, key, make) for key in "ab"]
            try:
                assert begun.get(timeout=WITHIN_S)
                with pytest.raises(queue.Empty):
                    begun.get(timeout=0.3)
            finally:
                may_end.set()
            assert [each.result(WITHIN_S) for each in asked] == [7, 7]

    def test_a_failure_gives_back_what_it_took(self) -> None:
        recorder = Recorder(room=10)

        def fail(take: Take) -> int:
            take(10)
            raise KeyError("broken")

        for _ in range(2):
            with pytest.raises(KeyError):
                recorder.shelf.get("a", fail)
        recorder.get("b", 10)
        assert recorder.stays("b")
