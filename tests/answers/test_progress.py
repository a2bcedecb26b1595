"""How far a run is: seen on a terminal, and nowhere else."""

import fcntl
import io
import os
import struct
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from tars_hub.answers import progress
from tars_hub.answers.progress import Progress
from tars_hub.cli import main
from tests.answers.fakes import install, lay_many

Said = pytest.CaptureFixture[str]


class Terminal:
    """A real one, and what was written to it."""

    def __init__(self) -> None:
        self._reading, writing = os.openpty()
        fcntl.ioctl(writing, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))  # without a width it shows nothing
        self.stream = os.fdopen(writing, "w", encoding="utf-8")
        self._seen: list[bytes] = []
        self._reader = Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        try:
            while block := os.read(self._reading, 4096):
                self._seen.append(block)
        except OSError:  # the other side was closed
            pass

    def stands_for(self, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
        """To be said in the test itself: between a fixture and its test, pytest puts its own streams in place."""
        for name in names:
            monkeypatch.setattr(sys, name, self.stream)

    def close(self) -> str:
        self.stream.close()
        self._reader.join()
        os.close(self._reading)
        return b"".join(self._seen).decode()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setattr(progress, "_PATIENCE_S", -1.0)
    made = Terminal()
    yield made
    if not made.stream.closed:
        made.close()


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lay_many(tmp_path / "pictures", 300)
    return ["predict", install(monkeypatch, tmp_path / "model")[0], str(tmp_path / "pictures")]


def counted(bar: Progress) -> None:
    """Step until the total is known."""
    bar.step()
    bar._counter.join()
    bar._bar.mininterval = 0
    bar.step()


def test_a_bar_shows_how_many_of_how_many_how_fast_and_how_long(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal.stands_for(monkeypatch, "stderr")
    with Progress(lambda: iter(["a.png"] * 1234)) as bar:
        counted(bar)
    seen = terminal.close()
    assert "2/1234" in seen
    assert "pictures/s" in seen
    assert "<" in seen.split("2/1234")[1], "the time left"


def test_a_run_that_goes_on_starts_at_what_is_done(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal.stands_for(monkeypatch, "stderr")
    with Progress(lambda: iter(["a.png"] * 1234), done=1000) as bar:
        counted(bar)
    assert "1002/1234" in terminal.close()


def test_names_that_come_once_have_no_total(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal.stands_for(monkeypatch, "stderr")
    with Progress(None) as bar:
        bar.step()
        bar.step()
    seen = terminal.close()
    assert "pictures" in seen
    assert "%" not in seen


def test_the_count_ends_with_the_work(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal.stands_for(monkeypatch, "stderr")
    ended = Event()

    def endless() -> Iterator[str]:
        try:
            while True:
                yield "a.png"
        finally:
            ended.set()

    with Progress(endless) as bar:
        bar.step()
        assert not ended.is_set()
    bar._counter.join()
    terminal.close()


def test_the_shell_shows_it_on_a_terminal(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, arguments: list[str], capsys: Said
) -> None:
    terminal.stands_for(monkeypatch, "stderr")
    assert main(arguments) == 0
    assert capsys.readouterr().out.count("\n") == 300
    assert "answering" in terminal.close()


def test_lines_stand_above_the_bar(terminal: Terminal, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    terminal.stands_for(monkeypatch, "stdout", "stderr")
    assert main(arguments) == 0
    seen = terminal.close()
    assert "answering" in seen
    lines = [line.rsplit("\r", 1)[-1] for line in seen.split("\r\n")]
    assert sum(line.startswith("/") and line.endswith("%") for line in lines) == 300


def test_little_work_has_no_bar(terminal: Terminal, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    terminal.stands_for(monkeypatch, "stderr")
    monkeypatch.setattr(progress, "_PATIENCE_S", 1e9)
    assert main(arguments) == 0
    assert terminal.close() == ""


def test_there_is_no_bar_where_nobody_looks(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    monkeypatch.setattr(progress, "_PATIENCE_S", -1.0)
    assert main(arguments) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys, "stderr", None)  # as pythonw has it
    assert main(arguments) == 0
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert main(arguments) == 0
