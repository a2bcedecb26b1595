"""What the hub returns about models: `huggingface_hub.hf_api.ModelInfo` as JSON.

The client builds objects from a card with no net below: one it stumbles over fails a whole list of models, so what
would trip it is left out here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from tars_hub.server.errors import HubError
from tars_hub.server.records import Commit, Facts, Repo
from tars_hub.server.wire.times import stamp


@dataclass(frozen=True, kw_only=True)
class FileLine:
    """A file of a revision.

    Attributes:
        size: of the content, in bytes.
        oid: the id of its git blob.
        sha256: of the content of a large file; None for one that git holds itself.
        pointer_size: of the pointer that git holds in a large file's place, in bytes.
    """

    path: str
    size: int
    oid: str
    sha256: str | None = None
    pointer_size: int | None = None


@dataclass(frozen=True, kw_only=True)
class ModelView:
    """All that can be told of a model at one revision.

    Attributes:
        commit: None where it was not looked up.
        files: None where they were not looked up.
        facts: of this revision.
        used_bytes: None where it was not looked up.
    """

    repo: Repo
    facts: Facts
    commit: Commit | None = None
    files: Sequence[FileLine] | None = None
    used_bytes: int | None = None


def model_info(
    view: ModelView, *, expand: Collection[str] = (), blobs: bool = False, security: bool = False
) -> dict[str, Any]:
    """The answer to GET /api/models/{id}[/revision/{rev}].

    Args:
        expand: these fields alone; all that are usual without any.
        blobs: sizes and ids of the files too.
        security: the state of the scans too, of which there are none.

    Raises:
        HubError: `expand` names a field that there is not.
    """
    names = _checked(expand) or (*_INFO, *(["securityRepoStatus"] if security else []))
    found = _object(view, names)
    if blobs and view.files is not None and "siblings" in found:
        found["siblings"] = [_sibling(line) for line in view.files]
    return found


def model_line(
    view: ModelView, *, expand: Collection[str] = (), full: bool = False, config: bool = False, card: bool = False
) -> dict[str, Any]:
    """One element of the answer to GET /api/models.

    Args:
        expand: these fields alone.
        full: who wrote it, its files and its times too.
        config, card: these fields too.

    Raises:
        HubError: `expand` names a field that there is not.
    """
    more = [*(_FULL if full else ()), *(["config"] if config else []), *(["cardData"] if card else [])]
    return _object(view, _checked(expand) or (*_LINE, *more))


def _checked(expand: Collection[str]) -> tuple[str, ...]:
    for name in expand:
        if name not in _FIELDS:
            raise HubError(f"expand={name[:80]!r} is no field of a model; there are {', '.join(EXPANDABLE)}")
    return tuple(expand)


def _object(view: ModelView, names: Iterable[str]) -> dict[str, Any]:
    """Fields without a value are left out, but for those that the client looks for."""
    repo = view.repo
    values = {name: _FIELDS[name](view) for name in names}
    known = {name: value for name, value in values.items() if value is not None or name in _NULL}
    return {"_id": _stable_id(repo), "id": repo.full_name, **known}


def _stable_id(repo: Repo) -> str:
    return hashlib.sha256(f"model {repo.id}".encode()).hexdigest()[:24]


def _last_modified(view: ModelView) -> str:
    return stamp(view.commit.at if view.commit else view.repo.updated_at)


def _card(view: ModelView) -> dict[str, Any]:
    """The card's fields, without those that `ModelCardData(**fields, ignore_metadata_errors=True)` raises for."""
    card = {key: value for key, value in view.facts.card.items() if key not in _RESERVED}
    if not isinstance(card.get("tags"), list | str | None):
        del card["tags"]
    emissions = card.get("co2_eq_emissions")
    if isinstance(emissions, Mapping) and "emissions" not in emissions:
        del card["co2_eq_emissions"]
    if view.facts.model_index:
        card["model-index"] = list(view.facts.model_index)
    return card


def _accuracy(view: ModelView) -> float | None:
    """The first of the card's results that is one, 0..1, as Tars Hub reads it: a number for a whole model-index."""
    results = (result for entry in view.facts.model_index for result in entry["results"])
    for metric in (metric for result in results for metric in result["metrics"]):
        value = metric.get("value")
        if metric.get("type") == "accuracy" and type(value) in (int, float) and 0 <= value <= 1:
            return float(value)
    return None


def _base_models(view: ModelView) -> list[str]:
    said = view.facts.card.get("base_model")
    return [name for name in (said if isinstance(said, list) else [said]) if isinstance(name, str)]


def _parameters(view: ModelView) -> dict[str, Any] | None:
    count = dict(view.facts.parameters)
    return {"parameters": count, "total": sum(count.values())} if count else None


def _sibling_names(view: ModelView) -> list[dict[str, Any]] | None:
    return None if view.files is None else [{"rfilename": line.path} for line in view.files]


def _sibling(line: FileLine) -> dict[str, Any]:
    found: dict[str, Any] = {"rfilename": line.path, "blobId": line.oid, "size": line.size}
    if line.sha256 is not None:
        found["lfs"] = {"sha256": line.sha256, "size": line.size, "pointerSize": line.pointer_size or 0}
    return found


def _transformers(view: ModelView) -> dict[str, Any] | None:
    if not any(str(name).endswith("ForImageClassification") for name in view.facts.config.get("architectures", ())):
        return None
    return {
        "auto_model": "AutoModelForImageClassification",
        "pipeline_tag": "image-classification",
        "processor": "AutoImageProcessor",
    }


def _unscanned(_: ModelView) -> dict[str, Any]:
    return {"scansDone": False, "filesWithIssues": []}


def _nothing(_: ModelView) -> None:
    return None


# Every field there is, by the name it has on the wire: `ExpandModelProperty_T` of the clients 1.19 to 2.4, and more.
_FIELDS: Mapping[str, Callable[[ModelView], Any]] = MappingProxyType(
    {
        "modelId": lambda view: view.repo.full_name,
        "author": lambda view: view.repo.namespace,
        "sha": lambda view: view.commit.oid if view.commit else None,
        "createdAt": lambda view: stamp(view.repo.created_at),
        "lastModified": _last_modified,
        "private": lambda view: view.repo.private,
        "gated": lambda view: view.repo.gated or False,
        "disabled": lambda _: False,
        "downloads": lambda view: view.repo.downloads,
        "downloadsAllTime": lambda view: view.repo.downloads,
        "likes": lambda view: view.repo.likes,
        "trendingScore": lambda _: 0,
        "pipeline_tag": lambda view: view.facts.pipeline_tag or None,
        "library_name": lambda view: view.facts.library_name or None,
        "tags": lambda view: list(view.facts.tags),
        "cardData": _card,
        "config": lambda view: dict(view.facts.config),
        "model-index": lambda view: list(view.facts.model_index) or None,
        "safetensors": _parameters,
        "accuracy": _accuracy,  # not of huggingface.co
        "siblings": _sibling_names,
        "usedStorage": lambda view: view.used_bytes,
        "transformersInfo": _transformers,
        "baseModels": _base_models,
        "childrenModelCount": lambda _: 0,
        "evalResults": lambda _: [],
        "spaces": lambda _: [],
        "inferenceProviderMapping": lambda _: [],
        "resourceGroup": _nothing,
        "gguf": _nothing,
        "inference": _nothing,
        "mask_token": _nothing,
        "widgetData": _nothing,
        "securityStatus": _unscanned,
        "securityRepoStatus": _unscanned,
    }
)
EXPANDABLE = tuple(sorted(_FIELDS))
_NULL = frozenset({"model-index", "resourceGroup"})
_RESERVED = frozenset({"self", "ignore_metadata_errors", "model-index"})  # names of its own parameters; set below

_LINE = tuple("modelId private likes downloads trendingScore pipeline_tag library_name tags createdAt".split())
_FULL = tuple("author sha lastModified gated disabled siblings".split())
_INFO = (
    *_LINE,
    *_FULL,
    *"cardData config model-index safetensors usedStorage transformersInfo spaces".split(),
)
