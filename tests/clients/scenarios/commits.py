"""Commits of several operations, what they refuse, and their history."""

from __future__ import annotations

from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete
from huggingface_hub.errors import HfHubHTTPError, RemoteEntryNotFoundError, RepositoryNotFoundError
from making import noise
from world import FACTS, World, fails, refused, run

LARGE = noise(700_000, 1)


def _filled(at: World, name: str) -> str:
    repo = at.new_repo(name)
    adds = [
        CommitOperationAdd(path, content)
        for path, content in {
            "a.txt": b"a",
            "b.txt": b"b",
            "dir/c.txt": b"c",
            "dir/deep/d.txt": b"d",
            "large.bin": LARGE,
            "dir/large.bin": LARGE[::-1],
        }.items()
    ]
    at.api.create_commit(repo, adds, commit_message="All at once")
    return repo


def check_many_operations_are_one_commit(at: World) -> None:
    repo = _filled(at, "operations")
    operations = [
        CommitOperationAdd("a.txt", b"changed"),
        CommitOperationAdd("new/e.bin", LARGE[:1000]),
        CommitOperationDelete("b.txt"),
        CommitOperationDelete("dir/deep/"),
        CommitOperationCopy("large.bin", "copied/large.bin"),
    ]
    told = at.api.create_commit(repo, operations, commit_message="Mixed", commit_description="Lines\nof text")
    assert at.files(repo) == {"a.txt", "new/e.bin", "dir/c.txt", "large.bin", "dir/large.bin", "copied/large.bin"}
    assert at.read(repo, "a.txt") == b"changed"
    assert at.read(repo, "copied/large.bin") == LARGE
    assert told.commit_url == f"{FACTS['url']}/{repo}/commit/{told.oid}"
    assert [commit.title for commit in at.api.list_repo_commits(repo)][:2] == ["Mixed", "All at once"]
    assert at.api.list_repo_commits(repo)[0].message == "Lines\nof text"


def check_a_file_and_a_folder_are_deleted(at: World) -> None:
    repo = _filled(at, "deletions")
    at.api.delete_file("a.txt", repo)
    assert "a.txt" not in at.files(repo)
    at.api.delete_folder("dir", repo)
    assert at.files(repo) == {"b.txt", "large.bin"}
    at.api.delete_files(repo, ["*.bin"])
    assert at.files(repo) == {"b.txt"}


def check_what_is_not_there_is_not_deleted(at: World) -> None:
    repo = _filled(at, "missing")
    before = at.head(repo)
    with fails(RemoteEntryNotFoundError):
        at.api.delete_file("none.txt", repo)
    with fails(RemoteEntryNotFoundError):
        at.api.create_commit(repo, [CommitOperationAdd("x", b"x"), CommitOperationDelete("no/")], commit_message="Half")
    assert at.head(repo) == before


def check_small_and_large_files_are_copied_also_from_older_commits(at: World) -> None:
    repo = _filled(at, "copies")
    old = at.head(repo)
    at.api.delete_file("a.txt", repo)
    copies = [
        CommitOperationCopy("a.txt", "again.txt", src_revision=old),
        CommitOperationCopy("b.txt", "beside/b.txt"),
        CommitOperationCopy("dir/large.bin", "large.bin"),
    ]
    at.api.create_commit(repo, copies, commit_message="Copies")
    assert at.read(repo, "again.txt") == b"a"
    assert at.read(repo, "beside/b.txt") == b"b"
    assert at.read(repo, "large.bin") == LARGE[::-1]


def check_on_the_parent_it_was_made_for(at: World) -> None:
    repo = _filled(at, "parents")
    first = at.head(repo)
    add = [CommitOperationAdd("p.txt", b"1")]
    second = at.api.create_commit(repo, add, commit_message="Right", parent_commit=first).oid
    with fails(HfHubHTTPError, status=412):
        at.api.create_commit(repo, [CommitOperationAdd("p.txt", b"2")], commit_message="Stale", parent_commit=first)
    assert at.head(repo) == second
    assert at.read(repo, "p.txt") == b"1"


def check_a_parent_may_be_given_short(at: World) -> None:
    repo = _filled(at, "short-parent")
    add = [CommitOperationAdd("p.txt", b"1")]
    assert at.api.create_commit(repo, add, commit_message="Short", parent_commit=at.head(repo)[:8]).oid == at.head(repo)


def check_a_file_takes_the_place_of_a_folder_and_back(at: World) -> None:
    repo = _filled(at, "places")
    replace = [CommitOperationDelete("dir/"), CommitOperationAdd("dir", b"now a file")]
    at.api.create_commit(repo, replace, commit_message="A file")
    assert at.read(repo, "dir") == b"now a file"
    assert at.files(repo) == {"a.txt", "b.txt", "large.bin", "dir"}


def check_a_path_that_climbs_is_refused(at: World) -> None:
    """The client looks at paths too; past it, by hand, the hub has to."""
    repo = _filled(at, "climbing")
    before = at.head(repo)
    for path in ("../up.txt", "a/../../up.txt", "a\\..\\up.txt", "/root.txt", ".git/config", "a//b", "a/./b", "a\0b"):
        add = CommitOperationAdd("harmless.txt", b"x")
        add.path_in_repo = path
        with refused(path):
            at.api.create_commit(repo, [add], commit_message="Climb")
    assert at.head(repo) == before


def check_others_commit_nothing(at: World) -> None:
    private, public = _filled(at, "mine-private"), _filled(at, "mine-public")
    at.api.update_repo_settings(public, private=False)
    add = [CommitOperationAdd("theirs.txt", b"x")]
    stranger = at.as_(FACTS["stranger_token"])
    with fails(RepositoryNotFoundError):
        stranger.create_commit(private, add, commit_message="No")
    for token in (FACTS["stranger_token"], FACTS["read_token"], False):
        with refused("a commit of others", by={401, 403}):
            at.as_(token).create_commit(public, add, commit_message="No")
    assert "theirs.txt" not in at.files(public)


def check_history_in_pages_and_at_a_revision(at: World) -> None:
    repo = at.new_repo("history")
    oids = [
        at.api.create_commit(repo, [CommitOperationAdd("n.txt", b"%d" % n)], commit_message=f"Number {n}").oid
        for n in range(8)
    ]
    told = at.api.list_repo_commits(repo, formatted=True)
    assert [commit.commit_id for commit in told[:-1]] == oids[::-1]
    assert told[0].formatted_title is not None
    older = at.api.list_repo_commits(repo, revision=oids[3])
    assert [commit.commit_id for commit in older[:-1]] == oids[3::-1]
    assert at.read(repo, "n.txt", oids[2]) == b"2"


def check_squashed_to_one_commit(at: World) -> None:
    repo = at.new_repo("squashed")
    oids = [
        at.api.create_commit(repo, [CommitOperationAdd("n.bin", LARGE[n:])], commit_message=f"{n}").oid
        for n in range(3)
    ]
    at.api.create_tag(repo, tag="kept", revision=oids[1])
    at.api.super_squash_history(repo, branch="main", commit_message="All in one")
    told = at.api.list_repo_commits(repo)
    assert [commit.title for commit in told] == ["All in one"]
    assert told[0].commit_id not in oids
    assert at.read(repo, "n.bin") == LARGE[2:]
    assert at.read(repo, "n.bin", "kept") == LARGE[1:]
    assert at.read(repo, "n.bin", oids[1]) == LARGE[1:]
    assert at.head(repo, "kept") == oids[1]


def check_a_long_message_and_every_character(at: World) -> None:
    repo = at.new_repo("messages")
    title, text = "Größe “x” <b> 猫 " * 4, "line\n\n`code`\n\tend"
    at.api.create_commit(repo, [CommitOperationAdd("a", b"a")], commit_message=title, commit_description=text)
    newest = at.api.list_repo_commits(repo)[0]
    assert newest.title.strip() == title.strip()
    assert newest.message.strip() == text.strip()


if __name__ == "__main__":
    run()
