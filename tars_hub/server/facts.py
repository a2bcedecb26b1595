"""What a revision says of itself, from its card, its config.json and the headers of its weights.

Strangers wrote all three: nothing here raises, and everything that comes out has bounds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from tars_hub.server.cards import model_index
from tars_hub.server.front_matter import CardError, front_matter
from tars_hub.server.records import Facts

README = "README.md"
CONFIG = "config.json"
WEIGHTS = "model.safetensors"

MAX_README_BYTES = 10 << 20
MAX_CONFIG_BYTES = 8 << 20  # 100,000 classes have 6 MiB of names
MAX_SHARDS = 256
MAX_TAGS = 256
MAX_TAG_CHARACTERS = 128

_SHARD = re.compile(r"model-([0-9]{5})-of-([0-9]{5})\.safetensors")
_PIPELINE = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_ARXIV = re.compile(r"arxiv\.org/(?:abs|pdf)/([0-9]{4}\.[0-9]{4,5})")
_FORMATS = {
    "safetensors": re.compile(r".*\.safetensors"),
    "pytorch": re.compile(r"(?:.*/)?pytorch_model[^/]*\.bin|.*\.(?:pt|pth|ckpt)"),
    "onnx": re.compile(r".*\.onnx"),
}
_CLASSIFICATION = "image-classification"
_CONFIG_WORDS = ("model_type", "architecture", "backbone")
_MAX_CLASSES = 10_000_000
_MAX_ARCHITECTURES = 8


def files_wanted(paths: Mapping[str, int]) -> tuple[str, ...]:
    """Which files of a revision are worth reading: the card, the config, and those whose headers count its parameters.

    Args:
        paths: sizes in bytes by path.
    """
    limits = {README: MAX_README_BYTES, CONFIG: MAX_CONFIG_BYTES}
    texts = [path for path, most in limits.items() if paths.get(path, most + 1) <= most]
    return (*texts, *([WEIGHTS] if WEIGHTS in paths else _shards(paths)))


def read_facts(
    paths: Collection[str], readme: bytes | None, config: bytes | None, parameters: Mapping[str, int]
) -> Facts:
    """What the hub shows and searches by; a card or a config that cannot be read counts as none.

    Args:
        paths: all files of the revision.
        readme, config: contents of the files; None where there is none.
        parameters: how many the files that hold the weights have, by data type.
    """
    text = (readme or b"").decode("utf-8", "replace")
    card, fields = _card(text), _object(config or b"")
    known, index = _known_fields(fields), model_index(card)
    library, pipeline = _library(card, fields), _pipeline(card, known)
    sure = [
        *filter(None, [library]),
        *(name for name, pattern in _FORMATS.items() if any(map(pattern.fullmatch, paths))),
        *_texts(known.get("model_type")),
        *filter(None, [pipeline]),
        *(["model-index"] if index else []),
    ]
    return Facts(
        pipeline_tag=pipeline,
        library_name=library,
        tags=_bounded([*sure, *_card_tags(card), *_arxiv_tags(text)]),
        card=card,
        model_index=index,
        parameters=parameters,
        config=known,
    )


def _shards(paths: Iterable[str]) -> list[str]:
    """The shards of one model; none where one of them is missing, or there are too many."""
    numbers: dict[str, list[str]] = {}
    for found in filter(None, map(_SHARD.fullmatch, paths)):
        numbers.setdefault(found[2], []).append(found[1])
    for count, there in sorted(numbers.items()):
        wanted = [f"{number:05}" for number in range(1, min(int(count), MAX_SHARDS + 1) + 1)]
        if len(wanted) <= MAX_SHARDS and sorted(there) == wanted:
            return [f"model-{number}-of-{count}.safetensors" for number in wanted]
    return []


def _card(text: str) -> dict[str, Any]:
    try:
        return front_matter(text)
    except CardError:
        return {}


def _object(data: bytes) -> dict[str, Any]:
    """A JSON object; empty where it is none. Numbers that are too long count as null."""
    if len(data) > MAX_CONFIG_BYTES:
        return {}
    try:
        found = json.loads(data, parse_int=lambda digits: int(digits) if len(digits) < 19 else None)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _library(card: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    if said := _texts(card.get("library_name")):
        return said[0]
    if config.get("library_name") == "tars-hub":
        return "tars-hub"
    if isinstance(config.get("architecture"), str) and isinstance(config.get("pretrained_cfg"), dict):
        return "timm"
    return "transformers" if _texts(config.get("model_type")) or _texts(config.get("architectures")) else ""


def _pipeline(card: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    said = card.get("pipeline_tag")
    if isinstance(said, str) and _PIPELINE.fullmatch(said):
        return said
    guessed = (
        _CLASSIFICATION in _texts(card.get("tags")),
        # timm and Tars Hub name the network; one without classes gives features.
        ("architecture" in known or "backbone" in known) and known.get("num_classes"),
        any(name.endswith("ForImageClassification") for name in known.get("architectures", ())),
    )
    return _CLASSIFICATION if any(guessed) else ""


def _card_tags(card: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"license:{name}" for name in _texts(card.get("license")))
    relation = card.get("base_model_relation")
    kind = relation if isinstance(relation, str) and _PIPELINE.fullmatch(relation) else "finetune"
    for name in _texts(card.get("base_model")):
        yield from (f"base_model:{name}", f"base_model:{kind}:{name}")
    yield from _texts(card.get("tags"))
    yield from (f"dataset:{name}" for name in _texts(card.get("datasets")))
    yield from _texts(card.get("language"))


def _arxiv_tags(text: str) -> Iterator[str]:
    return (f"arxiv:{found[1]}" for found in _ARXIV.finditer(text))


def _texts(value: object) -> list[str]:
    """The good tags of a text or a list of texts: one printable line each, and not too long."""
    items = value if isinstance(value, list) else [value]
    flat = (" ".join(item.split()) for item in items if isinstance(item, str))
    return [text for text in flat if 0 < len(text) <= MAX_TAG_CHARACTERS and text.isprintable()]


def _bounded(tags: Iterable[str]) -> tuple[str, ...]:
    short = (tag for tag in tags if len(tag) <= MAX_TAG_CHARACTERS)
    return tuple(dict.fromkeys(short))[:MAX_TAGS]


def _known_fields(config: Mapping[str, Any]) -> dict[str, Any]:
    """What huggingface.co tells of a config.json, and what shows a classifier."""
    found: dict[str, Any] = {}
    if architectures := _texts(config.get("architectures")):
        found["architectures"] = architectures[:_MAX_ARCHITECTURES]
    for key in _CONFIG_WORDS:
        if isinstance(config.get(key), str) and (words := _texts(config[key])):
            found[key] = words[0]
    count = config.get("num_classes")
    if type(count) is int and 0 <= count <= _MAX_CLASSES:
        found["num_classes"] = count
    return found
