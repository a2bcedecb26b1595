"""What is offered stays, what is gone cannot be named, and nothing goes that is wanted again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

from tars_hub.server.catalog.interface import Catalog, GoneError, RefMovedError
from tars_hub.server.records import MAIN, NewDiscussion, Proposal, Repo
from tests.server.catalog.samples import commit, file, keep, keep_recipe, push, recipe, sha1, sha256, step, xorb

A, B = sha256("a"), sha256("b")
LATER = timedelta(hours=1)
SIDE = "refs/heads/side"


def soon() -> datetime:
    """A time before which everything was offered."""
    return datetime.now(timezone.utc) + LATER


def long_ago() -> datetime:
    return datetime.now(timezone.utc) - LATER


class TestNaming:
    """What is not kept cannot be named, and nothing of who tries is kept."""

    def test_a_content(self, catalog: Catalog, repo: Repo) -> None:
        with pytest.raises(GoneError, match=f"content {A}"):
            catalog.history.commit(repo.id, commit("second", "first", files=(file("a"),)), [step("first", "second")])
        assert catalog.history.ref(repo.id, MAIN) == sha1("first")
        with pytest.raises(GoneError, match=f"content {A}"):
            catalog.contents.link(repo.id, [A])
        with pytest.raises(GoneError, match=f"content {A}"):
            catalog.repositories.add("Ann", "Dogs", private=False, first=commit("dogs", files=(file("a"),)))
        assert catalog.repositories.find("ann/dogs") is None

    def test_a_xorb(self, catalog: Catalog) -> None:
        with pytest.raises(GoneError, match="xorb"):
            catalog.contents.add_recipe(recipe("a"), chunks=["c"])
        assert (catalog.contents.recipe(recipe("a").hash), catalog.contents.get([A])) == (None, {})

    def test_a_commit(self, catalog: Catalog, repo: Repo) -> None:
        catalog.repositories.add("Bob", "Dogs", private=True, first=commit("other"))
        request = NewDiscussion(
            title="t", status="draft", author="ann", proposal=Proposal(base=MAIN, start=sha1("other"))
        )
        tries: list[Callable[[], object]] = [
            lambda: catalog.history.move_refs(repo.id, [step(None, "other", SIDE)]),
            lambda: catalog.history.commit(repo.id, commit("next", "other"), [step(None, "next", SIDE)]),
            lambda: catalog.discussions.add(repo.id, request),
        ]
        for attempt in tries:
            with pytest.raises(GoneError, match=f"commit {sha1('other')}"):
                attempt()
        assert [ref.name for ref in catalog.history.refs(repo.id)] == [MAIN]
        assert catalog.discussions.find(repo.id, 1) is None

    @pytest.mark.parametrize("is_there", [True, False])
    def test_bytes(self, catalog: Catalog, repo: Repo, is_there: bool) -> None:
        asked = list[str]()

        def there(name: str) -> bool:
            asked.append(name)
            return is_there

        def add() -> None:
            catalog.contents.add_plain({A: 1}, is_there=there, repo_id=repo.id)
            catalog.contents.add_xorb(xorb("0"), is_there=there)

        if is_there:
            add()
            assert asked == [A, xorb("0").hash]
            assert catalog.contents.linked(repo.id, [A]) == {A: False}
        else:
            with pytest.raises(GoneError, match="content"):
                add()
            with pytest.raises(GoneError, match="xorb"):
                catalog.contents.add_xorb(xorb("0"), is_there=there)
            assert (catalog.contents.get([A]), catalog.contents.xorbs([xorb("0").hash])) == ({}, {})

    def test_a_recipe_links_its_content(self, catalog: Catalog, repo: Repo) -> None:
        keep_recipe(catalog, recipe("a"), repo_id=repo.id)
        assert catalog.contents.linked(repo.id, [A]) == {A: False}
        assert catalog.sweeping.needs(recipe("a").hash) == {xorb("0").hash, xorb("1").hash}


class TestContents:
    def test_only_what_nothing_links_and_was_offered_before(self, catalog: Catalog, repo: Repo) -> None:
        keep(catalog, file("a"), file("b"))
        catalog.contents.link(repo.id, [B])
        assert catalog.sweeping.free_contents([A, B], before=long_ago()) == 0
        assert catalog.sweeping.free_contents([A, B], before=soon()) == 1
        assert catalog.contents.get([A, B]).keys() == {B}
        assert [(held.name, held.users, held.on_disk) for held in catalog.sweeping.contents()] == [(B, 1, True)]

    def test_recipes_go_after_their_contents(self, catalog: Catalog) -> None:
        keep_recipe(catalog, recipe("a"), "c")
        [(number, sha256_of, kept)] = catalog.sweeping.recipes()
        assert (sha256_of, kept) == (A, True)
        assert catalog.sweeping.free_recipes([number]) == 0
        catalog.sweeping.free_contents([A], before=soon())
        assert [(sha, kept) for _, sha, kept in catalog.sweeping.recipes()] == [(A, False)]
        assert catalog.sweeping.free_recipes([number]) == 1
        assert catalog.contents.recipes_with("c") == []
        assert [held.recipes for held in catalog.sweeping.xorbs()] == [(), ()]

    def test_xorbs_go_after_their_recipes_and_the_store_gets_another_name(self, catalog: Catalog) -> None:
        keep_recipe(catalog, recipe("a"))
        hashes = [xorb("0").hash, xorb("1").hash]
        assert catalog.store == catalog.instance
        assert catalog.sweeping.free_xorbs(hashes, before=soon()) == 0
        [(number, _, _)] = catalog.sweeping.recipes()
        catalog.sweeping.free_contents([A], before=soon())
        catalog.sweeping.free_recipes([number])
        assert catalog.sweeping.free_xorbs(hashes, before=long_ago()) == 0
        assert catalog.store == catalog.instance
        assert catalog.sweeping.free_xorbs(hashes[:1], before=soon()) == 1
        once = catalog.store
        assert catalog.sweeping.free_xorbs(hashes, before=soon()) == 1
        assert once.startswith(f"{catalog.instance}-")
        assert catalog.store not in (once, catalog.instance)

    def test_only_blobs_that_are_not_known_are_taken(self, catalog: Catalog) -> None:
        catalog.contents.add_plain({A: 1})
        keep_recipe(catalog, recipe("b"))  # known, and not as a blob of its own
        taken = list[str]()
        catalog.sweeping.withdraw("file", [A, B, "0" * 64], taken.append)
        catalog.sweeping.withdraw("xorb", [xorb("0").hash, "1" * 64], taken.append)
        assert taken == [B, "0" * 64, "1" * 64]
        assert catalog.sweeping.known("file", [A, B]) == {A}

    def test_what_comes_again_while_it_goes_stays(self, catalog: Catalog, repo: Repo) -> None:
        """Between the look and the removal somebody links it."""
        keep_recipe(catalog, recipe("a"))
        catalog.contents.link(repo.id, [A])
        assert catalog.sweeping.free_contents([A], before=soon()) == 0
        assert catalog.sweeping.free_recipes([number for number, _, _ in catalog.sweeping.recipes()]) == 0


class TestRepositories:
    def forget(self, catalog: Catalog, repo: Repo, **what: object) -> tuple[int, int]:
        wanted = {"commits": [], "contents": [], "before": soon(), "seen": catalog.sweeping.lineage(repo.id), **what}
        return catalog.sweeping.forget(repo.id, **wanted)  # type: ignore[arg-type]

    def test_a_lineage(self, catalog: Catalog, repo: Repo) -> None:
        push(catalog, repo, "second", "first", files=(file("a"),))
        proposal = Proposal(base=MAIN, start=sha1("first"))
        catalog.discussions.add(repo.id, NewDiscussion(title="t", status="draft", author="ann", proposal=proposal))
        seen = catalog.sweeping.lineage(repo.id)
        assert seen.refs == {MAIN: sha1("second"), "refs/pr/1": sha1("first")}
        assert seen.starts == {sha1("first")}
        assert {oid: node.parents for oid, node in seen.commits.items()} == {
            sha1("first"): (),
            sha1("second"): (sha1("first"),),
        }
        assert seen.commits[sha1("second")].tree == sha1("tree second")
        assert seen.contents == {A}

    def test_links_to_what_was_offered_since_stay(self, catalog: Catalog, repo: Repo) -> None:
        keep(catalog, file("a"))
        catalog.contents.link(repo.id, [A])
        assert self.forget(catalog, repo, contents=[A], before=long_ago()) == (0, 0)
        assert self.forget(catalog, repo, contents=[A]) == (0, 1)
        assert catalog.contents.linked(repo.id, [A]) == {}

    def test_commits_cannot_be_found_any_more(self, catalog: Catalog, repo: Repo) -> None:
        catalog.history.commit(repo.id, commit("side", "first"), [])
        assert self.forget(catalog, repo, commits=[sha1("side")]) == (1, 0)
        assert catalog.history.find_commit(repo.id, sha1("side")) is None

    def test_not_where_a_ref_moved(self, catalog: Catalog, repo: Repo) -> None:
        catalog.history.commit(repo.id, commit("side", "first"), [])
        seen = catalog.sweeping.lineage(repo.id)
        catalog.history.move_refs(repo.id, [step(None, "side", SIDE)])
        with pytest.raises(RefMovedError):
            self.forget(catalog, repo, seen=seen, commits=[sha1("side")])
        assert catalog.history.find_commit(repo.id, sha1("side")) is not None

    def test_not_where_a_ref_moved_and_came_back(self, catalog: Catalog, repo: Repo) -> None:
        keep(catalog, file("a"))
        catalog.contents.link(repo.id, [A])
        seen = catalog.sweeping.lineage(repo.id)
        catalog.history.commit(repo.id, commit("side", "first", files=(file("a"),)), [step(None, "side", SIDE)])
        catalog.history.move_refs(repo.id, [step("side", None, SIDE)])
        with pytest.raises(RefMovedError):
            self.forget(catalog, repo, seen=seen, contents=[A])
        assert catalog.contents.linked(repo.id, [A]) == {A: True}

    def test_thousands(self, catalog: Catalog, repo: Repo) -> None:
        many = [sha256(str(number)) for number in range(1200)]
        catalog.contents.add_plain(dict.fromkeys(many, 1), repo_id=repo.id)
        for number in range(600):
            catalog.history.commit(repo.id, commit(f"side {number}", "first"), [])
        commits = [sha1(f"side {number}") for number in range(600)]
        assert self.forget(catalog, repo, commits=commits, contents=many) == (600, 1200)
        assert catalog.sweeping.lineage(repo.id).contents == set()


class TestObjects:
    def last(self, catalog: Catalog) -> tuple[int, str]:
        number, oid, _, _ = list(catalog.sweeping.commits())[-1]
        return number, oid

    def test_commits_that_no_repository_has(self, catalog: Catalog, repo: Repo) -> None:
        other = catalog.repositories.add("Bob", "Dogs", private=True, first=commit("first"))
        assert [(oid, users) for _, oid, _, users in catalog.sweeping.commits()] == [(sha1("first"), 2)]
        catalog.repositories.remove(repo.id)
        assert catalog.sweeping.free_commits([sha1("first")]) == 0
        catalog.repositories.remove(other.id)
        assert catalog.sweeping.free_commits([sha1("first")]) == 1
        assert list(catalog.sweeping.commits()) == []

    def test_trees_and_files(self, catalog: Catalog, repo: Repo) -> None:
        push(catalog, repo, "second", "first", files=(file("a"),))
        assert set(catalog.sweeping.objects("tree")) == {sha1("tree first"), sha1("tree second")}
        assert list(catalog.sweeping.objects("file")) == [file("a").oid]
        last = self.last(catalog)
        assert catalog.sweeping.free_objects("tree", [sha1("tree first"), "0" * 40], last=last) == 1
        assert catalog.sweeping.free_objects("file", [file("a").oid], last=last) == 1
        assert list(catalog.history.trees([sha1("tree first"), sha1("tree second")])) == [sha1("tree second")]
        assert catalog.history.files([file("a").oid]) == {}

    def test_not_where_a_commit_came(self, catalog: Catalog, repo: Repo) -> None:
        """It may have found the very tree that is to go, and not brought its own."""
        last = self.last(catalog)
        push(catalog, repo, "second", "first")
        with pytest.raises(RefMovedError):
            catalog.sweeping.free_objects("tree", [sha1("tree second")], last=last)
        assert catalog.history.trees([sha1("tree second")])
        assert list(catalog.sweeping.commits(last[0])) == [(last[0] + 1, sha1("second"), sha1("tree second"), 1)]

    def test_of_an_empty_catalogue(self, catalog: Catalog) -> None:
        assert catalog.sweeping.free_objects("tree", ["0" * 40], last=(0, "")) == 0


def test_totals(catalog: Catalog, repo: Repo) -> None:
    push(catalog, repo, "second", "first", files=(file("a"), file("bb")))
    keep_recipe(catalog, recipe("a"), repo_id=repo.id)
    other = catalog.repositories.add("Ann", "Dogs", private=True, first=commit("other"))
    catalog.contents.link(other.id, [sha256("bb")])
    found = catalog.weighing.totals()
    assert (found.repositories, found.commits, found.files, found.contents) == (2, 3, 2, 2)
    assert (found.file_bytes, found.xorb_bytes) == (3, 2000)
    assert found.catalog_bytes > found.free_bytes >= 0
    assert catalog.weighing.alone() == {repo.id: 2001}
    assert catalog.weighing.alone_by_owner() == {"ann": 2003}
