"""A hub that is full: models with many revisions each, made at once through the catalogue."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Collection
from datetime import datetime, timedelta, timezone
from functools import cache, partial

from tars_hub.server.catalog.commits import store, update_repository
from tars_hub.server.catalog.sql import SqlCatalog
from tars_hub.server.facts import read_facts
from tars_hub.server.gitobjects import new_commit
from tars_hub.server.hub import Hub
from tars_hub.server.records import MAIN, Facts, File, NewCommit, RefChange
from tars_hub.server.rules.contents import keep_small
from tars_hub.server.trees import EMPTY_TREE, change

OWNERS = [f"owner-{number}" for number in range(20)]
BACKBONES = ["resnet18", "resnet50", "densenet121", "mobilenet_v3_small", "efficientnet_b0", "vit_b_16"]
WORDS = ["flowers", "birds", "street-signs", "leaf-disease", "pets", "parts", "coins", "mushrooms", "clouds", "fabric"]
CLASSES = [2, 5, 10, 37, 102, 1000]
BEGAN = datetime(2026, 1, 1, tzinfo=timezone.utc)


def fill(hub: Hub, models: int, revisions: int) -> list[tuple[str, list[str]]]:
    """Make the models; their full names, each with its commits."""
    chance = random.Random(1)  # noqa: S311
    for owner in OWNERS:
        hub.catalog.accounts.add_user(owner)
    weights = [keep_small(hub, tensors(chance)) for _ in range(50)]
    made = []
    for number in range(models):
        backbone, classes = chance.choice(BACKBONES), chance.choice(CLASSES)
        name = f"{chance.choice(WORDS)}-{backbone.replace('_', '-')}-{number}"
        made.append(add(hub, chance, (chance.choice(OWNERS), name), (backbone, classes), weights, revisions))
    return made


def add(
    hub: Hub,
    chance: random.Random,
    name: tuple[str, str],
    kind: tuple[str, int],
    weights: list[File],
    revisions: int,
) -> tuple[str, list[str]]:
    """One model: each revision has other weights, another card and other figures. All of it in few transactions."""
    begin = BEGAN + timedelta(minutes=chance.randrange(200_000))
    config = keep_small(hub, config_text(*kind))
    root, trees = EMPTY_TREE, {EMPTY_TREE: b""}
    news: list[NewCommit] = []
    for number in range(revisions):
        right = chance.randrange(700, 999, 6)
        card, metrics = (keep(hub, text) for text in (card_text(*kind, right), metrics_text(kind[1], right)))
        files = {"config.json": config, "README.md": card, "training/metrics.json": metrics}
        files["model.safetensors"] = chance.choice(weights)
        root, new = change(partial(some_of, trees), root, {path: file.oid for path, file in files.items()})
        trees |= new
        parents = (news[-1].commit.oid,) if news else ()
        commit = new_commit(
            tree=root, parents=parents, author=name[0], at=begin + timedelta(hours=number), message=f"Epoch {number}"
        )
        facts = facts_of(*kind, right)
        news.append(NewCommit(commit=commit, trees=new, files=tuple(files.values()), facts=facts))
    write(hub, name, news)
    return "/".join(name), [new.commit.oid for new in news]


@cache
def facts_of(backbone: str, classes: int, right: int) -> Facts:
    config, card = config_text(backbone, classes), card_text(backbone, classes, right)
    paths = ["README.md", "config.json", "model.safetensors", "training/metrics.json"]
    return read_facts(paths, card, config, {"F32": 11_181_642})


def write(hub: Hub, name: tuple[str, str], news: list[NewCommit]) -> None:
    repo = hub.catalog.repositories.add(*name, private=False, first=news[0])
    assert isinstance(hub.catalog, SqlCatalog)  # noqa: S101
    with hub.catalog.database.writing() as connection:  # one transaction instead of one for each revision
        for new in news[1:]:
            store(connection, repo.id, new)
        update_repository(connection, repo.id, news[-1], at=news[-1].commit.at)
    steps = RefChange(name=MAIN, old=news[0].commit.oid, new=news[-1].commit.oid)
    hub.catalog.history.move_refs(repo.id, [steps])


def some_of(trees: dict[str, bytes], oids: Collection[str]) -> dict[str, bytes]:
    return {oid: trees[oid] for oid in oids}


_KEPT: dict[bytes, File] = {}


def keep(hub: Hub, data: bytes) -> File:
    """Keep a file once, however often it is used."""
    if data not in _KEPT:
        _KEPT[data] = keep_small(hub, data)
    return _KEPT[data]


def tensors(chance: random.Random) -> bytes:
    """A safetensors file with the tensors of a small head."""
    shapes = {"fc.weight": [10, 64], "fc.bias": [10], "layer1.weight": [64, 8]}
    header, at = {}, 0
    for name, shape in shapes.items():
        size = 4 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + chance.randbytes(at)


@cache
def config_text(backbone: str, classes: int) -> bytes:
    names = {str(index): f"class {index}" for index in range(classes)}
    found = {"format_version": 1, "library_name": "tars-hub", "backbone": backbone, "num_classes": classes}
    return json.dumps(
        {**found, "id2label": names, "label2id": {name: int(key) for key, name in names.items()}}
    ).encode()


@cache
def card_text(backbone: str, classes: int, right: int) -> bytes:
    rows = "\n".join(f"| `class {index}` | {right / 10}% | 97.1% | 96.8% | 120 |" for index in range(min(classes, 100)))
    return f"""---
library_name: tars-hub
license: apache-2.0
pipeline_tag: image-classification
tags: [image-classification, tars-hub, torchvision, {backbone}]
model-index:
- name: {backbone}
  results:
  - task: {{type: image-classification}}
    dataset: {{type: imagefolder, name: pictures, split: test}}
    metrics:
    - {{type: accuracy, name: Accuracy, value: {right / 1000}}}
---

# {backbone} for {classes} classes

An image classifier: torchvision's `{backbone}`, trained with Tars Hub.

![Accuracy and loss by epoch](training/curves.png)

| Class | Precision | Recall | F1 | Pictures |
| --- | ---: | ---: | ---: | ---: |
{rows}

## Use it

```python
from tars_hub import Predictor
```
""".encode()


@cache
def metrics_text(classes: int, right: int) -> bytes:
    each = {f"class {index}": {"precision": 0.9, "recall": 0.9, "f1": 0.9, "support": 9} for index in range(classes)}
    few = [[0] * classes for _ in range(classes)] if classes <= 200 else None
    share = right / 1000
    found = {"pictures": 900, "top1": share, "top1_interval": [share - 0.01, share + 0.01], "top5": 0.999}
    return json.dumps({**found, "loss": 0.1, "f1": share, "per_class": each, "confusion": few}).encode()
