"""The nouns of the hub: frozen facts that travel between its rooms.

Ids of git objects are 40 hex digits (SHA-1), contents are named by the 64 hex digits of their SHA-256, and
everything of Xet by the 64 hex digits of that protocol's own text form. Times are aware, in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Role = Literal["read", "write"]
MemberRole = Literal["read", "write", "admin"]
Gated = Literal["", "auto", "manual"]
Access = Literal["pending", "accepted", "rejected"]

MAIN = "refs/heads/main"


@dataclass(frozen=True, kw_only=True)
class User:
    """Somebody who owns the namespace of the same name: a person, or an organisation, which has members and no tokens.

    Attributes:
        quota_bytes: the most that its repositories may keep in all, each content counted once; None for no end.
    """

    id: int
    name: str
    created_at: datetime
    organisation: bool = False
    quota_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Member:
    """A person in an organisation.

    Attributes:
        role: "read" sees its private repositories, "write" makes, changes and removes them, "admin" also says who
            is a member.
    """

    user: User
    role: MemberRole


@dataclass(frozen=True, kw_only=True)
class Token:
    """A token as the hub knows it: its hash was looked up, its text is not kept.

    Attributes:
        expires_at: when it ends; None for never.
        repositories: ids of those that it is for; elsewhere its holder is a stranger. None is for all.
    """

    id: int
    user: User
    role: Role
    label: str
    created_at: datetime
    expires_at: datetime | None = None
    repositories: frozenset[int] | None = None


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks. Without a token it is nobody in particular, who reads what is public.

    Attributes:
        roles: in organisations, by their names in lower case.
        granted: ids of gated repositories whose files the caller was let to.
    """

    token: Token | None = None
    roles: Mapping[str, MemberRole] = field(default_factory=dict)
    granted: frozenset[int] = frozenset()

    @property
    def user(self) -> User | None:
        return self.token.user if self.token else None

    @property
    def name(self) -> str:
        return self.token.user.name if self.token else ""

    def role_in(self, namespace: str) -> MemberRole | None:
        """In one's own namespace, or in an organisation; None for strangers."""
        if self.token is None:
            return None
        return "admin" if namespace.lower() == self.name.lower() else self.roles.get(namespace.lower())


@dataclass(frozen=True, kw_only=True)
class AccessRequest:
    """Somebody's wish to be let to the files of a gated repository, and what became of it."""

    user: User
    status: Access
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a revision says of itself in its card and its files, read once when it is committed.

    Attributes:
        card: the front matter of README.md, as it stands there.
        model_index: its evaluation results, as the client wants them.
        parameters: numbers of parameters by data type, from the headers of its safetensors files; empty without one.
        config: the few fields of config.json that other programs ask for.
    """

    pipeline_tag: str = ""
    library_name: str = ""
    tags: tuple[str, ...] = ()
    card: Mapping[str, Any] = field(default_factory=dict)
    model_index: tuple[Any, ...] = ()
    parameters: Mapping[str, int] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Repo:
    """A repository of one model.

    Attributes:
        facts: of the tip of its main branch.
        downloads: since it was made.
    """

    id: int
    namespace: str
    name: str
    private: bool
    gated: Gated
    created_at: datetime
    updated_at: datetime
    facts: Facts
    downloads: int = 0
    likes: int = 0

    @property
    def full_name(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, kw_only=True)
class Ref:
    """A name for a commit: refs/heads/main, refs/tags/v1, refs/pr/3."""

    name: str
    commit: str


@dataclass(frozen=True, kw_only=True)
class RefChange:
    """A ref's step from one commit to another; None is: not there."""

    name: str
    old: str | None
    new: str | None


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A commit as git has it; `oid` is the SHA-1 of its git object.

    Attributes:
        message: the whole of it; its first line is the title.
    """

    oid: str
    tree: str
    parents: tuple[str, ...]
    author: str
    at: datetime
    message: str

    @property
    def title(self) -> str:
        return self.message.partition("\n")[0]


@dataclass(frozen=True, kw_only=True)
class File:
    """What a git blob's id stands for.

    Attributes:
        oid: the id of the git blob: of the content itself, or of the pointer that stands for a large file.
        sha256: what the content is kept by.
        size: of the content, in bytes.
        lfs: whether git holds a pointer in its place.
    """

    oid: str
    sha256: str
    size: int
    lfs: bool


@dataclass(frozen=True, kw_only=True)
class NewCommit:
    """A commit with all that came into being by it, to be stored in one transaction.

    Attributes:
        trees: git's encoding of each new tree, by its id.
        files: files that the new trees name and the old one did not.
        facts: of the whole revision; None leaves the repository's as they are.
    """

    commit: Commit
    trees: Mapping[str, bytes]
    files: tuple[File, ...]
    facts: Facts | None = None


@dataclass(frozen=True, kw_only=True)
class Content:
    """A content that is kept, whole and verified.

    Attributes:
        plain: whether the blobs have it as one piece.
        xet: the Xet hash of the recipe by which it is put together from xorbs; empty without one.
    """

    sha256: str
    size: int
    plain: bool
    xet: str


@dataclass(frozen=True, kw_only=True)
class Xorb:
    """A xorb that is kept; `chunks` is a packed table of what lies in it."""

    hash: str
    size: int
    unpacked_size: int
    chunks: bytes


@dataclass(frozen=True, kw_only=True)
class Term:
    """A run of chunks, `start` up to and without `end`, of one xorb."""

    xorb: str
    start: int
    end: int
    unpacked_size: int


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a file is put together from xorbs; `hash` is its Xet hash.

    Attributes:
        packed_size: bytes that are moved to get the whole of it as the xorbs hold it, each run once.
    """

    hash: str
    sha256: str
    size: int
    packed_size: int
    terms: tuple[Term, ...]


Sort = Literal["created_at", "updated_at", "name", "downloads", "likes"]


@dataclass(frozen=True, kw_only=True)
class Search:
    """What a list of repositories is asked for.

    Attributes:
        namespaces: whose private repositories the caller may see.
        within: ids of the private repositories that the caller may see of these; None for all.
        text: part of the full name, in any case.
        tags: all of which a repository must have, exactly.
        backbone: what config.json names.
        classes: from how many up to how many.
        liked_by: a user's id.
        sort: a column; descending, equals by id.
    """

    namespaces: tuple[str, ...] = ()
    within: frozenset[int] | None = None
    text: str = ""
    author: str = ""
    tags: tuple[str, ...] = ()
    pipeline_tag: str = ""
    backbone: str = ""
    classes: tuple[int | None, int | None] = (None, None)
    gated: bool | None = None
    parameters: tuple[int | None, int | None] = (None, None)
    liked_by: int | None = None
    sort: Sort = "updated_at"
    ascending: bool = False
    offset: int = 0
    limit: int = 1000


@dataclass(frozen=True, kw_only=True)
class Facets:
    """What a search could be narrowed by: names with how many of the repositories found have each, most first."""

    count: int
    backbones: tuple[tuple[str, int], ...] = ()
    owners: tuple[tuple[str, int], ...] = ()
    tags: tuple[tuple[str, int], ...] = ()


DiscussionStatus = Literal["draft", "open", "closed", "merged"]
EventKind = Literal["comment", "status-change", "title-change", "commit"]


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What a pull request is beside a discussion: its commits lie behind a ref of its own.

    Attributes:
        base: the full name of the branch that it is to be merged into.
        start: the commit that its ref began at.
        head: where its ref stood when it was merged; empty before.
        merge_commit: where the branch stood after that; empty before.
    """

    base: str
    start: str
    head: str = ""
    merge_commit: str = ""


@dataclass(frozen=True, kw_only=True)
class Discussion:
    """A discussion of a repository, or a pull request; they share one row of numbers from 1."""

    number: int
    title: str
    status: DiscussionStatus
    author: str
    created_at: datetime
    proposal: Proposal | None = None

    @property
    def ref(self) -> str:
        """Of a pull request: what commits to it move."""
        return f"refs/pr/{self.number}"


@dataclass(frozen=True, kw_only=True)
class NewDiscussion:
    """A discussion with all that begins with it, to be stored in one transaction.

    Attributes:
        description: its first comment; empty for none.
        commit: the first of a pull request, on top of its `start`.
    """

    title: str
    status: DiscussionStatus
    author: str
    description: str = ""
    proposal: Proposal | None = None
    commit: NewCommit | None = None


@dataclass(frozen=True)
class Version:
    """A comment's text as it once was, and when it became so."""

    text: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened in a discussion.

    Attributes:
        id: hex digits; a commit's oid.
        text: a comment's text, the new status, the new title, a commit's title.
        before: the old title.
        updated_at: when a comment got its present text.
        hidden: a comment that was taken back; its texts are gone.
        earlier: a comment's texts before this one, oldest first.
    """

    id: str
    kind: EventKind
    author: str
    at: datetime
    text: str
    updated_at: datetime
    before: str = ""
    hidden: bool = False
    earlier: tuple[Version, ...] = ()
