"""What the page shows to whom. Knows no Gradio, no hub: one answers for one model, another for all of a hub's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

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
    """

    predictor: Predictor
    name: str
    measured: Measured | None = None
    revision: str = ""
    commit: str = ""
    is_default: bool = True

    @property
    def key(self) -> str:
        """By which a visitor's next question finds the very same weights; empty where there is no choice."""
        return f"{self.name}@{self.commit}" if self.commit else ""


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


@dataclass(frozen=True)
class OneModel:
    """One model for everybody, whatever they name."""

    first: Exhibit

    def exhibit(self, _wanted: Wanted, _credentials: Credentials) -> Exhibit:
        return self.first


def measured_of(predictor: Predictor) -> Measured | None:
    """How good the model's card says it is."""
    card = predictor.model.card
    return read_measured(card) if card else None
