"""Contents, xorbs, recipes, and who may name them."""

from __future__ import annotations

from dataclasses import replace

from tars_hub.server.catalog.interface import Catalog
from tars_hub.server.records import Content, Repo
from tests.server.catalog.samples import commit, file, keep, keep_recipe, push, recipe, sha256, xorb

A = sha256("a")


def test_a_content_is_kept_in_both_forms(catalog: Catalog) -> None:
    assert catalog.contents.get([A]) == {}
    catalog.contents.add_plain({A: 1})
    assert catalog.contents.get([A]) == {A: Content(sha256=A, size=1, plain=True, xet="")}
    keep_recipe(catalog, recipe("a"))
    catalog.contents.add_plain({A: 1})
    assert catalog.contents.get([A]) == {A: Content(sha256=A, size=1, plain=True, xet=recipe("a").hash)}


def test_a_recipe_comes_before_the_bytes(catalog: Catalog) -> None:
    keep_recipe(catalog, recipe("a"))
    assert catalog.contents.get([A])[A].plain is False
    catalog.contents.add_plain({A: 1})
    keep_recipe(catalog, recipe("a"))
    assert catalog.contents.get([A]) == {A: Content(sha256=A, size=1, plain=True, xet=recipe("a").hash)}


def test_sizes_beyond_four_gigabytes(catalog: Catalog) -> None:
    catalog.contents.add_plain({A: 2**45})
    assert catalog.contents.get([A])[A].size == 2**45


def test_xorbs(catalog: Catalog) -> None:
    kept = [xorb(str(number)) for number in range(1200)]
    for one in kept[:5]:
        catalog.contents.add_xorb(one)
        catalog.contents.add_xorb(one)
    assert catalog.contents.xorbs([one.hash for one in kept]) == {one.hash: one for one in kept[:5]}
    assert catalog.contents.xorbs(set()) == {}


def test_a_recipe_of_100_000_terms(catalog: Catalog) -> None:
    large = recipe("large", terms=100_000)
    large = replace(large, terms=tuple(replace(term, xorb=xorb("0").hash) for term in large.terms))
    keep_recipe(catalog, large)
    assert catalog.contents.recipe(large.hash) == large
    assert catalog.contents.recipe(sha256("none")) is None


def test_recipes_are_found_by_chunk_newest_first(catalog: Catalog, repo: Repo) -> None:
    keep(catalog, file("24"))
    other = catalog.repositories.add("Bob", "Dogs", private=True, first=commit("other", files=(file("24"),)))
    for number in range(25):
        keep_recipe(catalog, recipe(str(number)), "same", "same", f"own {number}")
    catalog.contents.link(other.id, [sha256("20")])
    push(catalog, repo, "second", "first", files=(file("24"), file("23")))
    found = catalog.contents.recipes_with("same")
    assert [xet for xet, _ in found] == [recipe(str(number)).hash for number in range(24, 4, -1)]
    assert [repos for _, repos in found[:5]] == [(repo.id, other.id), (repo.id,), (), (), ()]
    assert catalog.contents.recipes_with("own 3") == [(recipe("3").hash, ())]
    assert catalog.contents.recipes_with("none") == []


def test_chunks_can_be_named_later(catalog: Catalog) -> None:
    keep_recipe(catalog, recipe("a"), "1")
    keep_recipe(catalog, recipe("b"), "1", "2")
    keep_recipe(catalog, recipe("a"), "1", "2")
    assert [xet for xet, _ in catalog.contents.recipes_with("2")] == [recipe("b").hash, recipe("a").hash]


def test_links_become_committed_and_stay_so(catalog: Catalog, repo: Repo) -> None:
    other = catalog.repositories.add("Bob", "Dogs", private=True, first=commit("other"))
    keep(catalog, file("a"), file("b"))
    catalog.contents.link(repo.id, [A, sha256("b"), A])
    assert catalog.contents.linked(repo.id, [A, sha256("b"), sha256("c")]) == {A: False, sha256("b"): False}
    push(catalog, repo, "second", "first", files=(file("a"),))
    catalog.contents.link(repo.id, [A])
    assert catalog.contents.linked(repo.id, [A, sha256("b")]) == {A: True, sha256("b"): False}
    assert catalog.contents.linked(other.id, [A]) == {}


def test_links_of_a_repository_that_is_gone(catalog: Catalog, repo: Repo) -> None:
    keep(catalog, file("a"))
    catalog.repositories.remove(repo.id)
    catalog.contents.link(repo.id, [A])
    assert catalog.contents.linked(repo.id, [A]) == {}


def test_thousands_of_links(catalog: Catalog, repo: Repo) -> None:
    many = [sha256(str(number)) for number in range(3000)]
    catalog.contents.add_plain(dict.fromkeys(many, 1))
    catalog.contents.link(repo.id, many)
    assert catalog.contents.linked(repo.id, many) == dict.fromkeys(many, False)
    catalog.contents.link(repo.id, [])


def test_all_in_pages(catalog: Catalog) -> None:
    names = sorted(sha256(str(number)) for number in range(7))
    for number in range(7):
        catalog.contents.add_plain({sha256(str(number)): number})
        catalog.contents.add_xorb(xorb(str(number)))
    for name in [*map(str, range(7)), "not plain"]:
        keep_recipe(catalog, recipe(name))
    assert [content.sha256 for content in catalog.contents.all_plain("", 3)] == names[:3]
    assert [content.sha256 for content in catalog.contents.all_plain(names[2], 100)] == names[3:]
    assert catalog.contents.all_plain(names[6], 100) == []
    recipes = sorted((recipe(str(n)) for n in (0, 1, 2, 3, 4, 5, 6, "not plain")), key=lambda one: one.hash)
    assert catalog.contents.all_recipes("", 3) == recipes[:3]
    assert catalog.contents.all_recipes(recipes[2].hash, 100) == recipes[3:]
    xorbs = sorted((xorb(str(number)) for number in range(7)), key=lambda one: one.hash)
    assert catalog.contents.all_xorbs(xorbs[1].hash, 4) == xorbs[2:6]
