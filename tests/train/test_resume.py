"""A run that was killed, stopped or hindered goes on as if nothing had happened; what cannot go on says why."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tars_hub.files import replacing
from tars_hub.model import TarsClassifier
from tests.crash import contents
from tests.train.killing import DIED, LIVED, result
from tests.train.runs import FLAGS, config_for, copied, trained
from train import epochs, finish, keep
from train import run as running
from train.__main__ import main
from train.console import Console
from train.learner import Learner
from train.run import run
from train.state import STATE_NAME, read_state

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
# Four steps an epoch; no state is saved but at an epoch's end, or when the run is stopped.
SLOW = [*FLAGS, "--epochs", "2", "--batch-size", "8", "--deterministic", "--save-minutes", "1000"]
EVERY_STEP = [*SLOW, "--save-minutes", "0"]


def command(data: Path, output: Path, *more: str) -> list[str]:
    """Arguments of a run over these pictures into that folder."""
    return ["--data", str(data), "--output", str(output), *(more or SLOW)]


def refused(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """The one line that a run says which cannot be."""
    capsys.readouterr()
    assert main(arguments) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("tars: ") or "Error" in line]
    assert len(lines) == 1, lines
    assert "Traceback" not in lines[0]
    return lines[0]


def signalling(owner: Any, name: str, patch: pytest.MonkeyPatch, *, at: int = 1, number: int = signal.SIGINT) -> None:
    """Let this function's call of that count receive a signal before it begins."""
    real: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def signalled(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            signal.raise_signal(number)
        return real(*arguments, **options)

    patch.setattr(owner, name, signalled)


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


def killing(what: str, place: Path, data: Path, start: Path, number: int) -> dict[str, Any]:
    """What one of the programs in tests.train.killing found."""
    place.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "tests.train.killing", what, place, data, start, str(number)],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def assert_nothing_was_lost(found: dict[str, Any]) -> None:
    """Every end is that of an undisturbed run, with nothing left over, and every death left a whole model or none."""
    assert found["ends"]
    assert all(each == {"differing": [], "strays": []} for each in found["ends"]), found["ends"]
    assert {each["model"] for each in found["deaths"]} <= {"none", "whole"}


@pytest.mark.parametrize(
    ("what", "kills"),
    [
        ("scratch", 12),
        pytest.param("scratch", 24, marks=pytest.mark.slow),
        pytest.param("finetune", 24, marks=pytest.mark.slow),
    ],
)
def test_a_run_killed_at_any_moment_ends_with_the_same_bits(
    data: Path, start: Path, tmp_path: Path, what: str, kills: int
) -> None:
    found = killing(what, tmp_path / "place", data, start, kills)
    assert_nothing_was_lost(found)
    # It saves after each step, so that no more than the last one can be lost.
    assert all(each["done"] - each["updates"] <= 1 for each in found["deaths"] if not each["finished"])


@pytest.mark.parametrize(
    ("save", "deaths"),
    [
        ("_save_state", 3),
        ("_save_best", 3),
        ("finish", 3),
        pytest.param("_save_best", 24, marks=pytest.mark.slow),
        pytest.param("finish", 16, marks=pytest.mark.slow),
    ],
)
def test_a_death_inside_a_save_leaves_the_old_or_the_new(
    data: Path, start: Path, tmp_path: Path, save: str, deaths: int
) -> None:
    found = killing(save, tmp_path / "place", data, start, deaths)
    assert_nothing_was_lost(found)
    died = [each["code"] for each in found["deaths"]]
    assert DIED in died
    assert set(died) <= {DIED, LIVED}


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


@pytest.mark.parametrize(("owner", "name"), [(running, "fit_head"), (epochs, "evaluate")])
def test_a_run_stopped_before_the_head_is_kept_begins_again(
    data: Path, start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], owner: Any, name: str
) -> None:
    mine = copied(data, tmp_path / "data")
    for split in ("train", "val"):
        (mine / split / "0").rename(mine / split / "zero")
    flags = f"--weights {start} --augment none --epochs 1 --batch-size 16 --deterministic".split()
    with pytest.MonkeyPatch.context() as patch:
        signalling(owner, name, patch)
        assert main(command(mine, tmp_path / "out", *flags)) == 130
    assert "the same command" in capsys.readouterr().out.splitlines()[-1]
    assert main(command(mine, tmp_path / "out", *flags)) == 0
    assert "head only" in capsys.readouterr().out


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_real_process_is_stopped_by_a_signal(data: Path, tmp_path: Path, number: int) -> None:
    arguments = command(data, tmp_path / "out", *EVERY_STEP, "--epochs", "1000")
    process = subprocess.Popen(
        [sys.executable, "-m", "train", *arguments],
        env=ENVIRONMENT,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "out" / STATE_NAME).exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on from here" in out.splitlines()[-1]
    assert "Traceback" not in err
    assert read_state(tmp_path / "out") is not None


def test_going_on_with_every_kind_of_optimizer_and_network(data: Path, tmp_path: Path) -> None:
    kinds: list[dict[str, Any]] = [
        {"optimizer": "sgd", "momentum": 0.9},
        {"optimizer": "sgd", "momentum": 0.0},
        {"model": "mnasnet0_5"},  # its state carries a version
        {"ema": 0.9, "freeze": "initial"},
    ]
    for number, kind in enumerate(kinds):
        config = config_for(data, tmp_path / f"{number}", epochs=2, deterministic=True, **kind)
        run(config, Console())
        whole = result(config.output)
        shutil.rmtree(config.output)
        with pytest.MonkeyPatch.context() as patch:
            signalling(Learner, "step", patch, at=6)
            with pytest.raises(epochs.InterruptedRunError):
                run(config, Console())
        run(config, Console())
        assert result(config.output) == whole, kind


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


def test_a_finished_run_is_not_overwritten_unless_told(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    trained(data, output, seed=3)
    before = contents(output)
    assert "already holds a model" in refused(capsys, command(data, output))
    assert "no unfinished run" in refused(capsys, command(data, output, *SLOW, "--resume"))
    assert "no unfinished run" in refused(capsys, command(data, tmp_path / "nothing", *SLOW, "--resume"))
    assert contents(output) == before
    with pytest.MonkeyPatch.context() as patch:  # until its first epoch is measured, the old model stays
        signalling(Learner, "step", patch, at=3)
        assert main(command(data, output, *SLOW, "--overwrite")) == 130
    assert {**contents(output), STATE_NAME: b""} == {**before, STATE_NAME: b""}
    assert main(command(data, output)) == 0


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


def altered(output: Path, change: Callable[[dict[str, Any], dict[str, torch.Tensor]], Any]) -> None:
    """Write the state anew with its facts or tensors changed; what `change` returns takes the facts' place."""
    path = output / STATE_NAME
    with safe_open(path, "pt") as file:
        facts = json.loads(file.metadata()["tars_hub.train"])
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    found = change(facts, tensors)
    text = found if isinstance(found, str) else json.dumps(facts)
    save_file(tensors, path, metadata={"tars_hub.train": text})


def _put(*keys: str, value: Any) -> Callable[[Any, Any], None]:
    def change(facts: Any, _: Any) -> None:
        for key in keys[:-1]:
            facts = facts[key]
        facts[keys[-1]] = value

    return change


STRANGE: dict[str, Callable[[Any, Any], Any]] = {
    "no JSON": lambda *_: "{",
    "a list": lambda *_: "[]",
    "deep": lambda *_: "[" * 100_000,
    "numbers that are none": lambda facts, _: json.dumps(facts).replace('"elapsed_s": ', '"elapsed_s": 1e999, "x": '),
    "epoch 10**9": _put("progress", "epoch", value=10**9),
    "epoch as text": _put("progress", "epoch", value="2"),
    "epoch -1": _put("progress", "epoch", value=-1),
    "epoch 7": _put("progress", "epoch", value=7),
    "step 10**6": _put("progress", "step", value=10**6),
    "step true": _put("progress", "step", value=True),
    "no history": _put("progress", "history", value=[]),
    "rows of another kind": _put("progress", "history", value=[{"epoch": 1}]),
    "best beyond": _put("progress", "best", value=5),
    "no best": _put("progress", "best", value=None),
    "infinite": _put("progress", "loss_sum", value=float("inf")),
    "another field": _put("progress", "owner", value="me"),
    "no progress": lambda facts, _: facts.pop("progress") and None,
    "facts of nothing": _put("facts", value={}),
    "another backbone": _put("model", "backbone", value="resnet18"),
    "an unknown backbone": _put("model", "backbone", value="os.system"),
    "other classes": _put("model", "id2label", value={"0": "1", "1": "0"}),
    "no model": _put("model", value={}),
    "a weight less": lambda _, tensors: tensors.pop("model.classifier.1.bias") is None,
    "a moment less": lambda _, tensors: tensors.pop("optimizer.0.exp_avg") is None,
    "no moments": lambda _, tensors: (
        [tensors.pop(name) for name in list(tensors) if name.startswith("optimizer")] and 0
    ),
    "a weight more": lambda _, tensors: tensors.update({"model.extra": torch.zeros(1)}),
    "another part": lambda _, tensors: tensors.update({"other": torch.zeros(1)}),
    "another shape": lambda _, tensors: tensors.update({"model.classifier.1.bias": torch.zeros(3)}),
    "a moment of another shape": lambda _, tensors: tensors.update({"optimizer.0.exp_avg": torch.zeros(3)}),
    "a parameter too many": lambda _, tensors: tensors.update({"optimizer.9999.exp_avg": torch.zeros(3)}),
    "a parameter of no number": lambda _, tensors: tensors.update({"optimizer.x.exp_avg": torch.zeros(3)}),
}


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


def test_what_a_dead_writer_left_goes_and_a_living_ones_stays(tmp_path: Path) -> None:
    path = tmp_path / "state"
    dead, other = tmp_path / ".state.0123abcd", tmp_path / ".other.0123abcd"
    dead.write_text("half")
    other.write_text("another file's")
    with replacing(path) as living:
        living.write("first")
        with replacing(path) as second:
            second.write("second")
        assert not dead.exists()
    assert path.read_text() == "first"
    assert sorted(tmp_path.iterdir()) == [other, path]
