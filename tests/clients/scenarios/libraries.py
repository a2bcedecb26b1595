"""Libraries that stand on huggingface_hub push a network and pull it back; it runs where torch is."""

from __future__ import annotations

from typing import Any

import timm
import torch
from huggingface_hub import HfApi, PyTorchModelHubMixin, model_info
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForImageClassification,
    ResNetConfig,
    ResNetForImageClassification,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
)
from world import FACTS, World, fails, run

from tars_hub.errors import ModelNotFoundError
from tars_hub.model import TarsClassifier

PICTURE = torch.linspace(-1, 1, 3 * 64 * 64).reshape(1, 3, 64, 64)


def _equal(ours: nn.Module, theirs: nn.Module) -> bool:
    """The same weights to the bit, and so the same answers but for the order in which sums are added."""
    first, second = ours.state_dict(), theirs.state_dict()
    same = first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)
    return same and torch.allclose(_answers(ours), _answers(theirs), atol=1e-4)


def _answers(model: nn.Module) -> Tensor:
    with torch.no_grad():
        told = model.eval()(PICTURE)
    logits: Tensor = getattr(told, "logits", told)
    return logits


def check_tars_classifier(at: World) -> None:
    model = TarsClassifier.create("resnet18", ("cat", "dog"))
    address = model.push_to_hub(f"{at.user}/tars", endpoint=FACTS["url"], token=at.token)
    assert address.startswith(f"{FACTS['url']}/{at.user}/tars/commit/")
    back = TarsClassifier.from_pretrained(f"{at.user}/tars", endpoint=FACTS["url"], token=at.token)
    assert back.config == model.config
    assert _equal(model, back)
    assert at.files(f"{at.user}/tars") == {"README.md", "config.json", "model.safetensors"}


def check_tars_classifier_by_the_environment_alone(at: World) -> None:
    """HF_ENDPOINT and HF_TOKEN are set; nothing is said in the calls."""
    model = TarsClassifier.create("shufflenet_v2_x0_5", ("a", "b", "c"))
    model.push_to_hub(f"{at.user}/tars-env", private=False)
    assert _equal(model, TarsClassifier.from_pretrained(f"{at.user}/tars-env"))
    assert at.as_(token=False).model_info(f"{at.user}/tars-env").private is False


def check_tars_classifier_at_a_tag_and_refused(at: World) -> None:
    repo = f"{at.user}/tars-env"
    at.api.create_tag(repo, tag="v1")
    TarsClassifier.create("shufflenet_v2_x0_5", ("x", "y")).push_to_hub(repo)
    assert TarsClassifier.from_pretrained(repo, revision="v1").config.classes == ("a", "b", "c")
    assert TarsClassifier.from_pretrained(repo).config.classes == ("x", "y")
    for name, options in ((f"{at.user}/none", {}), (repo, {"revision": "none"}), (f"{at.user}/tars", {"token": False})):
        with fails(ModelNotFoundError):
            TarsClassifier.from_pretrained(name, **options)


def check_what_tars_pushes_the_hub_understands(at: World) -> None:
    told = at.api.model_info(f"{at.user}/tars")
    model = TarsClassifier.create("resnet18", ("cat", "dog"))
    assert told.pipeline_tag == "image-classification"
    assert told.library_name
    assert told.safetensors is not None
    assert told.safetensors.total == sum(item.numel() for item in model.backbone.state_dict().values())
    found = [item.id for item in at.api.list_models(author=at.user, pipeline_tag="image-classification")]
    assert f"{at.user}/tars" in found


def check_tars_is_read_by_timm_and_transformers(at: World) -> None:
    ours = TarsClassifier.from_pretrained(f"{at.user}/tars").backbone
    assert _equal(ours, timm.create_model(f"hf-hub:{at.user}/tars", pretrained=True))
    theirs = AutoModelForImageClassification.from_pretrained(f"{at.user}/tars")
    assert torch.allclose(_answers(ours), _answers(theirs), atol=1e-4)


def check_timm(at: World) -> None:
    model = timm.create_model("resnet10t", num_classes=4)
    timm.models.push_to_hf_hub(model, f"{at.user}/timm", model_config={"label_names": list("abcd")}, private=True)
    back = timm.create_model(f"hf-hub:{at.user}/timm", pretrained=True)
    assert _equal(model, back)
    told = model_info(f"{at.user}/timm")
    assert told.library_name == "timm"
    assert told.private is True


def check_timm_at_a_revision(at: World) -> None:
    repo = f"{at.user}/timm"
    at.api.create_tag(repo, tag="v1")
    first = timm.create_model(f"hf-hub:{repo}", pretrained=True)
    timm.models.push_to_hf_hub(timm.create_model("resnet10t", num_classes=2), repo)
    assert _equal(first, timm.create_model(f"hf-hub:{repo}@v1", pretrained=True))
    assert timm.create_model(f"hf-hub:{repo}", pretrained=True).num_classes == 2


def _small_vit() -> ViTForImageClassification:
    config = ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=64, num_labels=5
    )
    return ViTForImageClassification(config)


def check_transformers(at: World) -> None:
    for name, model in (
        ("vit", _small_vit()),
        ("resnet", ResNetForImageClassification(ResNetConfig(embedding_size=16, hidden_sizes=[16, 32], depths=[1, 1]))),
    ):
        model.push_to_hub(f"{at.user}/{name}")
        back = AutoModelForImageClassification.from_pretrained(f"{at.user}/{name}")
        assert _equal(model, back)
        assert AutoConfig.from_pretrained(f"{at.user}/{name}").model_type == name


def check_transformers_in_pieces_and_its_processor(at: World) -> None:
    model, repo = _small_vit(), f"{at.user}/pieces"
    model.push_to_hub(repo, max_shard_size="50KB")
    ViTImageProcessor(size={"height": 64, "width": 64}).push_to_hub(repo)
    assert len([name for name in at.files(repo) if name.endswith(".safetensors")]) > 1
    assert _equal(model, ViTForImageClassification.from_pretrained(repo))
    assert AutoImageProcessor.from_pretrained(repo).size["height"] == 64
    told: Any = HfApi().get_safetensors_metadata(repo)
    assert told.sharded


def check_transformers_says_what_is_missing(at: World) -> None:
    with fails(OSError, f"{at.user}/none-such"):
        AutoModelForImageClassification.from_pretrained(f"{at.user}/none-such")


class Small(nn.Module, PyTorchModelHubMixin, library_name="ours", tags=["mixed-in"]):
    """A module of somebody else."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.layer = nn.Linear(width, width)

    def forward(self, values: Tensor) -> Tensor:
        """(N, width) float32 to the same."""
        return self.layer(values)


def check_the_mixin(at: World) -> None:
    model = Small(width=64)
    model.push_to_hub(f"{at.user}/mixin", private=True)
    back = Small.from_pretrained(f"{at.user}/mixin")
    assert _equal(model, back)
    assert "mixed-in" in (model_info(f"{at.user}/mixin").tags or [])


if __name__ == "__main__":
    run()
