"""The hub is searched, filtered, sorted and paged through."""

from __future__ import annotations

import time

from world import FACTS, World, refused, run

CARDS = {
    "list-cat": "---\nlicense: mit\ntags: [cats, tiny]\nlibrary_name: timm\npipeline_tag: image-classification\n---\n",
    "list-dog": "---\nlicense: apache-2.0\ntags: [dogs]\nlanguage: de\ndatasets: [owner/pets]\n---\n",
    "list-fish": "# No front matter\n",
}


def _made(at: World) -> None:
    if "made" in at.kept:
        return
    at.kept["made"] = True
    for name, card in CARDS.items():
        repo = at.new_repo(name, private=name == "list-fish")
        at.api.upload_file(path_or_fileobj=card.encode(), path_in_repo="README.md", repo_id=repo)


def _names(at: World, **asked: object) -> list[str]:
    _made(at)
    asked = {"author": at.user, "search": "list-", **asked}
    return [model.id.partition("/")[2] for model in at.api.list_models(**asked)]


def check_by_owner(at: World) -> None:
    assert set(_names(at)) == set(CARDS)
    assert _names(at, author="nobody-of-that-name") == []


def check_private_ones_are_for_those_who_may(at: World) -> None:
    _made(at)
    for token in (False, FACTS["stranger_token"]):
        seen = {model.id for model in at.as_(token).list_models(author=at.user, search="list-")}
        assert seen == {f"{at.user}/list-cat", f"{at.user}/list-dog"}
    assert len([*at.as_(FACTS["read_token"]).list_models(author=at.user, search="list-")]) == 3


def check_by_words(at: World) -> None:
    assert _names(at, search="list-cat") == ["list-cat"]
    assert _names(at, search="LIST-D") == ["list-dog"]
    assert set(_names(at, search="list")) >= set(CARDS)
    assert _names(at, search=f"{at.user}/list-f") == ["list-fish"]
    assert _names(at, search="100%") == _names(at, search="_") == _names(at, search="none such") == []


def check_by_tags(at: World) -> None:
    assert _names(at, filter="cats") == ["list-cat"]
    assert _names(at, filter=["cats", "tiny"]) == ["list-cat"]
    assert _names(at, filter=["cats", "dogs"]) == []
    assert _names(at, filter="license:apache-2.0") == ["list-dog"]
    assert _names(at, filter="timm") == ["list-cat"]
    assert _names(at, filter="dataset:owner/pets") == ["list-dog"]
    assert _names(at, trained_dataset="owner/pets") == ["list-dog"]
    assert _names(at, pipeline_tag="image-classification") == ["list-cat"]


def check_sorted(at: World) -> None:
    assert _names(at, sort="created_at") == ["list-fish", "list-dog", "list-cat"]
    time.sleep(1.1)  # git's dates are whole seconds
    at.api.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id=f"{at.user}/list-cat")
    assert _names(at, sort="last_modified")[0] == "list-cat"
    for other in ("downloads", "likes", "trending_score"):
        assert set(_names(at, sort=other)) == set(CARDS)


def check_limits_and_pages(at: World) -> None:
    assert _names(at, limit=2, sort="created_at") == ["list-fish", "list-dog"]
    assert len(_names(at, limit=100)) == 3
    for number in range(105):
        at.new_repo(f"page-{number:03}")
    assert len(set(_names(at, search="page-"))) == 105
    assert len(_names(at, search="page-", limit=103)) == 103


def check_what_is_told_of_each(at: World) -> None:
    _made(at)
    model = next(iter(at.api.list_models(author=at.user, search="list-cat", full=True, cardData=True)))
    assert model.private is False
    assert model.pipeline_tag == "image-classification"
    assert model.card_data is not None
    assert model.card_data.license == "mit"
    assert {item.rfilename for item in model.siblings or []} >= {"README.md"}
    assert model.last_modified
    short = next(iter(at.api.list_models(author=at.user, search="list-cat", expand=["downloads", "likes"])))
    assert (short.downloads, short.likes) == (0, 0)
    assert short.tags is None


def check_ones_own_repositories(at: World) -> None:
    _made(at)
    own = getattr(at.api, "list_user_repos", None) or getattr(at.api, "list_repos", None)
    if own is not None:
        assert {f"{at.user}/{name}" for name in CARDS} <= {item.id for item in own()}


def check_a_senseless_question_is_refused(at: World) -> None:
    with refused("sorted by what there is not"):
        list(at.api.list_models(sort="none-such"))  # type: ignore[arg-type]


if __name__ == "__main__":
    run()
