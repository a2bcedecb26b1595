"""A run that was stopped or hindered goes on as if nothing had happened; what cannot go on says why."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tars_hub.model import TarsClassifier
from tests.crash import contents
from tests.train.killing import result
from tests.train.runs import copied
from tests.train.stopping import EVERY_STEP, SLOW, command, refused, signalling
from tests.train.strange import STRANGE, altered
from train import epochs, finish, keep
from train.__main__ import main
from train.learner import Learner
from train.state import STATE_NAME, read_state


@pytest.fixture(scope="module")
def plain(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run leaves that nobody disturbs."""
    output = tmp_path_factory.mktemp("plain") / "out"
    assert main(command(data, output)) == 0
    return result(output)


@pytest.fixture(scope="module")
def stopped(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped in its second epoch. Not to be changed."""
    output = tmp_path_factory.mktemp("stopped") / "out"
    with pytest.MonkeyPatch.context() as patch:
        signalling(Learner, "step", patch, at=6)
        assert main(command(data, output)) == 130
    return output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "moment",
    [
        (Learner, "step", 2, "stopped in epoch 1 after 2 steps"),
        (Learner, "step", 4, "stopped in epoch 1 after 4 steps"),  # the last one
        (epochs, "evaluate", 2, "stopped in epoch 2 after 4 steps"),
        (keep, "_prove", 1, "stopped in epoch 2 after 1 steps"),  # within a save, which is done first
        (finish, "_ask", 1, "stopped; what was saved before stays"),
        (finish, "write_report", 1, "stopped; what was saved before stays"),
    ],
    ids=["step", "last step", "validation", "save", "measuring", "report"],
)
def test_a_stopped_run_says_how_to_go_on_and_goes_on_with_the_same_bits(
    data: Path,
    tmp_path: Path,
    plain: dict[str, bytes],
    capsys: pytest.CaptureFixture[str],
    moment: tuple[Any, str, int, str],
    number: int,
) -> None:
    owner, name, at, said = moment
    output = tmp_path / "home" / "out"
    with pytest.MonkeyPatch.context() as patch:
        signalling(owner, name, patch, at=at, number=number)
        assert main(command(data, output)) == 130
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(said)
    assert "the same command goes on" in last
    assert (output / STATE_NAME).exists()
    assert main(command(data, output)) == 0
    assert result(output) == plain
    assert [path.name for path in output.parent.iterdir()] == ["out"]
    assert not (output / STATE_NAME).exists()


def test_a_second_ctrl_c_ends_at_once_and_what_was_saved_stays(
    data: Path, tmp_path: Path, plain: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        signalling(Learner, "step", patch, at=6)  # it asks the run to stop after this step,
        signalling(epochs, "_interrupted", patch)  # and is impatient before that is saved
        assert main(command(data, tmp_path / "out")) == 130
    assert capsys.readouterr().out.splitlines()[-1].startswith("stopped; what was saved before stays")
    state = read_state(tmp_path / "out")
    assert state is not None
    assert (state.progress.epoch, state.progress.step) == (2, 0)
    assert main(command(data, tmp_path / "out")) == 0
    assert result(tmp_path / "out") == plain


def test_other_settings_are_named_and_begin_anew_only_when_told(
    data: Path, stopped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = Path(shutil.copytree(stopped, tmp_path / "out"))
    before = contents(output)
    other = command(data, output, *SLOW, "--seed", "7", "--lr", "0.001")
    said = refused(capsys, other)
    assert "seed 0, not 7" in said
    assert "lr " in said
    assert "--overwrite" in said
    assert contents(output) == before
    assert "seed 0, not 7" in refused(capsys, [*other, "--resume", "--overwrite"])  # the two contradict each other
    assert contents(output) == before
    assert main([*other, "--overwrite"]) == 0
    assert "going on" not in capsys.readouterr().out


def test_an_unfinished_run_with_the_same_settings_goes_on_even_with_overwrite(
    data: Path, stopped: Path, tmp_path: Path, plain: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    output = Path(shutil.copytree(stopped, tmp_path / "out"))
    assert main(command(data, output, *SLOW, "--overwrite", "--resume", "--workers", "3")) == 0
    assert "going on with epoch 2 after 2 steps" in capsys.readouterr().out
    assert result(output) == plain


def test_the_next_command_removes_what_dead_runs_left(
    data: Path, stopped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = Path(shutil.copytree(stopped, tmp_path / "home" / "out"))
    (output / "training" / ".state.safetensors.0123abcd").write_text("half")
    (output.parent / ".out.saving-0123abcd").mkdir()
    before = set(contents(stopped))
    refused(capsys, command(data, output, *SLOW, "--seed", "7"))
    assert set(contents(output)) == before
    assert list(output.parent.iterdir()) == [output]


def test_other_pictures_are_refused(
    data: Path, stopped: Path, tmp_path: Path, plain: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    output = Path(shutil.copytree(stopped, tmp_path / "out"))
    mine = copied(data, tmp_path / "moved")
    gone = next((mine / "train" / "0").iterdir())
    content = gone.read_bytes()
    gone.unlink()
    before = contents(output)
    assert "are not those" in refused(capsys, command(mine, output))
    assert contents(output) == before
    gone.write_bytes(content)
    assert main(command(mine, output)) == 0  # the folder itself may have moved
    assert {**result(output), "training/metrics.json": b""} == {**plain, "training/metrics.json": b""}


@pytest.mark.parametrize("change", list(STRANGE.values()), ids=list(STRANGE))
def test_a_strange_state_is_one_line_and_changes_nothing(
    data: Path,
    stopped: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[dict[str, Any], dict[str, torch.Tensor]], Any],
) -> None:
    output = Path(shutil.copytree(stopped, tmp_path / "out"))
    altered(output, change)
    before = contents(output)
    said = refused(capsys, command(data, output))
    assert STATE_NAME in said
    assert "--overwrite" in said
    assert contents(output) == before


@pytest.mark.parametrize("size", [0, 7, 5000, -1])
def test_a_state_cut_short_is_one_line_and_begins_anew_when_told(
    data: Path, stopped: Path, tmp_path: Path, plain: dict[str, bytes], capsys: pytest.CaptureFixture[str], size: int
) -> None:
    output = Path(shutil.copytree(stopped, tmp_path / "out"))
    whole = (output / STATE_NAME).read_bytes()
    (output / STATE_NAME).write_bytes(whole[:size])
    assert "is no state of a run" in refused(capsys, command(data, output))
    if size == -1:
        assert main(command(data, output, *SLOW, "--overwrite")) == 0
        assert result(output) == plain


def test_of_two_runs_into_one_folder_one_stops(
    data: Path, tmp_path: Path, plain: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = command(data, tmp_path / "out")
    real = Learner.step
    calls = 0

    def step(self: Learner, *rest: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 6:  # the first run is in its second epoch: another comes, goes on from its state, and finishes
            assert main(arguments) == 0
        return real(self, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Learner, "step", step)
        assert "was changed by another run" in refused(capsys, arguments)
    assert result(tmp_path / "out") == plain


@pytest.mark.parametrize("place", ["a b/ü 数/out", "link", "dangling", "."])
def test_a_run_goes_on_wherever_its_folder_lies(
    data: Path, tmp_path: Path, plain: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    if place in ("link", "dangling"):
        (tmp_path / "elsewhere").mkdir()
        Path(place).symlink_to(tmp_path / "elsewhere" / ("new" if place == "dangling" else ""))
    for number in (2, 3):
        with pytest.MonkeyPatch.context() as patch:
            signalling(Learner, "step", patch, at=number)
            assert main(command(data, Path(place))) == 130
    assert main(command(data, Path(place))) == 0
    assert result(Path(place)) == plain
    assert Path(place).is_symlink() == (place in ("link", "dangling"))


class Disk:
    """A small disk in memory."""

    def __init__(self, path: Path, size: str) -> None:
        self.path = path
        path.mkdir()
        self._call("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path))

    def change(self, how: str) -> None:
        self._call("mount", "-o", f"remount,{how}", str(self.path))

    def remove(self) -> None:
        self._call("umount", "--lazy", str(self.path))

    @staticmethod
    def _call(*words: str) -> None:
        subprocess.run(words, check=True, capture_output=True)


@pytest.fixture
def disk_of(tmp_path: Path) -> Iterator[Callable[[str], Disk]]:
    """Makes a disk of a size."""
    made: list[Disk] = []

    def make(size: str) -> Disk:
        try:
            made.append(Disk(tmp_path / "disk", size))
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("no disk can be mounted here")
        return made[-1]

    yield make
    for disk in made:
        disk.remove()


@pytest.mark.parametrize(
    ("size", "flags"),
    [
        ("12m", EVERY_STEP),
        ("18m", SLOW),
    ],  # a state has 9 MB, a model 3: the second state is too much, or the second save
)
def test_a_full_disk_is_one_line_and_the_last_save_stays(
    data: Path,
    plain: dict[str, bytes],
    capsys: pytest.CaptureFixture[str],
    disk_of: Callable[[str], Disk],
    size: str,
    flags: list[str],
) -> None:
    disk = disk_of(size)
    output = disk.path / "home" / "out"
    assert "No space left" in refused(capsys, command(data, output, *flags))
    before = contents(output)
    state = read_state(output)
    assert state is not None
    assert (state.progress.epoch, state.progress.step) == ((1, 1) if flags is EVERY_STEP else (2, 0))
    if flags is SLOW:
        TarsClassifier.from_pretrained(output)
    assert [path.name for path in (disk.path / "home").iterdir()] == ["out"]
    assert not [name for name in before if "/." in name]
    disk.change("size=100m")
    assert main(command(data, output, *flags)) == 0
    assert result(output) == plain


@pytest.mark.parametrize("when", ["before", "meanwhile", "at the end"])
def test_a_disk_that_turns_read_only_is_one_line(
    data: Path,
    plain: dict[str, bytes],
    capsys: pytest.CaptureFixture[str],
    disk_of: Callable[[str], Disk],
    when: str,
) -> None:
    disk = disk_of("100m")
    output = disk.path / "home" / "out"

    def turn(owner: Any, name: str, patch: pytest.MonkeyPatch) -> None:
        real = getattr(owner, name)

        def turned(*arguments: Any, **options: Any) -> Any:
            if (output / STATE_NAME).exists():
                disk.change("ro")
            return real(*arguments, **options)

        patch.setattr(owner, name, turned)

    with pytest.MonkeyPatch.context() as patch:
        if when == "before":
            disk.change("ro")
        else:
            turn(*((Learner, "step") if when == "meanwhile" else (finish, "_ask")), patch)
        said = refused(capsys, command(data, output))
    assert "read-only" in said.lower()
    disk.change("rw")
    assert main(command(data, output)) == 0
    assert result(output) == plain
