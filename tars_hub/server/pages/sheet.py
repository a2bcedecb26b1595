"""What the page of a model needs to know of a revision's files, read once for each state of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from tars_hub.server.front_matter import body
from tars_hub.server.hub import Hub
from tars_hub.server.pages.labels import class_names
from tars_hub.server.pages.markdown import SHOWN_BYTES, Place, plain, render
from tars_hub.server.pages.metrics import Figure, figures_of
from tars_hub.server.recent import Recent
from tars_hub.server.records import Commit, File
from tars_hub.server.rules import contents, revisions
from tars_hub.server.rules.turns import turn
from tars_hub.server.wire.reading import read_json

_CARD, _CONFIG = "README.md", "config.json"
_METRICS = ("training/metrics.json", "metrics.json")
_CONFIG_BYTES = 8 << 20
_METRICS_BYTES = 4 << 20
_HEAD_BYTES = 1 << 20  # of a card that is looked at: what stands at its head is not shown
_LONG = 32 << 10  # bytes of a card that takes a turn to be made


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A revision's files in short.

    Attributes:
        used_bytes: of all of them, each content once.
        card: README.md.
        classes: the names of the first 2,000.
        figures: how good it was found to be by its trainer.
        tars: it is a classifier of Tars Hub.
        timm: it says of itself all that timm needs.
    """

    files: int
    used_bytes: int
    card: File | None
    classes: tuple[str, ...]
    figures: tuple[Figure, ...]
    tars: bool
    timm: bool


# Both go by names of contents and trees, which are hashes: they hold for every hub of this process.
_SHEETS: Recent[str, Sheet] = Recent(200)
_CARDS: Recent[tuple[str, Place], str] = Recent(200)
_LONG_CARDS: Recent[tuple[str, Place], str] = Recent(10)


def sheet_of(hub: Hub, commit: Commit) -> Sheet:
    """The files of a revision in short."""
    return _SHEETS.get(commit.tree, lambda: _sheet(hub, commit))


def _sheet(hub: Hub, commit: Commit) -> Sheet:
    found = {entry.path: entry.file for entry in revisions.entries(hub, commit) if entry.file is not None}
    config = _object(hub, found.get(_CONFIG), _CONFIG_BYTES)
    metrics = next((found[path] for path in _METRICS if path in found), None)
    return Sheet(
        files=len(found),
        used_bytes=sum({file.sha256: file.size for file in found.values()}.values()),
        card=found.get(_CARD),
        classes=class_names(config),
        figures=figures_of(_object(hub, metrics, _METRICS_BYTES)),
        tars=config.get("library_name") == "tars-hub" and isinstance(config.get("backbone"), str),
        timm=isinstance(config.get("architecture"), str) and isinstance(config.get("pretrained_cfg"), dict),
    )


def _object(hub: Hub, file: File | None, most: int) -> Mapping[str, Any]:
    """The JSON object that a file holds; empty where it is none, or too long."""
    if file is None or file.size > most:
        return {}
    try:
        found = read_json(b"".join(contents.read(hub, file.sha256)))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def card_html(hub: Hub, card: File, place: Place) -> str:
    """The card as HTML that is safe to show; a long one as plain text where too many ask for such at once."""
    key, made = (card.sha256, place), partial(_rendered, hub, card, place)
    if card.size <= _LONG:
        return _CARDS.get(key, made)
    if key in _LONG_CARDS:
        return _LONG_CARDS.get(key, made)
    with turn(hub) as mine:
        return _LONG_CARDS.get(key, made) if mine else plain(_text(hub, card))


def is_cut(card: File) -> bool:
    """Whether not all of a card may be shown."""
    return card.size > SHOWN_BYTES


def _rendered(hub: Hub, card: File, place: Place) -> str:
    return render(_text(hub, card), place)


def _text(hub: Hub, card: File) -> str:
    data = b"".join(contents.read(hub, card.sha256, 0, _HEAD_BYTES))
    return body(data.decode(errors="replace"))
