"""Repositories, their names and their settings."""

from __future__ import annotations

import pytest

from tars_hub.server.catalog.interface import Catalog, TakenError
from tars_hub.server.records import MAIN, Facts, Ref, Repo, Search
from tests.server.catalog.samples import NOON, commit, file, keep, keep_recipe, push, recipe, sha1, sha256, step

FACTS = Facts(
    pipeline_tag="image-classification",
    library_name="tars",
    tags=("cats", "dogs", "cats"),
    card={"license": "apache-2.0", "datasets": ["a", {"b": None}], "title": "Katzen 🐈 \ud800"},
    model_index=({"name": "x", "results": [1.5]},),
    parameters={"F32": 2**40, "I64": 7},
    config={"architectures": ["ResNet"]},
)


def test_what_was_added_is_found(catalog: Catalog) -> None:
    keep(catalog, file("a"))
    added = catalog.repositories.add(
        "Ann", "Cats", private=True, first=commit("first", facts=FACTS, files=(file("a"),))
    )
    assert catalog.repositories.by_id(added.id) == catalog.repositories.find("ann/CATS") == added
    assert (added.full_name, added.private, added.gated, added.facts) == ("Ann/Cats", True, "", FACTS)
    assert added.created_at == added.updated_at == NOON
    assert catalog.history.refs(added.id) == [Ref(name=MAIN, commit=sha1("first"))]
    assert catalog.history.log(added.id, sha1("first")) == [commit("first").commit]
    assert catalog.history.files([file("a").oid]) == {file("a").oid: file("a")}
    assert catalog.contents.linked(added.id, [sha256("a")]) == {sha256("a"): True}


def test_what_is_not_there(catalog: Catalog) -> None:
    assert catalog.repositories.find("ann/cats") is None
    assert catalog.repositories.by_id(1) is None
    catalog.repositories.update(1, private=True)
    catalog.repositories.move(1, "ann", "cats")
    catalog.repositories.remove(1)
    assert catalog.repositories.all(0, 10) == []


def test_a_name_is_taken_in_any_case(catalog: Catalog, repo: Repo) -> None:
    with pytest.raises(TakenError):
        catalog.repositories.add("ann", "cats", private=False, first=commit("other", files=(file("other"),)))
    assert catalog.repositories.all(0, 10) == [repo]
    assert catalog.history.files([file("other").oid]) == {}


def test_settings(catalog: Catalog, repo: Repo) -> None:
    catalog.repositories.update(repo.id, private=True)
    catalog.repositories.update(repo.id, gated="manual")
    catalog.repositories.update(repo.id)
    found = catalog.repositories.by_id(repo.id)
    assert found is not None
    assert (found.private, found.gated, found.updated_at) == (True, "manual", repo.updated_at)
    catalog.repositories.update(repo.id, private=False, gated="")
    assert catalog.repositories.by_id(repo.id) == repo


def name_of(catalog: Catalog, name: str) -> str:
    found = catalog.repositories.find(name)
    return found.full_name if found else ""


def test_old_names_lead_to_it(catalog: Catalog, repo: Repo) -> None:
    catalog.repositories.move(repo.id, "Bob", "Dogs")
    catalog.repositories.move(repo.id, "Bob", "Birds")
    assert [name_of(catalog, name) for name in ("bob/birds", "Ann/Cats", "bob/dogs")] == ["Bob/Birds"] * 3


def test_it_can_move_back(catalog: Catalog, repo: Repo) -> None:
    catalog.repositories.move(repo.id, "Ann", "Dogs")
    catalog.repositories.move(repo.id, "Ann", "Cats")
    assert [name_of(catalog, name) for name in ("ann/cats", "ann/dogs")] == ["Ann/Cats", "Ann/Cats"]
    catalog.repositories.move(repo.id, "Ann", "Dogs")
    assert [name_of(catalog, name) for name in ("ann/cats", "ann/dogs")] == ["Ann/Dogs", "Ann/Dogs"]


def test_its_name_can_change_case(catalog: Catalog, repo: Repo) -> None:
    catalog.repositories.move(repo.id, "ann", "CATS")
    assert name_of(catalog, "Ann/Cats") == "ann/CATS"


def test_an_old_name_can_be_taken(catalog: Catalog, repo: Repo) -> None:
    catalog.repositories.move(repo.id, "Ann", "Dogs")
    new = catalog.repositories.add("Ann", "cats", private=False, first=commit("new"))
    assert name_of(catalog, "ann/cats") == "Ann/cats"
    catalog.repositories.remove(new.id)
    assert name_of(catalog, "ann/cats") == ""  # it leads nowhere else again


def test_an_old_name_can_be_taken_by_a_move(catalog: Catalog, repo: Repo) -> None:
    other = catalog.repositories.add("Ann", "Birds", private=False, first=commit("other"))
    catalog.repositories.move(repo.id, "Ann", "Dogs")
    catalog.repositories.move(other.id, "Ann", "Cats")
    assert [name_of(catalog, name) for name in ("ann/cats", "ann/birds", "ann/dogs")] == [
        "Ann/Cats",
        "Ann/Cats",
        "Ann/Dogs",
    ]


def test_a_name_in_use_is_no_place_to_move_to(catalog: Catalog, repo: Repo) -> None:
    catalog.repositories.add("Ann", "Dogs", private=False, first=commit("other"))
    with pytest.raises(TakenError):
        catalog.repositories.move(repo.id, "ann", "dogs")
    assert catalog.repositories.find("ann/cats") == repo


def test_nothing_is_left_of_a_removed_one(catalog: Catalog) -> None:
    first = commit("first", facts=FACTS, files=(file("a"),))
    keep(catalog, *first.files)
    repo = catalog.repositories.add("Ann", "Cats", private=False, first=first)
    keep_recipe(catalog, recipe("a"), "c")
    catalog.repositories.move(repo.id, "Ann", "Dogs")
    catalog.repositories.remove(repo.id)
    assert [name_of(catalog, name) for name in ("ann/cats", "ann/dogs")] == ["", ""]
    assert catalog.history.refs(repo.id) == []
    assert catalog.history.log(repo.id, sha1("first")) == []
    assert catalog.history.find_commit(repo.id, sha1("first")) is None
    assert catalog.contents.linked(repo.id, [sha256("a")]) == {}
    assert catalog.contents.recipes_with("c") == [(recipe("a").hash, ())]
    assert catalog.repositories.search(Search(tags=("cats",))) == []
    assert sha256("a") in catalog.contents.get([sha256("a")])  # others may have it too


def test_an_id_is_never_given_twice(catalog: Catalog, repo: Repo) -> None:
    catalog.repositories.remove(repo.id)
    again = catalog.repositories.add("Ann", "Cats", private=False, first=commit("first"))
    assert again.id != repo.id
    assert catalog.history.log(again.id, sha1("first")) == [commit("first").commit]


def test_all_in_pages(catalog: Catalog) -> None:
    added = [catalog.repositories.add("a", str(n), private=True, first=commit(str(n))) for n in range(5)]
    assert catalog.repositories.all(0, 2) == added[:2]
    assert catalog.repositories.all(added[1].id, 2) == added[2:4]
    assert catalog.repositories.all(added[4].id, 2) == []


def test_facts_follow_the_main_branch(catalog: Catalog, repo: Repo) -> None:
    push(catalog, repo, "second", "first", facts=FACTS, minutes=5)
    second = catalog.repositories.by_id(repo.id)
    assert second is not None
    assert (second.facts, (second.updated_at - NOON).seconds, second.created_at) == (FACTS, 300, NOON)
    push(catalog, repo, "third", "second", minutes=6)
    assert catalog.repositories.search(Search(tags=("cats", "dogs")))[0].facts == FACTS
    catalog.history.commit(
        repo.id, commit("aside", "third", facts=Facts(), minutes=9), [step(None, "aside", "refs/heads/dev")]
    )
    third = catalog.repositories.by_id(repo.id)
    assert third is not None
    assert (third.facts, (third.updated_at - NOON).seconds) == (FACTS, 360)
    push(catalog, repo, "fourth", "third", facts=Facts(tags=("dogs",)))
    assert catalog.repositories.search(Search(tags=("cats",))) == []
    assert len(catalog.repositories.search(Search(tags=("dogs",)))) == 1


def test_parameters_beyond_any_column(catalog: Catalog) -> None:
    facts = Facts(parameters={"F32": 2**70})
    added = catalog.repositories.add("a", "b", private=False, first=commit("first", facts=facts))
    assert added.facts == facts
    assert catalog.repositories.search(Search(parameters=(2**62, None))) == [added]
