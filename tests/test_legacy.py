"""Old checkpoints become classifiers that answer as before, or are refused with a reason a person can act on."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from tars_hub import legacy
from tars_hub.backbones import BACKBONES, build_empty
from tars_hub.config import MAX_CLASSES
from tars_hub.errors import ConfigError, ModelError, UsageError, WeightsError
from tars_hub.legacy import import_checkpoint, infer
from tars_hub.model import TarsClassifier
from tests.networks import answers, pictures, plain

SMALL = "shufflenet_v2_x0_5"
NO_BATCH_NORM = "squeezenet1_1"


def empty(name: str, num_classes: int = 5) -> dict[str, Tensor]:
    """The backbone's tensors by name, shapes alone."""
    return dict(build_empty(name, num_classes).state_dict())


def zeros(name: str) -> dict[str, Tensor]:
    """Zeros in the backbone's shapes, each tensor a view of one number, so that even VGG's file is small."""
    return {key: torch.zeros((), dtype=tensor.dtype).expand(tensor.shape) for key, tensor in empty(name).items()}


def refusal(path: Path, kind: type[Exception] = WeightsError, **options: Any) -> str:
    """The one line with which the file is refused."""
    with pytest.raises(kind) as caught:
        import_checkpoint(path, **options)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 3 * len(str(path)) + 600
    return str(caught.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "old.pth"


# ---------------------------------------------------------------- the answers stay


@pytest.mark.parametrize("name", [SMALL, NO_BATCH_NORM, "resnet18", "densenet121", "mobilenet_v3_small", "mnasnet0_5"])
def test_an_imported_network_answers_exactly_as_before(path: Path, name: str) -> None:
    network = plain(name, 4)
    torch.save(network.state_dict(), path)
    imported = import_checkpoint(path)
    assert imported.model.config.backbone == name
    assert imported.model.config.classes == ("0", "1", "2", "3")
    assert not imported.model.training
    assert torch.equal(answers(imported.model), answers(network))


def test_a_data_parallel_training_run_of_plain_torch_is_imported_and_answers_exactly_as_before(tmp_path: Path) -> None:
    """What the tutorial's generation of programs wrote: trained, wrapped, saved with its settings."""
    network = torchvision.models.resnet18(num_classes=3)
    wrapped = nn.DataParallel(network)
    optimizer = torch.optim.SGD(wrapped.parameters(), lr=0.01, momentum=0.9)
    wrapped.train()
    for _ in range(2):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(wrapped(pictures(64, 4)), torch.tensor([0, 1, 2, 0]))
        loss.backward()
        optimizer.step()
    content = {
        "epoch": 2,
        "arch": "resnet18",
        "state_dict": wrapped.state_dict(),
        "best_acc": np.float64(0.97),
        "optimizer": optimizer.state_dict(),
        "args": argparse.Namespace(lr=0.01, data=Path("/data")),
        "class_to_idx": {"cat": 0, "dog": 1, "fox": 2},
    }
    torch.save(content, tmp_path / "model_best.pth.tar", _use_new_zipfile_serialization=False)
    before = answers(wrapped.eval(), 96)

    imported = import_checkpoint(tmp_path / "model_best.pth.tar")
    assert torch.equal(answers(imported.model, 96), before)
    assert imported.model.config.classes == ("cat", "dog", "fox")
    imported.model.save_pretrained(tmp_path / "model")
    assert torch.equal(answers(TarsClassifier.from_pretrained(tmp_path / "model"), 96), before)


def test_the_notes_say_what_was_done(path: Path) -> None:
    state = {f"module.{name}": tensor for name, tensor in plain(SMALL).state_dict().items()}
    torch.save({"state_dict": state, "state_dict_ema": state}, path)
    notes = " | ".join(import_checkpoint(path).notes)
    assert f"{SMALL}, 3 classes, {len(state)} tensors under 'state_dict', prefix 'module.' taken off" in notes
    assert "no classes; they are called 0 to 2" in notes
    assert "--ema takes those" in notes


def test_averaged_weights_are_taken_when_asked_for(path: Path) -> None:
    network, averaged = plain(SMALL), plain(SMALL)
    torch.save({"state_dict": network.state_dict(), "state_dict_ema": averaged.state_dict()}, path)
    assert torch.equal(answers(import_checkpoint(path).model), answers(network))
    assert torch.equal(answers(import_checkpoint(path, ema=True).model), answers(averaged))


def test_torchs_averaged_model(path: Path) -> None:
    network = plain(SMALL)
    averaged = torch.optim.swa_utils.AveragedModel(network, use_buffers=True)
    averaged.update_parameters(network)
    torch.save({"model": plain(SMALL).state_dict(), "model_ema": averaged.state_dict()}, path)
    assert torch.equal(answers(import_checkpoint(path, ema=True).model), answers(network))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions(path: Path, dtype: torch.dtype) -> None:
    network = plain(SMALL).to(dtype)
    torch.save(network.state_dict(), path)
    model = import_checkpoint(path).model
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert torch.equal(answers(model), answers(network.float()))


def test_a_file_from_before_batchnorm_counted_its_steps(path: Path) -> None:
    network = plain(SMALL)
    state = {name: tensor for name, tensor in network.state_dict().items() if "num_batches_tracked" not in name}
    torch.save(state, path)
    imported = import_checkpoint(path)
    assert torch.equal(answers(imported.model), answers(network))
    counter = imported.model.backbone.state_dict()["conv1.1.num_batches_tracked"]
    assert (counter.dtype, counter.item()) == (torch.int64, 0)


def test_densenets_names_from_before_torchvision_0_2(path: Path) -> None:
    network = plain("densenet121")
    old = re.compile(r"(denselayer\d+\.(?:norm|conv))([12]\.)")
    state = {old.sub(r"\1.\2", name): tensor for name, tensor in network.state_dict().items()}
    assert state.keys() != network.state_dict().keys()
    torch.save(state, path)
    assert torch.equal(answers(import_checkpoint(path).model), answers(network))


def test_tensors_that_are_parts_of_one(path: Path, tmp_path: Path) -> None:
    network = plain(NO_BATCH_NORM)
    flat = torch.cat([tensor.flatten() for tensor in network.state_dict().values()])
    sizes = [tensor.numel() for tensor in network.state_dict().values()]
    parts = zip(network.state_dict().items(), flat.split(sizes), strict=True)
    torch.save({name: part.view(tensor.shape) for (name, tensor), part in parts}, path)
    model = import_checkpoint(path).model
    assert torch.equal(answers(model), answers(network))
    model.save_pretrained(tmp_path / "model")
    assert torch.equal(answers(TarsClassifier.from_pretrained(tmp_path / "model")), answers(network))


def test_an_imported_network_trains_and_saves(path: Path, tmp_path: Path) -> None:
    torch.save(plain(SMALL).state_dict(), path)
    before = path.read_bytes()
    model = import_checkpoint(path).model.train()
    model(pictures(64)).sum().backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    model.save_pretrained(tmp_path / "model")
    assert path.read_bytes() == before
    assert torch.equal(answers(TarsClassifier.from_pretrained(tmp_path / "model")), answers(model.eval()))


def test_a_plain_safetensors_file(tmp_path: Path) -> None:
    network = plain(SMALL)
    save_file(network.state_dict(), tmp_path / "x.safetensors")
    assert torch.equal(answers(import_checkpoint(tmp_path / "x.safetensors").model), answers(network))


def test_a_model_folders_own_weights(tmp_path: Path) -> None:
    model = TarsClassifier.create(SMALL, ["a", "b"])
    model.save_pretrained(tmp_path)
    assert torch.equal(answers(import_checkpoint(tmp_path / "model.safetensors").model), answers(model))


# ---------------------------------------------------------------- which backbone


@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_is_told_from_the_others_by_its_tensors(name: str) -> None:
    assert infer(empty(name), source="x") is BACKBONES[name]


def test_only_backbones_with_such_a_head_are_built(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []

    def record(name: str, num_classes: int) -> nn.Module:
        built.append(name)
        return build_empty(name, num_classes)

    tensors = empty("vit_b_32")
    legacy._with_1000_classes.cache_clear()
    monkeypatch.setattr(legacy.backbones, "build_empty", record)
    assert infer(tensors, source="x").name == "vit_b_32"
    assert set(built) == {name for name, row in BACKBONES.items() if row.head == "heads.head"}


def test_several_that_fit_are_listed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(legacy, "BACKBONES", {**BACKBONES, "twin": BACKBONES[SMALL]})
    torch.save(plain(SMALL).state_dict(), path)
    message = refusal(path, UsageError)
    assert f"{SMALL}, twin" in message
    assert "--backbone" in message
    assert import_checkpoint(path, backbone=SMALL).model.config.backbone == SMALL


def test_a_network_that_is_none_of_torchvisions_gets_the_nearest(path: Path) -> None:
    state = plain("resnet18").state_dict()
    state["layer5.weight"] = torch.zeros(3)
    del state["layer1.0.conv1.weight"]
    torch.save(state, path)
    message = refusal(path)
    assert "fits no torchvision classification network" in message
    assert "nearest are resnet18 (2 tensors differ)," in message
    assert "lacks layer1.0.conv1.weight; has the unexpected layer5.weight" in message


def test_a_network_of_another_kind_altogether(path: Path) -> None:
    torch.save(nn.Sequential(nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 2)).state_dict(), path)
    assert "fits no torchvision classification network; nearest are" in refusal(path)


def test_timms_vit_is_not_taken_for_torchvisions(path: Path) -> None:
    import timm

    torch.save(timm.create_model("vit_tiny_patch16_224", num_classes=3).state_dict(), path)
    assert "fits no torchvision classification network" in refusal(path)


def test_the_named_backbone_is_the_one_checked(path: Path) -> None:
    torch.save(plain("resnet18").state_dict(), path)
    message = refusal(path, backbone="resnet34")
    assert message.startswith(f"{path} lacks layer1.2.")
    assert "fits no" not in message
    assert "no backbone 'resnet-18'; did you mean resnet18" in refusal(path, UsageError, backbone="resnet-18")
    assert "classifier.1" in refusal(path, backbone="mobilenet_v2")


def test_a_misshapen_tensor_is_named(path: Path) -> None:
    state = plain("resnet18").state_dict()
    state["conv1.weight"] = torch.zeros(64, 1, 7, 7)  # for grey pictures
    torch.save(state, path)
    assert "conv1.weight (64, 1, 7, 7) instead of (64, 3, 7, 7)" in refusal(path)
    assert "conv1.weight (64, 1, 7, 7) instead of (64, 3, 7, 7)" in refusal(path, backbone="resnet18")


@pytest.mark.parametrize(
    ("name", "head", "layers"),
    [
        ("resnet18", "fc", "fc.1.bias, fc.1.weight"),
        ("densenet121", "classifier", "classifier.1.bias, classifier.1.weight"),
        ("vgg11", "classifier.6", "classifier.6.1.bias, classifier.6.1.weight"),
        ("mobilenet_v2", "classifier.1", "classifier.1.1.bias, classifier.1.1.weight"),
    ],
)
@pytest.mark.parametrize("named", [True, False], ids=["named", "inferred"])
def test_a_stack_of_layers_for_a_head_is_said_so(path: Path, name: str, head: str, layers: str, named: bool) -> None:
    state = zeros(name)
    for part in ("weight", "bias"):
        state[f"{head}.1.{part}"] = state.pop(f"{head}.{part}")
    torch.save(state, path)
    message = refusal(path, backbone=name if named else None)
    assert f"has a stack of layers for a head ({layers}), where {name} has one layer, {head}" in message


@pytest.mark.parametrize("named", [True, False], ids=["named", "inferred"])
def test_a_vision_transformer_of_another_picture_size_is_said_so(path: Path, named: bool) -> None:
    state = zeros("vit_b_32")
    state["encoder.pos_embedding"] = torch.zeros(1, 1 + (384 // 32) ** 2, 768)
    torch.save(state, path)
    message = refusal(path, backbone="vit_b_32" if named else None)
    assert "trained on pictures of another size than 224 px, the only one that vit_b_32 takes" in message
    assert "encoder.pos_embedding" in message


def test_a_file_without_a_head(path: Path) -> None:
    state = plain("resnet18").state_dict()
    del state["fc.weight"], state["fc.bias"]
    torch.save(state, path)
    assert "lacks fc.bias, fc.weight" in refusal(path, backbone="resnet18")
    assert "nearest are resnet18" in refusal(path)


@pytest.mark.parametrize(
    "head", [torch.zeros(0, 1024), torch.zeros(1024), torch.tensor(1.0), torch.zeros(3, 1024, 1, 1)]
)
def test_a_head_of_an_impossible_shape(path: Path, head: Tensor) -> None:
    state = {**plain(SMALL).state_dict(), "fc.weight": head, "fc.bias": torch.zeros(3)}
    torch.save(state, path)
    assert "fc.weight" in refusal(path, backbone=SMALL)
    refusal(path)


def test_a_head_for_a_thousand_million_classes(path: Path) -> None:
    """A view with stride 0 makes a file of a few bytes claim any shape."""
    state = plain(SMALL).state_dict()
    state["fc.weight"] = torch.zeros(1, 1024).expand(10**9, 1024)
    state["fc.bias"] = torch.zeros(1).expand(10**9)
    torch.save(state, path)
    assert path.stat().st_size < 10**7
    assert f"1,000,000,000 classes; {MAX_CLASSES:,} are the most" in refusal(path)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(3, 1024, device="meta"),
        torch.zeros(3, 1024).to_sparse(),
        torch.zeros(3, 1024, dtype=torch.int8),
        torch.zeros(3, 1024, dtype=torch.complex64),
    ],
    ids=["no values", "sparse", "int8", "complex"],
)
def test_a_tensor_that_is_no_plain_one_is_named(path: Path, tensor: Tensor) -> None:
    torch.save({**plain(SMALL).state_dict(), "fc.weight": tensor}, path)
    assert "has no plain numbers in fc.weight" in refusal(path)


# ---------------------------------------------------------------- auxiliary heads


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
@pytest.mark.parametrize("kind", ["whole", "without", "at 1000 classes", "without counters"])
def test_auxiliary_heads_missing_or_forgotten_do_not_matter(path: Path, name: str, kind: str) -> None:
    network = plain(name, 3, aux_logits=kind != "without", init_weights=False)
    if kind == "at 1000 classes":  # as programs left them that replaced `fc` alone
        for layer in BACKBONES[name].aux_heads:
            old = network.get_submodule(layer)
            assert isinstance(old, nn.Linear)
            parent, _, leaf = layer.rpartition(".")
            setattr(network.get_submodule(parent), leaf, nn.Linear(old.in_features, 1000))
    state = network.state_dict()
    if kind == "without counters":
        state = {key: tensor for key, tensor in state.items() if "num_batches_tracked" not in key}  # type: ignore[assignment]
    torch.save(state, path)
    imported = import_checkpoint(path)
    assert imported.model.config.backbone == name
    assert torch.equal(answers(imported.model, 75), answers(network, 75))
    noted = "auxiliary heads" in " ".join(imported.notes)
    assert noted == (kind in ("without", "at 1000 classes"))
    tensors = imported.model.backbone.state_dict()
    for layer in BACKBONES[name].aux_heads:
        assert tensors[f"{layer}.weight"].shape[0] == 3
    assert all(bool(tensor.isfinite().all()) for tensor in tensors.values())
    if kind == "without":  # the fresh ones can be trained
        logits = imported.model.train()(pictures(BACKBONES[name].min_train_px))
        assert {part.shape for part in logits} == {(2, 3)}
        assert all(bool(part.isfinite().all()) for part in logits)


def test_an_unexpected_tensor_among_the_auxiliary_heads_is_named(path: Path) -> None:
    state = plain("googlenet", 3, init_weights=False).state_dict()
    state["aux1.extra"] = torch.zeros(1)
    torch.save(state, path)
    assert "aux1.extra" in refusal(path)


# ---------------------------------------------------------------- classes and sizes


def test_the_class_count_is_the_heads(path: Path) -> None:
    for count in (1, 2, 1000):
        torch.save(plain(NO_BATCH_NORM, count).state_dict(), path)
        assert import_checkpoint(path).model.num_classes == count


def test_class_names_that_are_given_win(path: Path) -> None:
    torch.save({"model": plain(SMALL).state_dict(), "classes": ["a", "b", "c"]}, path)
    assert import_checkpoint(path).model.config.classes == ("a", "b", "c")
    assert import_checkpoint(path, classes=["x", "y", "z"]).model.config.classes == ("x", "y", "z")


@pytest.mark.parametrize("names", [["a", "b"], ["a", "b", "c", "d"], ["a", "a", "b"]])
def test_names_in_the_file_that_cannot_be_the_heads_are_not_taken(path: Path, names: list[str]) -> None:
    torch.save({"model": plain(SMALL).state_dict(), "classes": names}, path)
    imported = import_checkpoint(path)
    assert imported.model.config.classes == ("0", "1", "2")
    assert any(f"{len(names)} names for 3 classes" in note for note in imported.notes)


@pytest.mark.parametrize(
    ("classes", "kind", "words"),
    [
        (["a", "b"], UsageError, "2 class names were given, but the head has 3 outputs"),
        (["a", "b", "b"], ConfigError, "'b' stands twice"),
        ("a,b,c", ConfigError, "give a list"),
        ([], ConfigError, "0 classes"),
    ],
)
def test_given_names_that_cannot_be_say_why(path: Path, classes: Any, kind: type[Exception], words: str) -> None:
    torch.save(plain(SMALL).state_dict(), path)
    assert words in refusal(path, kind, classes=classes)


def test_the_picture_size_of_training_is_kept(path: Path) -> None:
    torch.save(plain(SMALL).state_dict(), path)
    assert import_checkpoint(path).model.config.preprocess.crop_size == 224
    assert import_checkpoint(path, img_size=64).model.config.preprocess.crop_size == 64
    assert "0 px" in refusal(path, UsageError, img_size=0)


def test_nothing_is_ever_half_done(path: Path, tmp_path: Path) -> None:
    """A refused file leaves the folder it lies in as it was."""
    path.write_bytes(b"garbage")
    with pytest.raises(ModelError):
        import_checkpoint(path)
    assert list(tmp_path.iterdir()) == [path]
