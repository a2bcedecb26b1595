"""What a hub answers, as facts: from JSON, in which strangers' words stand, to what the page may rely on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tars_hub.errors import DownloadError
from tars_hub.exhibits import Offer

MAIN = "main"
REVISIONS = 100
OFFERS = 50
OFFERED = ("library_name", "config", "accuracy", "private", "lastModified")
"""The fields of a model that an offer is made of."""
_LIBRARY = "tars-hub"
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?")
_REVISION = re.compile(r"[^\x00-\x20\x7f~^:?*\[\\\ud800-\udfff]{1,200}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TIME = re.compile(r"[0-9T:.+Z-]{10,40}")


@dataclass(frozen=True)
class Place:
    """A model of the hub at one commit.

    Attributes:
        model: its id as the hub writes it.
        commit: 40 hex digits.
    """

    model: str
    commit: str


def is_model(text: object) -> bool:
    """Whether it can be a model's id."""
    return isinstance(text, str) and _MODEL.fullmatch(text) is not None


def is_revision(text: object) -> bool:
    """Whether it can name a branch, a tag or a commit."""
    return isinstance(text, str) and _REVISION.fullmatch(text) is not None


def place_in(body: bytes) -> Place:
    """Raises DownloadError, as the others here do, for an answer that is none."""
    found = _json(body, dict)
    model, commit = found.get("id"), found.get("sha")
    if not (is_model(model) and isinstance(commit, str) and _COMMIT.fullmatch(commit)):
        raise _unclear()
    return Place(model, commit)


def offers_in(body: bytes) -> list[Offer]:
    """Of a list of models those that were saved by this library, in their order."""
    lines = [line for line in _json(body, list) if isinstance(line, dict)]
    return [offer for line in lines[:OFFERS] if (offer := _offer(line)) is not None]


def revisions_in(body: bytes) -> list[str]:
    """Branches, the main one first, then tags; no more than can be looked through."""
    refs = _json(body, dict)
    names = [*_names(refs.get("branches")), *_names(refs.get("tags"))]
    main_first = sorted(dict.fromkeys(names), key=lambda name: name != MAIN)
    return main_first[:REVISIONS]


def _offer(line: Mapping[str, Any]) -> Offer | None:
    config, updated = line.get("config"), line.get("lastModified")
    if not is_model(line.get("id")) or line.get("library_name") != _LIBRARY or not isinstance(config, dict):
        return None
    backbone, classes = config.get("backbone"), config.get("num_classes")
    if not isinstance(backbone, str) or type(classes) is not int or classes < 1:
        return None
    return Offer(
        model=line["id"],
        accuracy=_share(line.get("accuracy")),
        backbone=backbone[:100],
        classes=classes,
        private=line.get("private") is not False,
        updated=updated if isinstance(updated, str) and _TIME.fullmatch(updated) else "",
    )


def _share(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 1 else None


def _names(refs: object) -> Iterator[str]:
    for ref in refs if isinstance(refs, list) else ():
        name = ref.get("name") if isinstance(ref, dict) else None
        if isinstance(name, str) and is_revision(name):
            yield name


def _json(body: bytes, kind: type) -> Any:  # noqa: ANN401  # of the kind
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise _unclear() from None
    if not isinstance(found, kind):
        raise _unclear()
    return found


def _unclear() -> DownloadError:
    return DownloadError("The hub's answer cannot be understood.")
