"""What TarsClassifier saves: the files of a model folder, whole or not at all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from tars_hub import model as model_module
from tars_hub.errors import (
    TarsError,
    UsageError,
    WeightsError,
)
from tars_hub.model import TarsClassifier
from tests.crash import crash
from tests.networks import answers
from tests.small_model import CLASSES, SMALL, held, small


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A model folder, with nothing beside it."""
    folder = tmp_path / "home" / "model"
    small().save_pretrained(folder)
    return folder


# ---------------------------------------------------------------- the file contract


def test_a_model_folder_is_three_files(saved: Path) -> None:
    assert sorted(path.name for path in saved.iterdir()) == ["README.md", "config.json", "model.safetensors"]


def test_the_weights_are_torchvisions_own_and_its_builder_loads_them(saved: Path) -> None:
    tensors = load_file(saved / "model.safetensors")
    theirs = torchvision.models.shufflenet_v2_x0_5(num_classes=3).eval()
    assert tensors.keys() == theirs.state_dict().keys()
    theirs.load_state_dict(tensors)  # strict
    assert torch.equal(answers(TarsClassifier.from_pretrained(saved)), answers(theirs))
    with safe_open(saved / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_config_json_is_readable_and_in_unicode(saved: Path) -> None:
    text = (saved / "config.json").read_text(encoding="utf-8")
    assert "Füchse & Hasen" in text
    assert text.endswith("}\n")
    raw = json.loads(text)
    assert raw["backbone"] == SMALL
    assert raw["id2label"] == {"0": "cat", "1": "dog", "2": "Füchse & Hasen"}
    assert raw["label2id"] == {"cat": 0, "dog": 1, "Füchse & Hasen": 2}
    assert "architecture" not in raw
    assert "architectures" not in raw
    assert "model_type" not in raw


def test_saving_twice_writes_the_same_bytes(saved: Path) -> None:
    before = held(saved)
    TarsClassifier.from_pretrained(saved).save_pretrained(saved)
    assert held(saved) == before


def test_a_half_precision_model_is_saved_as_such_and_loaded_in_full(tmp_path: Path) -> None:
    model = small()
    model.half().save_pretrained(tmp_path)
    assert load_file(tmp_path / "model.safetensors")["fc.weight"].dtype == torch.float16
    loaded = TarsClassifier.from_pretrained(tmp_path)
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    assert torch.equal(answers(loaded), answers(model.float()))


def test_a_model_in_another_memory_order_is_saved_the_same(tmp_path: Path) -> None:
    model = small()
    model.save_pretrained(tmp_path / "a")
    model.to(memory_format=torch.channels_last).save_pretrained(tmp_path / "b")
    assert held(tmp_path / "a") == held(tmp_path / "b")


# ---------------------------------------------------------------- saving, whole or not at all


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SafetensorError("I/O error"), MemoryError()])
@pytest.mark.parametrize("step", ["write_safetensors", "timm_fields"])
def test_a_failing_save_leaves_the_old_folder_byte_by_byte(
    saved: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, step: str
) -> None:
    before, home = held(saved), list(saved.parent.iterdir())
    module = model_module.weights if step == "write_safetensors" else model_module.backbones

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(module, step, fail)
    expected = MemoryError if isinstance(error, MemoryError) else UsageError
    with pytest.raises(expected) as caught:
        small(("other", "classes")).save_pretrained(saved)
    assert held(saved) == before
    assert list(saved.parent.iterdir()) == home
    if expected is UsageError:
        assert str(saved) in str(caught.value)
    monkeypatch.undo()
    assert TarsClassifier.from_pretrained(saved).config.classes == CLASSES


def test_a_full_disk_is_one_line_and_leaves_the_old_folder(saved: Path) -> None:
    before = held(saved)
    code = f"""
import resource, signal
from tars_hub.errors import UsageError
from tars_hub.model import TarsClassifier
model = TarsClassifier.create({SMALL!r}, ["other"])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # a file may not grow beyond it
try:
    model.save_pretrained({str(saved)!r})
except UsageError as error:
    print(error)
"""
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, check=True, capture_output=True, text=True)
    assert done.stdout.startswith(f"{saved} cannot be written: ")
    assert done.stdout.count("\n") == 1
    assert held(saved) == before
    assert list(saved.parent.iterdir()) == [saved]


def test_the_last_hand_finds_a_whole_model_and_adds_to_it(saved: Path) -> None:
    (saved / "training").mkdir()
    (saved / "training" / "notes.txt").write_text("mine")
    (saved / "training" / "state.safetensors").write_text("old")
    model = small(("a", "b"))
    seen: list[Path] = []

    def finish(fresh: Path) -> None:
        seen.append(fresh)
        assert fresh != saved
        assert torch.equal(answers(TarsClassifier.from_pretrained(fresh)), answers(model))
        assert (fresh / "README.md").read_text(encoding="utf-8") == "# New"
        assert TarsClassifier.from_pretrained(saved).config.classes == CLASSES
        (fresh / "training").mkdir()
        (fresh / "training" / "metrics.json").write_text("{}")

    model.save_pretrained(saved, card="# New", finish=finish, remove=["training/state.safetensors", "none"])
    assert set(held(saved)) == {
        *("README.md", "config.json", "model.safetensors", "training/metrics.json", "training/notes.txt")
    }
    assert TarsClassifier.from_pretrained(saved).config.classes == ("a", "b")
    assert len(seen) == 1
    assert list(saved.parent.iterdir()) == [saved]


@pytest.mark.parametrize(
    "error", [WeightsError("they answer otherwise"), TarsError("no"), ValueError("x"), SystemExit(3)]
)
def test_what_the_last_hand_refuses_is_not_saved_and_its_reason_arrives(saved: Path, error: BaseException) -> None:
    before = held(saved)
    model = small(("a", "b"))

    def refuse(fresh: Path) -> None:
        (fresh / "training").mkdir()
        raise error

    with pytest.raises(type(error)) as caught:
        model.save_pretrained(saved, card="# New", finish=refuse, remove=["README.md"])
    assert caught.value is error
    assert held(saved) == before
    assert list(saved.parent.iterdir()) == [saved]
    assert (model.card, model.folder) == (None, None)


def test_a_full_disk_at_the_last_hand_is_one_line_that_names_the_folder(saved: Path) -> None:
    before = held(saved)

    def fail(fresh: Path) -> None:
        raise OSError(28, "No space left on device", str(fresh / "training" / "curves.png"))

    with pytest.raises(UsageError, match="No space left") as caught:
        small(("a", "b")).save_pretrained(saved, finish=fail)
    assert str(caught.value).startswith(f"{saved} cannot be written: ")
    assert "\n" not in str(caught.value)
    assert held(saved) == before


def test_a_model_knows_the_folder_it_came_from_or_went_to(saved: Path, tmp_path: Path) -> None:
    model = small()
    assert model.folder is None
    model.save_pretrained(tmp_path / "a")
    assert model.folder == tmp_path / "a"
    loaded = TarsClassifier.from_pretrained(saved)
    assert loaded.folder == saved
    loaded.save_pretrained(tmp_path / "b")
    assert loaded.folder == tmp_path / "b"


def test_a_file_in_the_place_of_the_folder_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("mine")
    with pytest.raises(UsageError, match="is a file"):
        small().save_pretrained(tmp_path / "model")
    with pytest.raises(UsageError, match="cannot be written"):
        small().save_pretrained(tmp_path / "model" / "below")
    assert held(tmp_path) == {"model": b"mine"}


def test_saving_into_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    for _ in range(2):
        small().save_pretrained(".")
    assert {path.name for path in Path().iterdir()} == {"README.md", "config.json", "model.safetensors", "notes.txt"}
    assert TarsClassifier.from_pretrained(".").config.classes == CLASSES


def test_saving_over_the_folder_a_model_was_loaded_from(saved: Path) -> None:
    model = TarsClassifier.from_pretrained(saved)
    before = answers(model)
    model.save_pretrained(saved)
    small(("a", "b")).save_pretrained(saved)
    assert torch.equal(answers(model), before)


def test_kill_9_at_random_moments_leaves_one_of_the_two_models(tmp_path: Path) -> None:
    found = crash("kill", tmp_path)
    assert len(found) > 50
    assert {death["version"] for death in found} == {0, 1}, "a mixture is None"
    assert all(death["classes"] == (["a", "b"], ["c", "d", "e"])[death["version"]] for death in found)
    assert sum(death["beside"] for death in found) > 10, "too few died in the middle of a save"
    assert max(death["beside"] for death in found) <= 1, "what the dead left is removed by the next save"
    assert found[-1]["beside"] == 0


def test_loading_while_another_program_saves_gives_one_model_or_the_other(tmp_path: Path) -> None:
    found = crash("load", tmp_path)
    assert {load["version"] for load in found} == {0, 1}
    assert all(load["same"] for load in found)
