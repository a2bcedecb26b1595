"""Searches by what models are and by who may see them, and what such a search could be narrowed by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tars_hub.server.catalog.interface import Catalog
from tars_hub.server.records import Facets, Facts, Search, User
from tests.server.catalog.conftest import URLS, opened
from tests.server.catalog.samples import commit

# namespace/name, private, backbone, classes, tags
REPOSITORIES: list[tuple[str, bool, str, int | None, tuple[str, ...]]] = [
    ("ann/a", False, "resnet18", 10, ("x",)),
    ("ann/b", True, "resnet18", 2, ("x", "y")),
    ("ann/c", True, "vit", 1000, ("y",)),
    ("bob/d", False, "vit", 10, ("x",)),
    ("bob/e", True, "secretnet", 7, ("z",)),
    ("carl/f", False, "", None, ()),
]


@dataclass
class Filled:
    catalog: Catalog
    ids: dict[str, int]
    fan: User


@pytest.fixture(scope="module", params=URLS)
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    folder: Path = tmp_path_factory.mktemp("filled")
    with opened(request.param, folder) as catalog:
        found = Filled(catalog, {}, catalog.accounts.add_user("fan"))
        for full_name, private, backbone, classes, tags in REPOSITORIES:
            namespace, name = full_name.split("/")
            config = {"num_classes": classes} | ({"backbone": backbone} if backbone else {})
            facts = Facts(tags=tags, config=config)
            made = catalog.repositories.add(namespace, name, private=private, first=commit(full_name, facts=facts))
            found.ids[name] = made.id
        for name in "bdf":
            catalog.audience.like(found.ids[name], found.fan.id, liked=True)
        for _ in range(2):
            catalog.audience.count_download(found.ids["f"])
        catalog.audience.count_download(found.ids["a"])
        yield found


def names(filled: Filled, **wanted: object) -> str:
    search = Search(**{"sort": "name", "ascending": True, **wanted})  # type: ignore[arg-type]
    return "".join(repo.name for repo in filled.catalog.repositories.search(search))


def test_within_leaves_out_private_ones_alone(filled: Filled) -> None:
    assert names(filled) == "adf"
    assert names(filled, namespaces=("ANN",)) == "abcdf"
    assert names(filled, namespaces=("ann",), within=frozenset({filled.ids["b"]})) == "abdf"
    assert names(filled, namespaces=("ann",), within=frozenset({filled.ids["e"]})) == "adf"  # another's
    assert names(filled, namespaces=("ann",), within=frozenset()) == "adf"


def test_backbone_and_classes(filled: Filled) -> None:
    everything = {"namespaces": ("ann", "bob")}
    assert names(filled, backbone="resnet18", **everything) == "ab"
    assert names(filled, backbone="resnet18") == "a"
    assert names(filled, backbone="resnet") == ""
    assert names(filled, classes=(10, 10), **everything) == "ad"
    assert names(filled, classes=(None, 7), **everything) == "be"
    assert names(filled, classes=(7, None), **everything) == "acde"


def test_liked_by(filled: Filled) -> None:
    assert names(filled, liked_by=filled.fan.id) == "df"
    assert names(filled, liked_by=filled.fan.id, namespaces=("ann",)) == "bdf"
    assert names(filled, liked_by=filled.fan.id + 1) == ""


def test_most_downloads_and_likes_first(filled: Filled) -> None:
    assert names(filled, sort="downloads", ascending=False) == "fad"
    assert names(filled, sort="likes", ascending=False) == "fda"
    assert names(filled, sort="likes", ascending=True) == "adf"


def test_facets_count_what_may_be_seen(filled: Filled) -> None:
    facets = filled.catalog.repositories.facets
    assert facets(Search(limit=1, offset=5), most=9) == Facets(
        count=3,
        backbones=(("resnet18", 1), ("vit", 1)),
        owners=(("ann", 1), ("bob", 1), ("carl", 1)),
        tags=(("x", 2),),
    )
    mine = facets(Search(namespaces=("ann",)), most=1)
    assert mine == Facets(count=5, backbones=(("resnet18", 2),), owners=(("ann", 3),), tags=(("x", 3),))
    assert facets(Search(text="nothing"), most=9) == Facets(count=0)
    assert facets(Search(namespaces=("ann",), within=frozenset(), backbone="vit"), most=9).count == 1
