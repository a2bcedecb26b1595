"""Every field of a search."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tars_hub.server.catalog.interface import Catalog
from tars_hub.server.records import Facts, Search
from tests.server.catalog.conftest import URLS, opened
from tests.server.catalog.samples import commit


def facts(*tags: str, parameters: int | None = None, pipeline_tag: str = "") -> Facts:
    counts = {} if parameters is None else {"F32": parameters - 1, "I64": 1}
    return Facts(tags=tags, parameters=counts, pipeline_tag=pipeline_tag)


REPOSITORIES = [  # name, private, facts, minutes
    ("Ann/cats_100%", False, facts("a", "b", parameters=100, pipeline_tag="image-classification"), 3),
    ("ann/Dogs", False, facts("a", parameters=200), 1),
    ("Bob/Cats", True, facts("a", "b", "c"), 2),
    ("carl/secret", True, facts(), 4),
    ("dora/birds-1000", False, facts("A"), 4),
]


@pytest.fixture(scope="module", params=URLS)
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """Each catalogue, with these repositories; made once, because they are only asked for."""
    with opened(request.param, tmp_path_factory.mktemp("filled")) as catalog:
        fill(catalog)
        yield catalog


def fill(catalog: Catalog) -> None:
    for full_name, private, its_facts, minutes in REPOSITORIES:
        namespace, name = full_name.split("/")
        first = commit(full_name, facts=its_facts, minutes=minutes)
        added = catalog.repositories.add(namespace, name, private=private, first=first)
        if name == "Dogs":
            catalog.repositories.update(added.id, gated="auto")


def found(catalog: Catalog, search: Search) -> list[str]:
    return [repo.name for repo in catalog.repositories.search(search)]


@pytest.mark.parametrize(
    ("search", "names"),
    [
        (Search(), ["birds-1000", "cats_100%", "Dogs"]),
        (Search(ascending=True), ["Dogs", "cats_100%", "birds-1000"]),
        (Search(sort="created_at"), ["birds-1000", "cats_100%", "Dogs"]),
        (Search(sort="name", ascending=True), ["cats_100%", "Dogs", "birds-1000"]),
        (Search(sort="name"), ["birds-1000", "Dogs", "cats_100%"]),
        (Search(namespaces=("BOB", "carl")), ["birds-1000", "secret", "cats_100%", "Cats", "Dogs"]),
        (Search(offset=1, limit=1), ["cats_100%"]),
        (Search(offset=9), []),
        (Search(text="CATS"), ["cats_100%"]),
        (Search(text="n/d"), ["Dogs"]),
        (Search(text="100%"), ["cats_100%"]),
        (Search(text="s_1"), ["cats_100%"]),
        (Search(text="/"), ["birds-1000", "cats_100%", "Dogs"]),
        (Search(text="\\"), []),
        (Search(text="cats", namespaces=("bob",)), ["cats_100%", "Cats"]),
        (Search(author="ANN"), ["cats_100%", "Dogs"]),
        (Search(author="an"), []),
        (Search(author="bob"), []),
        (Search(tags=("a",)), ["cats_100%", "Dogs"]),
        (Search(tags=("a", "b", "a")), ["cats_100%"]),
        (Search(tags=("b", "a"), namespaces=("bob",)), ["cats_100%", "Cats"]),
        (Search(tags=("A",)), ["birds-1000"]),
        (Search(tags=("a", "z")), []),
        (Search(tags=tuple(str(number) for number in range(2000))), []),
        (Search(pipeline_tag="image-classification"), ["cats_100%"]),
        (Search(gated=True), ["Dogs"]),
        (Search(gated=False), ["birds-1000", "cats_100%"]),
        (Search(parameters=(100, None)), ["cats_100%", "Dogs"]),
        (Search(parameters=(101, None)), ["Dogs"]),
        (Search(parameters=(None, 100)), ["cats_100%"]),
        (Search(parameters=(100, 200)), ["cats_100%", "Dogs"]),
        (Search(parameters=(0, 0)), []),
    ],
)
def test_search(filled: Catalog, search: Search, names: list[str]) -> None:
    assert found(filled, search) == names


def test_pages_hold_each_once(catalog: Catalog) -> None:
    for number in range(20):  # all of one minute
        catalog.repositories.add("eve", str(number), private=False, first=commit(f"eve {number}"))
    pages = [found(catalog, Search(author="eve", offset=offset, limit=3)) for offset in range(0, 21, 3)]
    assert [name for page in pages for name in page] == [str(number) for number in reversed(range(20))]
