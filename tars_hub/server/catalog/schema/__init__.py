"""The tables of the catalogue, as the newest of the migrations leaves them.

Names are kept twice: as they were written, and in lower case, by which they are found and are unique.
Whatever belongs to a repository goes with its row, by foreign keys that cascade; other rooms' tables can do the same.
"""

from __future__ import annotations

from tars_hub.server.catalog.schema.accounts import members, sessions, token_repositories, tokens, users
from tars_hub.server.catalog.schema.base import HEAD, Time, meta, metadata
from tars_hub.server.catalog.schema.contents import (
    contents,
    recipe_chunks,
    recipe_xorbs,
    recipes,
    repository_contents,
    xorbs,
)
from tars_hub.server.catalog.schema.discussions import comment_versions, discussion_events, discussions
from tars_hub.server.catalog.schema.history import commits, files, refs, repository_commits, trees
from tars_hub.server.catalog.schema.repositories import (
    access_requests,
    former_names,
    repositories,
    repository_likes,
    repository_tags,
)

__all__ = [
    "HEAD",
    "Time",
    "access_requests",
    "comment_versions",
    "commits",
    "contents",
    "discussion_events",
    "discussions",
    "files",
    "former_names",
    "members",
    "meta",
    "metadata",
    "recipe_chunks",
    "recipe_xorbs",
    "recipes",
    "refs",
    "repositories",
    "repository_commits",
    "repository_contents",
    "repository_likes",
    "repository_tags",
    "sessions",
    "token_repositories",
    "tokens",
    "trees",
    "users",
    "xorbs",
]
