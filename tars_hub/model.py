"""TarsClassifier: a config and a torchvision network, and their way to and from a folder or a hub."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from huggingface_hub import ModelCard, PyTorchModelHubMixin
from safetensors import SafetensorError
from torch import Tensor, nn

from tars_hub import backbones, weights
from tars_hub.card import write_card
from tars_hub.config import (
    CARD_NAME,
    CONFIG_NAME,
    FIGURES,
    PUSHED,
    WEIGHTS_NAME,
    ModelConfig,
    Preprocess,
    check_classes,
    read_card,
)
from tars_hub.errors import ConfigError, UsageError
from tars_hub.files import read_together, replace_folder
from tars_hub.remote import ModelSource, model_folder, push_folder


class TarsClassifier(nn.Module, PyTorchModelHubMixin, library_name="tars-hub"):
    """An image classifier that knows its classes and how its pictures are prepared.

    Shape: (N, 3, H, W) float32, RGB, normalised as `config.preprocess` says, to (N, num_classes) logits.
    In training mode googlenet and inception_v3 answer with torchvision's named tuple instead, which
    holds the logits of their auxiliary heads too.

    Attributes:
        config: everything config.json holds.
        backbone: the torchvision network; its tensors are saved under its own names.
        card: the text of README.md as loaded or last saved; None where there is none yet.
        folder: the folder it was loaded from or last saved to; None where there is none yet.
    """

    def __init__(self, config: ModelConfig, backbone: nn.Module | None = None) -> None:
        super().__init__()
        self.config = config
        self.backbone = backbones.build(config.backbone, config.num_classes) if backbone is None else backbone
        self.card: str | None = None
        self.folder: Path | None = None
        self.eval()

    @classmethod
    def create(
        cls,
        backbone: str,
        classes: Sequence[str],
        weights: str | None = None,
        *,
        preprocess: Preprocess | None = None,
        drawings: bool = False,
    ) -> TarsClassifier:
        """A new classifier.

        Args:
            backbone: a name of `tars_hub.backbones`, such as "resnet50".
            classes: the names, in the order of the logits.
            weights: None for random ones, "imagenet" for torchvision's.
            preprocess: without it, as the backbone's ImageNet weights were trained.

        Raises:
            UsageError: no such backbone or weights.
            ConfigError: the class names cannot stand.
            DownloadError: the ImageNet weights could not be fetched.
        """
        config = ModelConfig(
            backbone=backbones.find(backbone).name,
            classes=check_classes(classes),
            preprocess=preprocess or backbones.preprocess_for(backbone),
            drawings=drawings,
        )
        if weights is None:
            return cls(config)
        if weights != "imagenet":
            raise UsageError(f"weights is {weights!r}; it must be None or 'imagenet'")
        return cls(config, backbones.build_pretrained(backbone, config.num_classes))

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) float32, normalised, to (N, num_classes) logits."""
        logits: Tensor = self.backbone(pictures)
        return logits

    @property
    def num_classes(self) -> int:
        return self.config.num_classes

    @classmethod
    def from_pretrained(  # type: ignore[override]  # the mixin's names, and `endpoint` and `device` besides
        cls,
        pretrained_model_name_or_path: ModelSource,
        *,
        revision: str | None = None,
        endpoint: str | None = None,
        token: str | bool | None = None,
        device: str | torch.device | None = None,
        cache_dir: str | Path | None = None,
        force_download: bool = False,
        local_files_only: bool = False,
    ) -> TarsClassifier:
        """Load a folder, or a repository of huggingface.co or of the hub at `endpoint`; in eval mode.

        Raises:
            ModelNotFoundError, DownloadError: nothing there, or no way to it.
            ConfigError: config.json cannot be used.
            WeightsError: a tensor is missing, unexpected or misshapen; the message names it.
        """
        folder = model_folder(
            pretrained_model_name_or_path,
            revision=revision,
            endpoint=endpoint,
            token=token,
            cache_dir=cache_dir,
            force_download=force_download,
            local_files_only=local_files_only,
        )
        model = cls._load(folder)
        return model if device is None else model.to(device)

    @classmethod
    def _load(cls, folder: Path) -> TarsClassifier:
        file = folder / WEIGHTS_NAME
        config, tensors = read_together(
            [folder / CONFIG_NAME, file],
            lambda: (_load_config(folder / CONFIG_NAME), weights.read_safetensors(file)),
        )
        network = backbones.build_empty(config.backbone, config.num_classes)
        weights.fill(network, tensors, source=str(file))
        model = cls(config, network)
        model.card = read_card(folder)
        model.folder = folder.resolve()
        return model

    def save_pretrained(
        self,
        save_directory: ModelSource,
        *,
        card: str | None = None,
        finish: Callable[[Path], None] | None = None,
        remove: Collection[str] = (),
        repo_id: str | None = None,
        push_to_hub: bool = False,
        **push_to_hub_kwargs: Any,  # noqa: ANN401  # handed on
    ) -> str | None:
        """Write `model.safetensors`, `config.json` and `README.md`, all at once or not at all.

        Args:
            save_directory: created where missing; other files in it stay.
            card: text of README.md; without it the one the model came with, or a new one.
            finish: is given the folder in the making, which holds the three files, and may add to it. If it
                raises, nothing is replaced; what it raises arrives as it is, but for an OSError.
            remove: other files of the old folder that go, as "training/state.safetensors".
            push_to_hub: push as well, to `repo_id` or a repository named as the folder.

        Returns:
            The commit's address where pushed, else None.

        Raises:
            UsageError: the folder cannot be written.
        """
        folder = Path(save_directory)
        card = card or self._card_text()
        self._save(folder, card, finish=finish, remove=remove)
        self.card, self.folder = card, folder.resolve()
        if not push_to_hub:
            return None
        return self.push_to_hub(repo_id or self.folder.name, **push_to_hub_kwargs)

    def _save(
        self,
        folder: Path,
        card: str,
        *,
        finish: Callable[[Path], None] | None = None,
        remove: Collection[str] = (),
    ) -> None:
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder} is a file; a model is saved as a folder")

        def write(fresh: Path) -> None:
            self._save_pretrained(fresh, card)
            if finish is not None:
                finish(fresh)

        try:
            replace_folder(folder, write, remove=remove)
        except (OSError, SafetensorError) as error:
            raise UsageError(f"{folder} cannot be written: {' '.join(str(error).split())}") from error

    def _save_pretrained(self, save_directory: Path, card: str | None = None) -> None:
        weights.write_safetensors(self.backbone.state_dict(), save_directory / WEIGHTS_NAME)
        config = {**self.config.to_dict(), **backbones.timm_fields(self.config)}
        text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
        (save_directory / CONFIG_NAME).write_text(text, encoding="utf-8")
        (save_directory / CARD_NAME).write_text(card or self._card_text(), encoding="utf-8")

    def push_to_hub(  # type: ignore[override]  # the mixin's names, and `endpoint` besides
        self,
        repo_id: str,
        *,
        endpoint: str | None = None,
        token: str | bool | None = None,
        private: bool | None = None,
        branch: str | None = None,
        create_pr: bool | None = None,
        commit_message: str = "Push an image classifier with Tars Hub",
    ) -> str:
        """Create the repository where missing and push the three files in one commit.

        Where the card is that of `folder` and shows pictures of a training, they and its numbers go with it.

        Args:
            endpoint: a hub's address; without it HF_ENDPOINT or https://huggingface.co.
            private: for a new repository; None leaves it to the hub.

        Returns:
            The commit's address.

        Raises:
            UsageError, ModelNotFoundError, DownloadError: as `remote.push_folder`.
        """
        card = self._card_text()
        shown = _training_files(self.folder, card) if self.folder else {}
        with TemporaryDirectory() as temporary:
            folder = Path(temporary) / "model"
            self._save(folder, card, finish=lambda fresh: _lay(shown, fresh))
            return push_folder(
                folder,
                repo_id,
                endpoint=endpoint,
                token=token,
                private=private,
                branch=branch,
                create_pr=create_pr,
                commit_message=commit_message,
                replaces=PUSHED if shown else (),
            )

    def generate_model_card(self, *_: object, **__: object) -> ModelCard:
        """The card as the mixin's users expect it: an object of huggingface_hub."""
        return ModelCard(self._card_text())

    def _card_text(self) -> str:
        return self.card or write_card(self.config)


def _training_files(folder: Path, card: str) -> dict[str, bytes]:
    """The pictures that the card shows and the numbers of the training, by name, if it is the folder's card.

    A card without pictures is of a model that was not trained here: what lies there is an earlier one's.

    Raises:
        UsageError: one cannot be read.
    """
    shown = [name for name in FIGURES if name in card]
    names = [name for name in PUSHED if name in shown or name not in FIGURES] if shown else []

    def read() -> dict[str, bytes]:
        if read_card(folder) != card:
            return {}
        return {name: (folder / name).read_bytes() for name in names if _is_own_file(folder, name)}

    try:
        return read_together([folder / name for name in (CARD_NAME, *names)], read)
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}") from error


def _is_own_file(folder: Path, name: str) -> bool:
    """Whether it is there and no link, which could lead to any file of its owner's."""
    return (folder / name).is_file() and (folder / name).resolve() == folder / name


def _lay(files: Mapping[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)


def _load_config(path: Path) -> ModelConfig:
    config = ModelConfig.load(path)
    try:
        row = backbones.find(config.backbone)
        backbones.check_size(row, config.preprocess.crop_size)
    except UsageError as error:
        raise ConfigError(f"{path}: {error}") from error
    return config
