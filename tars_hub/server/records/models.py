"""Repositories, what they say of themselves, and how they are looked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Gated = Literal["", "auto", "manual"]


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
        granted: ids of the gated repositories whose files the caller was let to; of the others of strangers none is
            found. None finds them all.
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
    granted: frozenset[int] | None = None
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
