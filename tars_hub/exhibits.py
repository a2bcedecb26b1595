"""What the page shows to whom. Knows no Gradio, no hub: one answers for one model, another for all of a hub's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tars_hub.batching import Batcher
from tars_hub.card import Measured, read_measured
from tars_hub.predict import Predictor

SESSION_COOKIE = "tars_session"  # a hub's, for browsers that are logged in


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A model as a visitor names it, who may write anything.

    Attributes:
        model: "owner/name"; empty is the page's own.
        revision: branch, tag or commit id; empty is the main branch.
    """

    model: str = ""
    revision: str = ""

    @classmethod
    def parse(cls, key: str) -> Wanted:
        """From what `Exhibit.key` is, or should be."""
        model, _, revision = key.partition("@")
        return cls(model=model, revision=revision)


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What a visitor's request carries to say who they are; empty where it carries none.

    Attributes:
        token: of `Authorization: Bearer`.
        session: the value of the hub's cookie.
    """

    token: str = field(default="", repr=False)
    session: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """A model on show.

    Attributes:
        name: the model's, as visitors know it; with a hub its id.
        measured: how good it was found to be; None says that nobody knows.
        revision: as the visitor named it; empty without a hub.
        commit: what that stands for, 40 hex digits; empty without a hub.
        is_default: what who names no model is shown, and the page's examples belong to.
        batcher: by which visitors' pictures go to the predictor, those of one moment together.
    """

    predictor: Predictor
    name: str
    measured: Measured | None = None
    revision: str = ""
    commit: str = ""
    is_default: bool = True
    batcher: Batcher = field(default=None, repr=False, compare=False)  # type: ignore[assignment]  # made below

    def __post_init__(self) -> None:
        if self.batcher is None:
            engine = self.predictor.engine
            object.__setattr__(self, "batcher", Batcher(self.predictor, engine.together, engine.callers))

    @property
    def key(self) -> str:
        """By which a visitor's next question finds the very same weights; empty where there is no choice."""
        return f"{self.name}@{self.commit}" if self.commit else ""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A model that a visitor may open.

    Attributes:
        model: "owner/name".
        accuracy: the share of pictures that it gets right, 0..1, as its card says; None says that nobody knows.
        backbone: the name of its network.
        classes: how many it tells apart.
        private: whether it is open to some people alone.
        updated: when it was last changed, in ISO 8601; empty where nobody knows.
    """

    model: str
    accuracy: float | None
    backbone: str
    classes: int
    private: bool
    updated: str = ""


class Models(Protocol):
    """Which model a visitor means, and whether they may ask it.

    Attributes:
        first: what everybody sees, where nobody has a choice; None where each visitor names a model.
    """

    @property
    def first(self) -> Exhibit | None: ...

    def exhibit(self, wanted: Wanted, credentials: Credentials) -> Exhibit:
        """The model a visitor means. Asked again for each picture: what somebody might see can be closed to them.

        Raises:
            ModelError: there is none, it is not open to this visitor, or it is no model that can be shown.
            DownloadError: it cannot be had now.
        """
        ...

    def at_hand(self, wanted: Wanted, credentials: Credentials) -> Exhibit | None:
        """What `exhibit` returns now, if that can be said without waiting; None where it has to be asked for."""
        ...

    def offers(self, search: str, credentials: Credentials) -> Sequence[Offer]:
        """What a visitor may open, changed last first; a few of them where there are many.

        Args:
            search: part of a model's id, in any case; empty for all.

        Raises:
            ModelError: the visitor's credentials are not good any more.
            DownloadError: nobody knows now.
        """
        ...

    def revisions(self, model: str, credentials: Credentials) -> Sequence[str]:
        """The branches of a model, the main one first, and its tags. Raises as `exhibit`."""
        ...

    def knows(self, credentials: Credentials) -> bool:
        """Whether they say who the visitor is, so that logging in would not help; False where nobody can tell now."""
        ...


@dataclass(frozen=True)
class OneModel:
    """One model for everybody, whatever they name."""

    first: Exhibit

    def exhibit(self, _wanted: Wanted, _credentials: Credentials) -> Exhibit:
        return self.first

    def at_hand(self, _wanted: Wanted, _credentials: Credentials) -> Exhibit:
        return self.first

    def offers(self, _search: str, _credentials: Credentials) -> Sequence[Offer]:
        return ()

    def revisions(self, _model: str, _credentials: Credentials) -> Sequence[str]:
        return ()

    def knows(self, _credentials: Credentials) -> bool:
        return False


def measured_of(predictor: Predictor) -> Measured | None:
    """How good the model's card says it is."""
    return read_measured(predictor.card) if predictor.card else None
