"""Copies that break off, and go on: in the same process, in the next one, and after `kill -9`."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from tars_hub.cli import main
from tests.mirror.pairs import Pair, emptied, held, staged, start

SIZE = 3_000_000
CUT = 1_234_567
SLACK = 1 << 14  # bytes that a process which is killed may hold, not written yet
WAIT_S = 60
Said = pytest.CaptureFixture[str]


@pytest.fixture
def hubs(running: Pair, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pair:
    """A model of one large file at the source, and nothing at the target."""
    emptied(running, monkeypatch, tmp_path)
    running.here.create("ann/pets", "ann")
    running.here.put_large("ann/pets", "ann", "model.safetensors", os.urandom(SIZE))
    return running


def mirror(hubs: Pair, code: int = 0) -> None:
    assert main(["mirror", "ann/pets", *hubs.flags()]) == code


def wait_until(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def whole(hubs: Pair) -> int:
    """Bytes of all files."""
    return sum(size for size, _ in held(hubs.here, "ann/pets", "ann").values())


def ranges(hubs: Pair) -> list[str]:
    return [each.headers.get("range", "") for each in hubs.source.files() if each.path.endswith("model.safetensors")]


def assert_copied(hubs: Pair, home: Path) -> None:
    assert held(hubs.there, "ann/pets", "ann") == held(hubs.here, "ann/pets", "ann")
    assert not staged(home)


def cut_at(hubs: Pair, size: int) -> None:
    """Let all small files through, and so much of the large one."""
    hubs.source.left = whole(hubs) - SIZE + size


class TestTheLineBreaks:
    def test_the_same_command_goes_on_at_that_byte(self, hubs: Pair, tmp_path: Path, capsys: Said) -> None:
        cut_at(hubs, CUT)
        mirror(hubs, code=2)
        said = capsys.readouterr().err
        assert "the download broke off" in said
        assert "the same command goes on where this one stopped" in said
        assert sum(path.stat().st_size for path in staged(tmp_path)) == hubs.source.moved
        assert hubs.there.get("/api/models/ann/pets", "ann").status_code == 404  # nothing half-written
        hubs.source.heal()
        mirror(hubs)
        assert ranges(hubs) == [f"bytes={CUT}-"]
        assert hubs.source.moved == SIZE - CUT
        assert "1.2 MB of it fetched before" in capsys.readouterr().out
        assert_copied(hubs, tmp_path)

    def test_within_the_process_it_goes_on_by_itself(
        self, hubs: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cut_at(hubs, CUT)

        def healed(_: float) -> None:
            hubs.source.left = None

        monkeypatch.setattr("tars_hub.mirror.transfer.time.sleep", healed)
        mirror(hubs)
        assert ranges(hubs) == ["", f"bytes={CUT}-"]
        assert hubs.source.moved == whole(hubs)
        assert_copied(hubs, tmp_path)

    def test_a_hub_that_sends_the_whole_again_is_taken_at_its_word(self, hubs: Pair, tmp_path: Path) -> None:
        cut_at(hubs, CUT)
        mirror(hubs, code=2)
        hubs.source.heal()
        hubs.source.deaf = True
        mirror(hubs)
        assert ranges(hubs) == [f"bytes={CUT}-"]
        assert hubs.source.moved == SIZE
        assert_copied(hubs, tmp_path)

    @pytest.mark.parametrize("damage", ["other bytes", "too long", "whole but wrong"])
    def test_a_part_that_was_damaged_is_fetched_anew(self, hubs: Pair, tmp_path: Path, damage: str) -> None:
        cut_at(hubs, CUT)
        mirror(hubs, code=2)
        part = max(staged(tmp_path), key=lambda path: path.stat().st_size)
        part.write_bytes(bytes({"other bytes": CUT, "too long": SIZE + 1, "whole but wrong": SIZE}[damage]))
        hubs.source.heal()
        mirror(hubs)
        assert ranges(hubs)[-1] == ""
        assert_copied(hubs, tmp_path)

    def test_what_waits_for_a_copy_that_was_made_otherwise_goes(self, hubs: Pair, tmp_path: Path) -> None:
        """As when the answer to the commit got lost."""
        cut_at(hubs, CUT)
        mirror(hubs, code=2)
        [kept] = {path.parent for path in staged(tmp_path)}
        aside = kept.rename(tmp_path / "aside")
        hubs.source.heal()
        mirror(hubs)
        aside.rename(kept)
        mirror(hubs)
        assert_copied(hubs, tmp_path)

    def test_what_the_source_changed_meanwhile_is_not_mixed_with_it(self, hubs: Pair, tmp_path: Path) -> None:
        cut_at(hubs, CUT)
        mirror(hubs, code=2)
        hubs.here.put_large("ann/pets", "ann", "model.safetensors", os.urandom(SIZE))
        hubs.source.heal()
        mirror(hubs)
        assert ranges(hubs) == [""]
        assert_copied(hubs, tmp_path)


def test_what_was_fetched_is_kept_until_the_target_has_it(
    hubs: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("the target is gone")

    with monkeypatch.context() as patched:
        patched.setattr(HfApi, "create_commit", refuse)
        mirror(hubs, code=2)
    assert "the target is gone" in capsys.readouterr().err
    assert sum(path.stat().st_size for path in staged(tmp_path)) == whole(hubs)
    hubs.source.heal()
    mirror(hubs)
    assert not hubs.source.files()
    assert_copied(hubs, tmp_path)


class TestWhatIsSentIsWrong:
    def test_once(self, hubs: Pair, tmp_path: Path) -> None:
        lies = [True]

        def lie(path: str, body: bytes) -> bytes:
            return b"x" * len(body) if path.endswith("model.safetensors") and lies and lies.pop() else body

        hubs.source.changed = lie
        mirror(hubs)
        assert_copied(hubs, tmp_path)

    @pytest.mark.parametrize("extra", [b"", b"and more"])
    def test_always(self, hubs: Pair, capsys: Said, extra: bytes) -> None:
        hubs.source.changed = lambda path, body: (
            b"x" * len(body) + extra if path.endswith("model.safetensors") else body
        )
        mirror(hubs, code=2)
        assert "model.safetensors: what http://" in capsys.readouterr().err
        assert hubs.there.get("/api/models/ann/pets", "ann").status_code == 404


class TestTheProcessEnds:
    def interrupted(self, hubs: Pair, home: Path, number: int) -> tuple[int, str]:
        """Send a signal when part of the large file has come; exit code and what it said."""
        cut_at(hubs, CUT)
        hubs.source.stalls = True
        process = start(home, "mirror", "ann/pets", *hubs.flags())
        try:
            assert hubs.source.silent.wait(WAIT_S)
            wait_until(lambda: sum(path.stat().st_size for path in staged(home)) > hubs.source.moved - SLACK)
            process.send_signal(number)
            out, err = process.communicate(timeout=WAIT_S)
        finally:
            process.kill()
        assert "Traceback" not in err
        assert hubs.there.get("/api/models/ann/pets", "ann").status_code == 404
        hubs.source.heal()
        return process.returncode, out

    def goes_on(self, hubs: Pair, home: Path) -> None:
        process = start(home, "mirror", "ann/pets", *hubs.flags())
        _, err = process.communicate(timeout=WAIT_S)
        assert process.returncode == 0, err
        [wanted] = ranges(hubs)
        begun = int(wanted.removeprefix("bytes=").removesuffix("-"))
        assert CUT - SLACK < begun <= CUT
        assert hubs.source.moved == SIZE - begun
        assert_copied(hubs, home)

    def test_kill_9(self, hubs: Pair, tmp_path: Path) -> None:
        code, _ = self.interrupted(hubs, tmp_path, signal.SIGKILL)
        assert code == -signal.SIGKILL
        self.goes_on(hubs, tmp_path)

    def test_ctrl_c_says_how_to_go_on(self, hubs: Pair, tmp_path: Path) -> None:
        code, out = self.interrupted(hubs, tmp_path, signal.SIGINT)
        assert code == 130
        assert out.splitlines()[-1] == "interrupted; the same command goes on where this one stopped"
        self.goes_on(hubs, tmp_path)
