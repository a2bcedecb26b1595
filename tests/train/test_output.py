"""The output folder before a run: what may be replaced, and what is gone on with."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tars_hub.errors import UsageError
from tests.train.runs import config_for
from train.config import TrainConfig
from train.output import check_output, unfinished_run
from train.progress import Progress, State
from train.state import STATE_NAME, write_state


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    return config_for(tmp_path / "data", tmp_path / "out")


def begin(config: TrainConfig) -> None:
    """Leave the state of a run that has just begun."""
    state = State(
        settings=config.decisive(),
        fingerprint="",
        model={},
        repository=None,
        progress=Progress(),
        facts={"machine": {"device": "cpu"}, "versions": {}, "data": {"fingerprint": ""}},
    )
    write_state(config.output / STATE_NAME, state, {})


def test_a_new_folder_an_empty_one_and_one_with_other_files_are_welcome(config: TrainConfig) -> None:
    check_output(config)
    assert not config.output.exists()
    config.output.mkdir()
    (config.output / "notes.txt").write_text("mine")
    check_output(config)
    assert unfinished_run(config) is None


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_model_is_kept_unless_told(config: TrainConfig, name: str) -> None:
    config.output.mkdir()
    (config.output / name).write_text("a model")
    with pytest.raises(UsageError, match="already holds a model; choose another folder, or say --overwrite"):
        check_output(config)
    check_output(replace(config, overwrite=True))


def test_a_file_is_no_folder(config: TrainConfig) -> None:
    config.output.write_text("")
    with pytest.raises(UsageError, match="is a file; it must be a folder"):
        check_output(config)


def test_a_folder_that_cannot_be_written_is_said_before_any_work(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(os, "access", lambda path, _: bool(asked.append(path)))  # root may write everywhere
    with pytest.raises(UsageError, match="is read-only for you"):
        check_output(replace(config, output=config.output / "deep" / "deeper"))
    assert asked == [config.output.parent]  # the nearest that is there


def test_to_resume_there_must_be_something(config: TrainConfig) -> None:
    with pytest.raises(UsageError, match=r"--resume: .* holds no unfinished run"):
        check_output(replace(config, resume=True))


def test_the_same_command_goes_on_with_an_unfinished_run(config: TrainConfig) -> None:
    begin(config)
    check_output(config)
    for again in (config, replace(config, resume=True), replace(config, workers=7, data=Path("moved"))):
        found = unfinished_run(again)
        assert found is not None
        assert found.settings == config.decisive()


def test_other_settings_are_named(config: TrainConfig) -> None:
    begin(config)
    other = replace(config, seed=5, recipe=replace(config.how, epochs=9))
    with pytest.raises(UsageError, match=r"seed 0, not 5; epochs 1, not 9\); give its command") as caught:
        unfinished_run(other)
    assert "\n" not in str(caught.value)
    assert unfinished_run(replace(other, overwrite=True)) is None
    with pytest.raises(UsageError, match="other settings"):
        unfinished_run(replace(other, overwrite=True, resume=True))


def test_a_damaged_state_is_said_and_may_be_overwritten(config: TrainConfig) -> None:
    begin(config)
    path = config.output / STATE_NAME
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(UsageError, match="is no state of a run"):
        unfinished_run(config)
    assert unfinished_run(replace(config, overwrite=True)) is None
