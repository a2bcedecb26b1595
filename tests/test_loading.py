"""One door for folders, repository ids and old files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import tars_hub
from tars_hub.errors import ModelNotFoundError, UnsafeFileError, WeightsError
from tars_hub.loading import from_pretrained
from tars_hub.model import TarsClassifier
from tests.fake_hub import TOKEN, fake_hub
from tests.networks import answers, plain

SMALL = "shufflenet_v2_x0_5"


@pytest.fixture
def model() -> TarsClassifier:
    return TarsClassifier.create(SMALL, ["cat", "dog"])


def test_the_door_is_a_public_name() -> None:
    assert tars_hub.from_pretrained is from_pretrained


@pytest.mark.parametrize("kind", [str, Path])
def test_a_model_folder(tmp_path: Path, model: TarsClassifier, kind: type) -> None:
    model.save_pretrained(tmp_path)
    loaded = from_pretrained(kind(tmp_path))
    assert loaded.config == model.config
    assert torch.equal(answers(loaded), answers(model))


@pytest.mark.parametrize("kind", [str, Path])
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".pth.tar", ".bin", ""])
def test_an_old_file_whatever_it_is_called(tmp_path: Path, kind: type, suffix: str) -> None:
    network = plain(SMALL)
    path = tmp_path / f"old{suffix}"
    torch.save({"state_dict": network.state_dict(), "classes": ["a", "b", "c"]}, path)
    loaded = from_pretrained(kind(path))
    assert loaded.config.classes == ("a", "b", "c")
    assert torch.equal(answers(loaded), answers(network))


def test_the_device_of_an_old_file(tmp_path: Path) -> None:
    torch.save(plain(SMALL).state_dict(), tmp_path / "old.pth")
    model = from_pretrained(tmp_path / "old.pth", device="meta")
    assert {tensor.device.type for tensor in model.state_dict().values()} == {"meta"}


def test_a_relative_name_of_an_old_file_does_not_ask_a_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(plain(SMALL).state_dict(), tmp_path / "old.pth")
    monkeypatch.chdir(tmp_path)
    with fake_hub() as hub:
        assert from_pretrained("old.pth", endpoint=hub.url).num_classes == 3
        assert not hub.requests


def test_a_repository(model: TarsClassifier) -> None:
    with fake_hub() as hub:
        model.push_to_hub("alice/door", endpoint=hub.url, token=TOKEN)
        loaded = from_pretrained("alice/door", endpoint=hub.url)
        with pytest.raises(ModelNotFoundError, match="no revision 'v9'"):
            from_pretrained("alice/door", endpoint=hub.url, revision="v9")
    assert torch.equal(answers(loaded), answers(model))


def test_what_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    (tmp_path / "garbage.pth").write_bytes(b"garbage")
    with pytest.raises(WeightsError, match=r"garbage\.pth"):
        from_pretrained(tmp_path / "garbage.pth")
    torch.save(plain(SMALL), tmp_path / "whole.pth")
    with pytest.raises(UnsafeFileError, match="ShuffleNetV2"):
        from_pretrained(tmp_path / "whole.pth")
    with pytest.raises(ModelNotFoundError, match="no such model folder"):
        from_pretrained(tmp_path / "nothing.pth")
