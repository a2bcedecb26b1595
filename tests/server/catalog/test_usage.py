"""How much is kept, and by whom."""

from __future__ import annotations

import pytest

from tars_hub.server.catalog.interface import Catalog
from tars_hub.server.records import Repo
from tests.server.catalog.samples import commit, sha256


@pytest.fixture
def repos(catalog: Catalog) -> list[Repo]:
    """Ann's two, which share a content, and Bob's, which shares another with them."""
    names = [("Ann", "a"), ("ann", "b"), ("bob", "c")]
    made = [catalog.repositories.add(*name, private=False, first=commit(str(name))) for name in names]
    catalog.contents.add_plain({sha256(name): size for name, size in (("x", 1), ("y", 20), ("z", 300), ("w", 4000))})
    for repo, held in zip(made, ("xy", "yz", "z"), strict=True):
        catalog.contents.link(repo.id, [sha256(name) for name in held])
    return made


def test_each_content_counts_once(catalog: Catalog, repos: list[Repo]) -> None:
    contents = catalog.contents
    assert [contents.used_bytes(name) for name in ("ANN", "bob", "carl")] == [321, 300, 0]
    assert contents.used_by([repo.id for repo in repos] + [99]) == dict(
        zip([*(repo.id for repo in repos), 99], [21, 320, 300, 0], strict=True)
    )
    assert contents.used_by([]) == {}
    assert [contents.used_bytes("bob", also=repo.id) for repo in repos] == [321, 320, 300]


def test_what_is_held(catalog: Catalog, repos: list[Repo]) -> None:
    names = {sha256(name) for name in "xyzw"}
    assert catalog.contents.held("ann", names) == {sha256(name) for name in "xyz"}
    assert catalog.contents.held("BOB", names) == {sha256("z")}
    assert catalog.contents.sizes_held("Ann", {1, 300, 4000, 5}) == {1, 300}
    assert catalog.contents.sizes_held("bob", {1, 300, 2**60}) == {300}
    catalog.repositories.remove(repos[1].id)
    assert catalog.contents.used_bytes("ann") == 21
    assert catalog.contents.held("ann", names) == {sha256("x"), sha256("y")}
