"""Any model of a hub, for whoever may download it: fetched, loaded and kept while others do not need its place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from weakref import finalize

from tars_hub.config import CARD_NAME, CONFIG_NAME, WEIGHTS_NAME, ModelConfig
from tars_hub.errors import DownloadError, ModelError
from tars_hub.exhibits import Credentials, Exhibit, Offer, Wanted, measured_of
from tars_hub.hub_answers import MAIN, Place
from tars_hub.hub_door import HubDoor
from tars_hub.limits import from_environment
from tars_hub.memory import give_back, memory_for
from tars_hub.predict import Predictor
from tars_hub.private_folder import private_folder
from tars_hub.shelf import Shelf, Take

_CARD_BYTES = 1 << 20  # a longer one is left out
_NAME_LETTERS = 500  # of a class; every answer has ten of them several times


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What strangers' models may take of this machine.

    Attributes:
        models: how many stay loaded.
        memory_bytes: all that are loaded or are being loaded, by their parameters and buffers.
        model_bytes: the files of one.
        side_px: the square that its network sees. Memory and time grow with its area.
    """

    models: int = 4
    memory_bytes: int = 4 << 30
    model_bytes: int = 2 << 30
    side_px: int = 1024

    @classmethod
    def from_environment(cls) -> Limits:
        """Limits that the environment names, as TARS_DEMO_MODELS=8; the usual ones besides.

        Raises:
            UsageError: a value is no whole number above 0.
        """
        return from_environment(cls, "TARS_DEMO_")


class HubModels:
    """The models of a hub, as `exhibits.Models` has them."""

    def __init__(
        self, hub: str | HubDoor, default: str, *, device: str | None = None, limits: Limits | None = None
    ) -> None:
        """
        Args:
            hub: its address, as `HubDoor` takes it, or its door.
            default: id of the model for visitors who name none.
        """
        self._door = HubDoor(hub) if isinstance(hub, str) else hub
        self._default = default
        self._device = device
        self._limits = limits or Limits()
        room = ExitStack()
        # Not below the folder of visitors' pictures, out of which files are served.
        self._pulled = room.enter_context(private_folder("tars-models-"))
        finalize(self, room.close)
        self._shelf: Shelf[Place, Exhibit] = Shelf(
            self._limits.models,
            room=self._limits.memory_bytes,
            size_of=lambda exhibit: exhibit.predictor.memory_bytes,
        )

    @property
    def first(self) -> None:
        return None

    def exhibit(self, wanted: Wanted, credentials: Credentials) -> Exhibit:
        """As `exhibits.Models.exhibit`; the hub is asked each time, for a model that is loaded already too."""
        revision = wanted.revision or MAIN
        place = self._door.find(wanted.model or self._default, revision, credentials)
        exhibit = self._shelf.get(place, partial(self._load, place, credentials))
        return replace(exhibit, revision=revision)

    def at_hand(self, wanted: Wanted, credentials: Credentials) -> Exhibit | None:
        """As `exhibits.Models.at_hand`."""
        revision = wanted.revision or MAIN
        place = self._door.known(wanted.model or self._default, revision, credentials)
        exhibit = self._shelf.peek(place) if place else None
        return replace(exhibit, revision=revision) if exhibit else None

    def offers(self, search: str, credentials: Credentials) -> Sequence[Offer]:
        """As `exhibits.Models.offers`: the hub says what they may download."""
        return self._door.offers(search, credentials)

    def revisions(self, model: str, credentials: Credentials) -> Sequence[str]:
        """As `exhibits.Models.revisions`."""
        return self._door.revisions(model, credentials)

    def knows(self, credentials: Credentials) -> bool:
        """As `exhibits.Models.knows`."""
        return self._door.knows(credentials)

    def _load(self, place: Place, credentials: Credentials, take: Take) -> Exhibit:
        kept = TemporaryDirectory(dir=self._pulled, ignore_cleanup_errors=True)
        folder = Path(kept.name)
        try:
            self._fetch(place, folder, credentials)
            self._check(ModelConfig.load(folder / CONFIG_NAME))
            take(self._within_memory(memory_for(folder / WEIGHTS_NAME)))
            give_back()
            predictor = Predictor.from_pretrained(folder, device=self._device)
            self._within_memory(predictor.memory_bytes)
        except BaseException as error:
            kept.cleanup()
            if not isinstance(error, ModelError):
                raise
            reason = str(error).replace(f"{folder}{os.sep}", "").rstrip(".")
            raise ModelError(f"{place.model} cannot be shown: {reason}.") from error
        _keep_while_needed(kept, predictor)
        return Exhibit(
            predictor=predictor,
            name=place.model,
            measured=measured_of(predictor),
            commit=place.commit,
            is_default=place.model.lower() == self._default.lower(),
        )

    def _fetch(self, place: Place, folder: Path, credentials: Credentials) -> None:
        """The three files by their names and no other: what else lies there, such as pickles, stays there."""
        left = self._limits.model_bytes
        for name in (CONFIG_NAME, WEIGHTS_NAME):
            left -= self._door.fetch(place, name, folder / name, credentials, most=left)
        try:
            self._door.fetch(place, CARD_NAME, folder / CARD_NAME, credentials, most=_CARD_BYTES)
        except (ModelError, DownloadError):
            (folder / CARD_NAME).unlink(missing_ok=True)  # a model without a card is a model

    def _check(self, config: ModelConfig) -> None:
        """Before it is loaded, which may take long."""
        side = config.preprocess.crop_size
        if side > self._limits.side_px:
            raise ModelError(f"its network sees {side} px, and up to {self._limits.side_px} are shown here")
        longest = max(map(len, config.classes))
        if longest > _NAME_LETTERS:
            raise ModelError(f"the name of a class has {longest:,} letters, and up to {_NAME_LETTERS} are shown here")

    def _within_memory(self, size: int) -> int:
        most = self._limits.memory_bytes
        if size > most:
            raise ModelError(
                f"its network takes {_mib(size):,.0f} MiB of memory, and there are {_mib(most):,.0f} for models here"
            )
        return size


def _keep_while_needed(kept: TemporaryDirectory[str], predictor: Predictor) -> None:
    """torch has read all it needs; beside another engine the model is read when somebody asks where it looked."""
    if predictor.engine.name == "torch":
        kept.cleanup()
    else:
        finalize(predictor, kept.cleanup)


def _mib(size: int) -> float:
    return size / (1 << 20)
