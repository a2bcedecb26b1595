"""What the catalogue must do: everything the hub knows besides bytes. Every method is one transaction.

It holds no rules of who may do what, and no rules of git; it keeps what it is given, all or nothing. Names of
users and repositories are unique and found without regard to case, and come back as they were first written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from tars_hub.server.records import (
    Access,
    AccessRequest,
    Caller,
    Commit,
    Content,
    Discussion,
    DiscussionStatus,
    Event,
    Facets,
    File,
    Gated,
    Member,
    MemberRole,
    NewCommit,
    NewDiscussion,
    Recipe,
    Ref,
    RefChange,
    Repo,
    Role,
    Search,
    Token,
    User,
    Xorb,
)


class TakenError(Exception):
    """The name is taken."""


class RefMovedError(Exception):
    """A ref is not where the change begins; `args[0]` is its name."""


class StaleError(Exception):
    """A discussion is not there any more, or not in the status that the change begins at."""


class Accounts(Protocol):
    """Users, organisations, tokens and sessions."""

    def add_user(self, name: str, *, organisation: bool = False) -> User:
        """Raises TakenError."""
        ...

    def add_first(self, name: str, *, digest: str, role: Role, label: str) -> Token | None:
        """Keep the very first token, with its user if there is none of this name; None where there is a token."""
        ...

    def user(self, name: str) -> User | None: ...

    def users(self) -> list[User]:
        """All of them, organisations too, by name."""
        ...

    def set_quota(self, user_id: int, quota_bytes: int | None) -> None:
        """None lifts it."""
        ...

    def remove_user(self, user_id: int) -> None:
        """Forget a user or an organisation with tokens, sessions, memberships and likes; repositories stay."""
        ...

    def members(self, organisation_id: int) -> list[Member]:
        """By name."""
        ...

    def set_member(self, organisation_id: int, user_id: int, role: MemberRole | None) -> None:
        """Make somebody a member, or of another role; None ends it."""
        ...

    def add_token(
        self,
        user: User,
        *,
        digest: str,
        role: Role,
        label: str,
        expires_at: datetime | None = None,
        repositories: Collection[int] | None = None,
    ) -> Token:
        """Keep a token by the digest of its text."""
        ...

    def has_tokens(self) -> bool:
        """Whether there is any token, of anybody."""
        ...

    def token(self, digest: str) -> Token | None:
        """Also one that has ended."""
        ...

    def token_by_id(self, token_id: int) -> Token | None:
        """Also one that has ended."""
        ...

    def tokens(self, user_id: int) -> list[Token]:
        """A user's, oldest first, also those that have ended."""
        ...

    def remove_token(self, token_id: int) -> None:
        """Forget a token and the sessions that began with it."""
        ...

    def add_session(self, token_id: int, *, digest: str, expires_at: datetime) -> None:
        """Keep a session by the digest of its text; those that have ended are forgotten."""
        ...

    def remove_session(self, digest: str) -> None: ...

    def caller(
        self, *, token: str | None = None, token_id: int | None = None, session: str | None = None
    ) -> Caller | None:
        """Who holds a token, by its digest or id, or a session, by its digest; None where it is not valid now."""
        ...


class Repositories(Protocol):
    """Repositories and their settings."""

    def add(self, namespace: str, name: str, *, private: bool, first: NewCommit) -> Repo:
        """Make a repository whose main branch stands at `first`. Raises TakenError.

        An old name that led elsewhere since a move is free to be taken, and leads here then.
        """
        ...

    def find(self, full_name: str) -> Repo | None:
        """By "namespace/name", in any case; a name it had before a move counts too."""
        ...

    def by_id(self, repo_id: int) -> Repo | None: ...

    def update(self, repo_id: int, *, private: bool | None = None, gated: Gated | None = None) -> None: ...

    def move(self, repo_id: int, namespace: str, name: str) -> None:
        """Give it another name; the old one leads to it until somebody takes it. Raises TakenError."""
        ...

    def remove(self, repo_id: int) -> None:
        """Forget it with its refs, commits, discussions and old names. Contents stay."""
        ...

    def search(self, search: Search) -> list[Repo]: ...

    def facets(self, search: Search, *, most: int) -> Facets:
        """How many fit, whatever the page, and by what they could be narrowed: up to so many names of a kind."""
        ...

    def all(self, after: int, limit: int) -> list[Repo]:
        """In the order of their ids, those after this one."""
        ...


class History(Protocol):
    """Refs, commits, trees and files. A commit belongs to the repositories it was made in."""

    def refs(self, repo_id: int) -> list[Ref]:
        """By name."""
        ...

    def ref(self, repo_id: int, name: str) -> str | None:
        """The commit's oid."""
        ...

    def move_refs(self, repo_id: int, changes: Sequence[RefChange]) -> None:
        """All of them or none. Raises RefMovedError where a ref is not at its `old`."""
        ...

    def commit(self, repo_id: int, new: NewCommit, changes: Sequence[RefChange]) -> None:
        """Store a commit and move refs to it, at once; the contents that it names become readable in the repository.

        Where the main branch moves, the repository's `updated_at` becomes the commit's time and its facts
        become `new.facts`, if given. Storing what is there already is no error. Raises RefMovedError.
        """
        ...

    def find_commit(self, repo_id: int, prefix: str) -> Commit | None:
        """By its oid or the beginning of it (hex digits); None where none or several fit."""
        ...

    def log(self, repo_id: int, oid: str, *, skip: int = 0, limit: int = 1000) -> list[Commit]:
        """This commit and its first parents, newest first."""
        ...

    def trees(self, oids: Collection[str]) -> dict[str, bytes]:
        """Git's encoding of each."""
        ...

    def files(self, oids: Collection[str]) -> dict[str, File]:
        """By the ids of their git blobs."""
        ...


class Contents(Protocol):
    """What is kept, in which form, and which repository may name it.

    A content is linked to a repository when it was uploaded for it, and committed when a commit names it there.
    """

    def add_plain(self, sizes: Mapping[str, int]) -> None:
        """The blobs have these contents, each as one piece; their sizes by SHA-256."""
        ...

    def add_xorb(self, xorb: Xorb) -> None: ...

    def xorbs(self, hashes: Collection[str]) -> dict[str, Xorb]: ...

    def add_recipe(self, recipe: Recipe, *, chunks: Collection[str]) -> None:
        """Keep a recipe, and the hashes of those of its chunks by which others may find it."""
        ...

    def recipe(self, xet: str) -> Recipe | None: ...

    def recipes_with(self, chunk: str) -> list[tuple[str, tuple[int, ...]]]:
        """Xet hashes of recipes that hold this chunk, each with the repositories where a commit names its content.

        At most 20, newest first.
        """
        ...

    def get(self, sha256s: Collection[str]) -> dict[str, Content]: ...

    def link(self, repo_id: int, sha256s: Collection[str]) -> None:
        """Uploaded for this repository, and not committed yet where it was not."""
        ...

    def linked(self, repo_id: int, sha256s: Collection[str]) -> Mapping[str, bool]:
        """Those that are linked to the repository, with whether a commit there names them."""
        ...

    def all_plain(self, after: str, limit: int) -> list[Content]:
        """Contents kept as one piece, in the order of their SHA-256, those after this one."""
        ...

    def all_recipes(self, after: str, limit: int) -> list[Recipe]: ...

    def all_xorbs(self, after: str, limit: int) -> list[Xorb]: ...


class Discussions(Protocol):
    """Discussions and pull requests of each repository, with what happened in them."""

    def add(self, repo_id: int, new: NewDiscussion) -> Discussion:
        """Give it the repository's next number; a pull request's ref begins at its commit, or where it starts.

        Raises RefMovedError where the repository is gone.
        """
        ...

    def find(self, repo_id: int, number: int) -> Discussion | None: ...

    def search(
        self,
        repo_id: int,
        *,
        pull_requests: bool | None = None,
        statuses: Collection[DiscussionStatus] = (),
        author: str = "",
        offset: int = 0,
        limit: int = 50,
    ) -> tuple[list[Discussion], int]:
        """Those that fit, newest first, and how many there are in all."""
        ...

    def events(self, repo_id: int, number: int) -> list[Event]:
        """In their order, without commits: these are known by the ref."""
        ...

    def event(self, repo_id: int, number: int, event_id: str) -> Event | None: ...

    def comment(self, repo_id: int, number: int, *, author: str, text: str) -> Event:
        """Raises StaleError."""
        ...

    def rename(self, repo_id: int, number: int, *, author: str, title: str) -> Event:
        """Raises StaleError."""
        ...

    def change_status(
        self,
        repo_id: int,
        number: int,
        *,
        author: str,
        old: DiscussionStatus,
        new: DiscussionStatus,
        comment: str = "",
    ) -> Event:
        """Change it, after a comment if there is one. Raises StaleError where it is not `old`."""
        ...

    def merge(
        self,
        repo_id: int,
        number: int,
        *,
        author: str,
        head: str,
        new: NewCommit,
        changes: Sequence[RefChange],
        comment: str = "",
    ) -> Event:
        """Turn an open pull request into a merged one and move refs, at once, as `History.commit` does.

        The repository counts as updated now, however old the commit is. Raises RefMovedError and StaleError.

        Args:
            head: where its ref stands.
            new: what the branch stands at after it; one that is there already is not stored again.
        """
        ...

    def edit(self, repo_id: int, number: int, event_id: str, *, text: str) -> Event:
        """Give a comment another text; earlier ones are kept. Raises StaleError where it is gone or hidden."""
        ...

    def hide(self, repo_id: int, number: int, event_id: str) -> Event:
        """Forget all texts of a comment. Raises StaleError where it is gone."""
        ...


class Audience(Protocol):
    """What others make of repositories: downloads, likes, and wishes to be let to gated files."""

    def count_download(self, repo_id: int) -> None: ...

    def like(self, repo_id: int, user_id: int, *, liked: bool) -> None:
        """Like a repository, or no longer; doing it twice is as good as once."""
        ...

    def likers(self, repo_id: int) -> list[User]:
        """By name."""
        ...

    def request(self, repo_id: int, user_id: int, status: Access) -> Access:
        """Ask for the files of a repository; one who has asked before keeps the answer. What it is now."""
        ...

    def requests(self, repo_id: int, *, statuses: Collection[Access]) -> list[AccessRequest]:
        """Oldest first."""
        ...

    def decide(self, repo_id: int, user_id: int, status: Access) -> None:
        """Answer a request, or let somebody in who has not asked."""
        ...


class Catalog(Protocol):
    """All of it."""

    accounts: Accounts
    repositories: Repositories
    history: History
    contents: Contents
    discussions: Discussions
    audience: Audience

    @property
    def instance(self) -> str:
        """32 hex digits drawn when this catalogue was made; another hub, or a restored one, has others."""
        ...

    @property
    def secret(self) -> bytes:
        """32 random bytes drawn when this catalogue was made, for signing."""
        ...

    def close(self) -> None: ...
