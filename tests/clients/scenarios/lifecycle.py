"""Who one is, what one may, and repositories made, set, moved and deleted."""

from __future__ import annotations

from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from world import FACTS, World, fails, refused, run


def check_whoami(at: World) -> None:
    told = at.api.whoami()
    assert told["name"] == at.user
    assert told["type"] == "user"
    assert isinstance(told["orgs"], list)
    assert told["auth"]["accessToken"]["role"] in {"write", "read", "fineGrained"}
    reader = at.as_(FACTS["read_token"]).whoami()
    assert (reader["name"], reader["auth"]["accessToken"]["role"]) == (at.user, "read")


def check_a_bad_token_is_told_so(at: World) -> None:
    bad = at.as_("hf_" + "x" * 34)
    for ask in (bad.whoami, lambda: bad.create_repo(f"{at.user}/bad"), lambda: bad.model_info(f"{at.user}/bad")):
        with fails(HfHubHTTPError, "Invalid", status=401):
            ask()


def check_nobody_creates_nothing(at: World) -> None:
    with fails(HfHubHTTPError, status=401):
        at.as_(token=False).create_repo(f"{at.user}/anonymous")
    assert not at.api.repo_exists(f"{at.user}/anonymous")


def check_a_new_repository_is_private(at: World) -> None:
    url = at.api.create_repo(f"{at.user}/new")
    assert (url.repo_id, url.repo_type, url.endpoint) == (f"{at.user}/new", "model", FACTS["url"])
    assert url == f"{FACTS['url']}/{at.user}/new"
    assert at.api.repo_exists(f"{at.user}/new")
    told = at.api.model_info(f"{at.user}/new")
    assert (told.id, told.author, told.private, told.gated, told.disabled) == (
        f"{at.user}/new",
        at.user,
        True,
        False,
        False,
    )
    assert told.created_at
    assert told.last_modified
    assert at.api.list_repo_files(f"{at.user}/new") == [".gitattributes"]
    for other in (False, FACTS["stranger_token"]):
        assert not at.as_(other).repo_exists(f"{at.user}/new")


def check_a_name_without_an_owner_is_ones_own(at: World) -> None:
    assert at.api.create_repo("short").repo_id == f"{at.user}/short"


def check_created_twice_is_a_conflict(at: World) -> None:
    at.api.create_repo(f"{at.user}/twice")
    with fails(HfHubHTTPError, "already", status=409):
        at.api.create_repo(f"{at.user}/twice")
    again = at.api.create_repo(f"{at.user}/twice", exist_ok=True)
    assert again == f"{FACTS['url']}/{at.user}/twice"


def check_a_name_is_the_same_in_capitals(at: World) -> None:
    at.api.create_repo(f"{at.user}/Capitals")
    assert at.api.model_info(f"{at.user}/capitals").id == f"{at.user}/Capitals"
    with fails(HfHubHTTPError, status=409):
        at.api.create_repo(f"{at.user}/CAPITALS")


def check_public_and_private_as_asked(at: World) -> None:
    for name, options, private in (
        ("asked-public", {"private": False}, False),
        ("asked-private", {"private": True}, True),
        ("visibly-public", {"visibility": "public"}, False),
    ):
        repo = at.new_repo(name, **options)
        assert at.api.model_info(repo).private is private
        assert at.as_(token=False).repo_exists(repo) is not private


def check_others_places_are_refused(at: World) -> None:
    with fails(HfHubHTTPError, status=403):
        at.api.create_repo("owner/not-mine")
    with fails(HfHubHTTPError, status=403):
        at.as_(FACTS["read_token"]).create_repo(f"{at.user}/read-only")


def check_models_only(at: World) -> None:
    for kind, more in (("dataset", {}), ("space", {"space_sdk": "static"})):
        with refused(kind, "models only"):
            at.api.create_repo(f"{at.user}/other", repo_type=kind, **more)
    assert not at.api.repo_exists(f"{at.user}/other", repo_type="dataset")


def check_an_impossible_name_is_refused_by_the_hub_too(at: World) -> None:
    """The client looks at names itself in most calls, but not in this one."""
    for name in ("a--b", ".git", "x" * 200, "a b", "..", "ünsere", "a.git"):
        with refused(name):
            at.api.create_repo(f"{at.user}/{name}")


def check_settings(at: World) -> None:
    repo = at.new_repo("settings")
    at.api.update_repo_settings(repo, private=False)
    assert at.api.model_info(repo).private is False
    at.api.update_repo_settings(repo, visibility="private")
    assert at.api.model_info(repo).private is True
    with fails(RepositoryNotFoundError):
        at.as_(FACTS["stranger_token"]).update_repo_settings(repo, private=False)
    at.api.update_repo_settings(repo, private=False)
    with fails(HfHubHTTPError, status=403):
        at.as_(FACTS["stranger_token"]).update_repo_settings(repo, private=True)


def check_moved_and_found_under_both_names(at: World) -> None:
    old = at.new_repo("old-name")
    at.api.upload_file(path_or_fileobj=b"moves along", path_in_repo="a.txt", repo_id=old)
    at.api.move_repo(old, f"{at.user}/new-name")
    assert at.api.model_info(f"{at.user}/new-name").id == f"{at.user}/new-name"
    assert at.api.model_info(old).id == f"{at.user}/new-name"
    assert at.read(f"{at.user}/new-name", "a.txt") == b"moves along"
    assert at.read(old, "a.txt") == b"moves along"


def check_moved_onto_another_is_a_conflict(at: World) -> None:
    first, second = at.new_repo("first"), at.new_repo("second")
    with fails(HfHubHTTPError, "already exists"):
        at.api.move_repo(first, second)
    with fails(HfHubHTTPError):
        at.api.move_repo(first, "owner/first")
    assert at.api.repo_exists(first)


def check_deleted(at: World) -> None:
    repo = at.new_repo("deleted")
    at.api.delete_repo(repo)
    assert not at.api.repo_exists(repo)
    with fails(RepositoryNotFoundError):
        at.api.delete_repo(repo)
    at.api.delete_repo(repo, missing_ok=True)
    at.new_repo("deleted")
    assert at.files(repo) == set()


def check_others_delete_nothing(at: World) -> None:
    private, public = at.new_repo("kept-private"), at.new_repo("kept-public", private=False)
    stranger = at.as_(FACTS["stranger_token"])
    with fails(RepositoryNotFoundError):
        stranger.delete_repo(private)
    with fails(HfHubHTTPError, status=403):
        stranger.delete_repo(public)
    with fails(HfHubHTTPError, status=403):
        at.as_(FACTS["read_token"]).delete_repo(private)
    assert at.api.repo_exists(private)
    assert at.api.repo_exists(public)


def check_auth_check(at: World) -> None:
    private, public = at.new_repo("auth-private"), at.new_repo("auth-public", private=False)
    at.api.auth_check(private)
    at.api.auth_check(private, write=True)
    at.as_(token=False).auth_check(public)
    for other in (False, FACTS["stranger_token"]):
        with fails(RepositoryNotFoundError):
            at.as_(other).auth_check(private)
    with fails(HfHubHTTPError, status=403):
        at.as_(FACTS["stranger_token"]).auth_check(public, write=True)


def check_reserved_names_are_no_owners(at: World) -> None:
    for name in ("api", "cas", "login", "static", "demo", "health"):
        with refused(name):
            at.api.create_repo(f"{name}/x")


if __name__ == "__main__":
    run()
