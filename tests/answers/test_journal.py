"""A table's journal: a run goes on where another stopped, wherever that was, to the same table."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tars_hub.answers import alone, journal
from tars_hub.answers.journal import Journal
from tars_hub.cli import main
from tars_hub.config import WEIGHTS_NAME
from tests.answers.fakes import FakePredictor, install
from tests.checkout import ROOT

Said = pytest.CaptureFixture[str]
KINDS = ("csv", "jsonl", "parquet")
GROUP = 3


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pictures").mkdir()
    for name in (
        "a.png",
        "b-bad.png",
        "c.png",
        "d\udce9.png",
        "e.png",
        "f.png",
        "g-bad.png",
        "h.png",
        "i.png",
        "j.png",
    ):
        (tmp_path / "pictures" / name).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(journal, "_EVERY_S", 0.0)
    return tmp_path


@pytest.fixture
def fake(place: Path, monkeypatch: pytest.MonkeyPatch) -> FakePredictor:
    return install(monkeypatch, place / "model")[1]


def predict(*more: str, out: str = "out.csv") -> int:
    return main(["predict", "model", "pictures", "--output", out, "--batch-size", str(GROUP), *more])


def stopped(fake: FakePredictor, after: int, *more: str, out: str = "out.csv") -> bytes:
    """The journal of a run that was stopped after so many answers."""
    fake.asked, fake.fails_at = 0, after
    assert predict(*more, out=out) == 130
    fake.asked, fake.fails_at = 0, None
    return Path(f"{out}.part").read_bytes()


def whole(fake: FakePredictor, *more: str, out: str = "out.csv") -> bytes:
    """The table of a run that nobody stopped."""
    assert predict(*more, out=out) == 1
    fake.asked = 0
    table = Path(out).read_bytes()
    Path(out).unlink()
    return table


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_goes_on_where_another_stopped(fake: FakePredictor, kind: str, capsys: Said) -> None:
    out = f"out.{kind}"
    expected = whole(fake, out=out)
    for after in range(1, 10):
        stopped(fake, after, out=out)
        assert not Path(out).exists()
        assert f"{out}.part holds the answers so far" in capsys.readouterr().err
        assert predict(out=out) == 1
        assert Path(out).read_bytes() == expected
        assert not Path(f"{out}.part").exists()
        assert fake.asked == 10 - after // GROUP * GROUP, "whole groups are not asked about again"
        Path(out).unlink()


def test_a_journal_cut_at_any_byte_leads_to_the_same_table(fake: FakePredictor) -> None:
    expected = whole(fake)
    left = stopped(fake, 9)
    part = Path("out.csv.part")
    for cut in range(0, len(left), 5):
        holes = b"\0" * 20 if cut % 2 and b"\n" in left[:cut] else b""  # as a power cut leaves some
        part.write_bytes(left[:cut] + holes)
        assert predict() == 1, cut
        assert Path("out.csv").read_bytes() == expected, cut


def test_what_comes_after_a_torn_line_counts_for_nothing(fake: FakePredictor) -> None:
    expected = whole(fake)
    lines = stopped(fake, 9).splitlines(keepends=True)
    for place, torn in [
        (2, b"\n"),
        (2, b"null\n"),
        (3, b'["a"]\n'),
        (4, b"[" * 5000 + b"\n"),
        (5, b'["x",null,0,[[9,1]]]\n'),
    ]:
        Path("out.csv.part").write_bytes(b"".join([*lines[:place], torn, *lines[place:]]))
        assert predict() == 1
        assert Path("out.csv").read_bytes() == expected


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        (lambda: Path("pictures/e2.png").touch(), 3),
        (lambda: Path("pictures/e.png").unlink(), 3),
        (lambda: Path("pictures/e.png").write_text("other"), 3),
        (lambda: os.utime("pictures/f.png", ns=(1, 1)), 3),
        (lambda: Path("pictures/z.png").touch(), 6),
        (lambda: Path("pictures/j.png").unlink(), 6),
        (lambda: os.utime("pictures/c.png", ns=(1, 1)), 0),
        (lambda: Path("pictures/b-bad.png").chmod(0o600), 0),  # it may be read by now
        (lambda: Path("pictures/e.png").chmod(0o600), 6),
    ],
    ids=[
        "added",
        "removed",
        "written",
        "touched",
        "added behind",
        "removed behind",
        "early",
        "rights of bad",
        "rights",
    ],
)
def test_pictures_that_changed_meanwhile_are_answered_anew(
    fake: FakePredictor, change: Callable[[], None], kept: int, capsys: Said
) -> None:
    left = stopped(fake, 8)
    change()
    expected = whole(fake, out="fresh.csv")
    capsys.readouterr()
    assert left == Path("out.csv.part").read_bytes()
    assert predict() == 1
    assert Path("out.csv").read_bytes() == expected
    assert fake.asked == len(list(Path("pictures").iterdir())) - kept
    said = capsys.readouterr().err
    assert ("are dropped" in said) == (kept < 6)
    assert (f"{kept} answers of an earlier run stay" in said) == (kept > 0)


@pytest.mark.parametrize(
    ("change", "more", "said"),
    [
        (lambda: Path("model", WEIGHTS_NAME).write_bytes(b"others"), [], "another model"),
        (lambda: None, ["--top-k", "2"], "top-k 1 instead of 2"),
        (lambda: None, ["--uncalibrated"], "calibrated True instead of False"),
        (lambda: None, ["--engine", "onnx"], "engine 'torch' instead of 'onnx'"),
        (lambda: Path("pictures/a.png").rename("pictures/0.png"), [], "other pictures"),
    ],
    ids=["model", "top-k", "calibrated", "engine", "pictures"],
)
def test_answers_to_another_question_are_not_gone_on_with(
    fake: FakePredictor, change: Callable[[], None], more: list[str], said: str, capsys: Said
) -> None:
    left = stopped(fake, 8)
    change()
    capsys.readouterr()
    assert predict(*more) == 2
    error = capsys.readouterr().err
    assert error.startswith("tars: out.csv.part")
    assert said in error
    assert "--restart" in error
    assert error.count("\n") == 1
    assert Path("out.csv.part").read_bytes() == left
    fake.asked = 0
    assert predict(*more, "--restart") == 1
    assert fake.asked == 10
    table = Path("out.csv").read_bytes()
    assert table == whole(fake, *more)


def test_another_batch_size_goes_on(fake: FakePredictor) -> None:
    """What ended for lack of memory goes on with fewer at a time."""
    stopped(fake, 8)
    assert main(["predict", "model", "pictures", "--output", "out.csv", "--batch-size", "1"]) == 1
    assert fake.asked == 2


def test_lines_beside_a_table_are_the_same_after_a_stop(fake: FakePredictor, capsys: Said) -> None:
    arguments = ["predict", "model", "pictures", "--csv", "out.csv", "--batch-size", str(GROUP), "--json"]
    assert main(arguments) == 1
    lines, expected = capsys.readouterr().out, Path("out.csv").read_bytes()
    fake.asked, fake.fails_at = 0, 8
    assert main(arguments) == 130
    fake.asked, fake.fails_at = 0, None
    capsys.readouterr()
    assert main(arguments) == 1
    assert fake.asked == 4
    assert capsys.readouterr().out == lines
    assert Path("out.csv").read_bytes() == expected


def test_names_from_standard_input_go_on(fake: FakePredictor, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    names = b"\n".join(os.fsencode(f"nowhere/{number}.png") for number in range(10))

    def ask() -> int:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(names)))
        return main(["predict", "model", "-", "--output", "out.csv", "--batch-size", str(GROUP)])

    assert ask() == 0
    expected = Path("out.csv").read_bytes()
    fake.asked, fake.fails_at = 0, 7
    assert ask() == 130
    fake.asked, fake.fails_at = 0, None
    assert ask() == 0
    assert (fake.asked, Path("out.csv").read_bytes()) == (4, expected)


def test_a_run_that_is_done_starts_over(fake: FakePredictor) -> None:
    expected = whole(fake)
    assert predict() == 1
    assert predict() == 1
    assert fake.asked == 20
    assert Path("out.csv").read_bytes() == expected


def test_killed_after_the_last_answer_little_is_asked_again(
    fake: FakePredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = whole(fake)
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "done", lambda _: None)  # as if it were killed right before
        assert predict() == 1
    fake.asked = 0
    assert predict() == 1
    assert (fake.asked, Path("out.csv").read_bytes()) == (10 % GROUP, expected)


def test_a_stop_before_the_first_answer_leaves_nothing(fake: FakePredictor) -> None:
    fake.fails_at = 0
    assert predict() == 130
    assert sorted(path.name for path in Path().iterdir()) == ["model", "pictures"]


def test_a_model_that_cannot_be_loaded_leaves_nothing(place: Path, capsys: Said) -> None:
    assert main(["predict", "./nowhere", "pictures", "--output", "out.csv"]) == 2
    assert "./nowhere" in capsys.readouterr().err
    assert [path.name for path in place.iterdir()] == ["pictures"]


def test_two_runs_do_not_write_one_table(fake: FakePredictor, capsys: Said) -> None:
    with Journal(Path("out.csv")):
        assert predict() == 2
    assert "another run is writing out.csv.part" in capsys.readouterr().err
    assert fake.asked == 0
    assert predict() == 1


def test_a_journal_that_another_run_has_just_removed_is_made_anew(
    fake: FakePredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, removed = alone._is_locked, []

    def lock_late(file: int) -> bool:
        if not removed:
            removed.append(Path("out.csv.part").unlink())
        return lock(file)

    monkeypatch.setattr(alone, "_is_locked", lock_late)
    stopped(fake, 8)
    assert predict() == 1
    assert fake.asked == 4


@pytest.mark.parametrize("kind", ["file", "link", "broken link", "pipe", "folder"])
def test_what_lies_in_the_way_is_left_alone(fake: FakePredictor, kind: str, capsys: Said) -> None:
    part = Path("out.csv.part")
    Path("precious").write_text("mine")
    {
        "file": lambda: part.write_text("mine"),
        "link": lambda: part.symlink_to("precious"),
        "broken link": lambda: part.symlink_to("nowhere"),
        "pipe": lambda: os.mkfifo(part),
        "folder": part.mkdir,
    }[kind]()
    for more in ([], ["--restart"]):
        assert predict(*more) == 2
        error = capsys.readouterr().err
        assert error.startswith("tars: out.csv")
        assert error.count("\n") == 1
    assert fake.asked == 0
    assert Path("precious").read_text() == "mine"
    assert os.path.lexists(part)
    assert not Path("nowhere").exists()
    assert kind != "file" or part.read_text() == "mine"


def test_a_full_disk_is_one_line_and_the_answers_stay(
    fake: FakePredictor, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    expected = whole(fake)
    capsys.readouterr()
    write, room = os.write, [900]

    def write_little(file: int, data: bytes) -> int:
        if room[0] <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        room[0] -= (done := write(file, data[: room[0]]))
        return done

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write_little)
        assert predict() == 2
    assert capsys.readouterr().err == "tars: out.csv.part: No space left on device\n"
    held = Path("out.csv.part").read_bytes()
    assert len(held) == 900
    assert not held.endswith(b"\n")  # torn
    fake.asked = 0
    assert predict() == 1
    assert 0 < fake.asked < 10
    assert Path("out.csv").read_bytes() == expected


def test_the_journal_says_what_it_is(fake: FakePredictor) -> None:
    first, *rows = stopped(fake, 6).decode().splitlines()
    said = json.loads(first)
    assert said["answers of"] == "tars predict"
    assert (said["format"], said["top-k"], said["calibrated"]) == (1, 1, True)
    assert len(rows) == 6


def test_answers_are_on_the_disk_when_the_process_is_killed(place: Path) -> None:
    code = """
import os, signal
from pathlib import Path
from tars_hub.answers import alone, journal
from tars_hub.answers.answered import FileAnswer
from tars_hub.answers.asking import Asked
from tars_hub.errors import PictureError
journal._EVERY_S = 0.0
opened = journal.Journal(Path("out.csv"))
opened.begin({}, ["cat"], restart=False)
opened.add(Asked(FileAnswer("a.png", PictureError("a.png", "cut short")), None))
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=place, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False
    )
    assert done.returncode == -9
    assert Path("out.csv.part").read_bytes().endswith(b'["a.png",null,"cut short"]\n')
