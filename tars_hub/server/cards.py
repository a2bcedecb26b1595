"""What model cards say, checked before a push; the words are those of huggingface.co where they are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tars_hub.server.front_matter import CardError, front_matter

MAX_ERRORS = 20
EMPTY = "empty or missing yaml metadata in repo card"

# https://huggingface.co/docs/hub/repositories-licenses
LICENSES = tuple(
    """
    apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 bigcode-openrail-m
    afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5
    cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0
    cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0
    cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0
    lgpl lgpl-2.1 lgpl-3.0 isc h-research intel-research lppl-1.3c ms-pl apple-ascl apple-amlr mpl-2.0 odc-by odbl
    openmdw-1.0 openmdw-1.1 openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr
    deepfloyd-if-license fair-noncommercial-research-license llama2 llama3 llama3.1 llama3.2 llama3.3 llama4
    grok2-community gemma unknown other
    """.split()
)


@dataclass(frozen=True)
class CardCheck:
    """What is wrong with a card, and what is only strange."""

    errors: tuple[str, ...]
    warnings: tuple[str, ...]


def check_card(content: str) -> CardCheck:
    """Whether a README.md may be pushed."""
    try:
        card = front_matter(content)
    except CardError as error:
        return CardCheck(errors=(str(error),), warnings=())
    errors = [*_license_errors(card), *_field_errors(card), *_index_errors(card.get("model-index"))]
    return CardCheck(errors=tuple(errors[:MAX_ERRORS]), warnings=() if card else (EMPTY,))


def model_index(card: Mapping[str, Any]) -> tuple[Any, ...]:
    """The evaluation results of a card; without those that the client could not read."""
    found = card.get("model-index")
    return tuple(entry for entry in found if not any(_entry_errors(entry, ""))) if isinstance(found, list) else ()


def _license_errors(card: Mapping[str, Any]) -> Iterator[str]:
    said = card.get("license")
    if said is None:
        return
    named = {f"license[{at}]": name for at, name in enumerate(said)} if isinstance(said, list) else {"license": said}
    for at, name in named.items():
        if name not in LICENSES:
            yield f'"{at}" must be one of [{", ".join(LICENSES)}, array]'


def _field_errors(card: Mapping[str, Any]) -> Iterator[str]:
    for name in ("pipeline_tag", "library_name"):
        if not isinstance(card.get(name, ""), str | None):
            yield f'"{name}" must be a string'
    for name in ("tags", "language", "datasets", "base_model"):
        said = card.get(name)
        if isinstance(said, list):
            yield from (f'"{name}[{at}]" must be a string' for at, one in enumerate(said) if not isinstance(one, str))
        elif not isinstance(said, str | None):
            yield f'"{name}" must be a string or an array of strings'


def _index_errors(index: object) -> Iterator[str]:
    if isinstance(index, list):
        for at, entry in enumerate(index):
            yield from _entry_errors(entry, f"model-index[{at}]")
    elif index is not None:
        yield '"model-index" must be an array'


def _entry_errors(entry: object, at: str) -> Iterator[str]:
    """What `huggingface_hub.repocard_data.model_index_to_eval_results` would stumble over."""
    if not isinstance(entry, dict):
        yield f'"{at}" must be an object'
        return
    yield from _text_errors(entry, at, "name")
    results = entry.get("results")
    if not isinstance(results, list):
        yield f'"{at}.results" must be an array'
        return
    for number, result in enumerate(results):
        yield from _result_errors(result, f"{at}.results[{number}]")


def _result_errors(result: object, at: str) -> Iterator[str]:
    if not isinstance(result, dict):
        yield f'"{at}" must be an object'
        return
    yield from _text_errors(result.get("task"), f"{at}.task", "type")
    yield from _text_errors(result.get("dataset"), f"{at}.dataset", "type", "name")
    if source := result.get("source"):
        yield from _text_errors(source, f"{at}.source", "url")
    metrics = result.get("metrics")
    if not isinstance(metrics, list):
        yield f'"{at}.metrics" must be an array'
        return
    for number, metric in enumerate(metrics):
        yield from _text_errors(metric, f"{at}.metrics[{number}]", "type")
        if isinstance(metric, dict) and metric.get("value") is None:
            yield f'"{at}.metrics[{number}].value" is required'


def _text_errors(parent: object, at: str, *names: str) -> Iterator[str]:
    if parent is None:
        yield f'"{at}" is required'
    elif not isinstance(parent, dict):
        yield f'"{at}" must be an object'
    else:
        for name in names:
            if parent.get(name) is None:
                yield f'"{at}.{name}" is required'
            elif not isinstance(parent[name], str):
                yield f'"{at}.{name}" must be a string'
