"""Downloads, likes and wishes for access."""

from __future__ import annotations

import threading

from tars_hub.server.catalog.interface import Catalog
from tars_hub.server.records import Repo, User


def now(catalog: Catalog, repo: Repo) -> tuple[int, int]:
    found = catalog.repositories.by_id(repo.id)
    assert found
    return found.downloads, found.likes


def people(catalog: Catalog, *names: str) -> list[User]:
    return [catalog.accounts.add_user(name) for name in names]


def test_downloads_add_up_from_many_threads(catalog: Catalog, repo: Repo) -> None:
    def count() -> None:
        for _ in range(5):
            catalog.audience.count_download(repo.id)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    catalog.audience.count_download(repo.id + 1)  # removed meanwhile
    assert now(catalog, repo) == (20, 0)


def test_likes(catalog: Catalog, repo: Repo) -> None:
    carl, ann, bob = people(catalog, "carl", "Ann", "bob")
    for user in (carl, ann, ann):
        catalog.audience.like(repo.id, user.id, liked=True)
    assert catalog.audience.likers(repo.id) == [ann, carl]
    assert catalog.audience.likers(repo.id, offset=1, limit=5) == [carl]
    assert catalog.audience.likers(repo.id, limit=1) == [ann]
    assert [catalog.audience.likes(repo.id, user.id) for user in (ann, bob)] == [True, False]
    assert now(catalog, repo) == (0, 2)
    for user in (bob, ann, ann):
        catalog.audience.like(repo.id, user.id, liked=False)
    assert now(catalog, repo) == (0, 1)
    catalog.audience.like(repo.id + 1, ann.id, liked=True)  # removed meanwhile
    catalog.audience.like(repo.id, carl.id + 9, liked=True)
    assert now(catalog, repo) == (0, 1)


def test_requests(catalog: Catalog, repo: Repo) -> None:
    ann, bob, carl = people(catalog, "ann", "bob", "carl")
    audience = catalog.audience
    assert audience.request(repo.id, bob.id, "pending") == "pending"
    assert audience.request(repo.id, ann.id, "accepted") == "accepted"
    assert audience.request(repo.id, bob.id, "accepted") == "pending"  # who has asked keeps the answer
    assert [(each.user, each.status) for each in audience.requests(repo.id, statuses=["pending", "accepted"])] == [
        (bob, "pending"),
        (ann, "accepted"),
    ]
    assert [audience.standing(repo.id, user.id) for user in (ann, bob, carl)] == ["accepted", "pending", None]
    audience.decide(repo.id, bob.id, "rejected")
    audience.decide(repo.id, carl.id, "accepted")
    assert [each.user for each in audience.requests(repo.id, statuses=["accepted"])] == [ann, carl]
    assert [each.user for each in audience.requests(repo.id, statuses=["accepted"], offset=1, limit=1)] == [carl]
    assert [each.user for each in audience.requests(repo.id, statuses=["rejected"])] == [bob]
    assert audience.requests(repo.id, statuses=[]) == []
    audience.decide(repo.id + 1, carl.id, "accepted")  # removed meanwhile
    catalog.repositories.remove(repo.id)
    assert audience.requests(repo.id, statuses=["accepted"]) == []
