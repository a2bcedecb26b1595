"""The nouns of the hub: frozen facts that travel between its rooms.

Ids of git objects are 40 hex digits (SHA-1), contents are named by the 64 hex digits of their SHA-256, and
everything of Xet by the 64 hex digits of that protocol's own text form. Times are aware, in UTC.
"""

from __future__ import annotations

from tars_hub.server.records.contents import Content, Recipe, Term, Xorb
from tars_hub.server.records.discussions import (
    Discussion,
    DiscussionStatus,
    Event,
    EventKind,
    NewDiscussion,
    Proposal,
    Version,
)
from tars_hub.server.records.history import BRANCHES, MAIN, TAGS, Commit, File, NewCommit, Ref, RefChange
from tars_hub.server.records.models import Facets, Facts, Gated, Repo, Search, Sort
from tars_hub.server.records.people import Access, AccessRequest, Caller, Member, MemberRole, Role, Token, User

__all__ = [
    "BRANCHES",
    "MAIN",
    "TAGS",
    "Access",
    "AccessRequest",
    "Caller",
    "Commit",
    "Content",
    "Discussion",
    "DiscussionStatus",
    "Event",
    "EventKind",
    "Facets",
    "Facts",
    "File",
    "Gated",
    "Member",
    "MemberRole",
    "NewCommit",
    "NewDiscussion",
    "Proposal",
    "Recipe",
    "Ref",
    "RefChange",
    "Repo",
    "Role",
    "Search",
    "Sort",
    "Term",
    "Token",
    "User",
    "Version",
    "Xorb",
]
