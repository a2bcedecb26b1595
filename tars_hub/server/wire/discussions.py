"""Discussions and their events as the client reads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Any

from tars_hub.server.records import Discussion, Event, Repo
from tars_hub.server.wire.times import stamp

HIDDEN = "This comment has been hidden"


def discussion(repo: Repo, found: Discussion) -> dict[str, Any]:
    """A line of a list."""
    return {
        "title": found.title,
        "num": found.number,
        "author": _author(found.author),
        "createdAt": stamp(found.created_at),
        "status": found.status,
        "repo": {"name": repo.full_name, "type": "model"},
        "isPullRequest": found.proposal is not None,
    }


def details(repo: Repo, found: Discussion, events: Sequence[Event], conflicts: Sequence[str]) -> dict[str, Any]:
    """All of it but the diff."""
    facts = discussion(repo, found) | {"events": [event(each) for each in events]}
    if found.proposal is not None:
        changes = {"base": found.proposal.base}
        if found.proposal.merge_commit:
            changes["mergeCommitId"] = found.proposal.merge_commit
        facts |= {"changes": changes, "filesWithConflicts": list(conflicts)}
    return facts


def event(found: Event) -> dict[str, Any]:
    """An event of any kind."""
    return {
        "id": found.id,
        "type": found.kind,
        "createdAt": stamp(found.at),
        "author": _author(found.author),
        "data": _data(found),
    }


def _data(found: Event) -> dict[str, Any]:
    match found.kind:
        case "comment":
            return _comment(found)
        case "status-change":
            return {"status": found.text}
        case "title-change":
            return {"from": found.before, "to": found.text}
        case "commit":
            return {"subject": found.text, "oid": found.id}


def _comment(found: Event) -> dict[str, Any]:
    return {
        "edited": bool(found.earlier),
        "hidden": found.hidden,
        "latest": _version(HIDDEN if found.hidden else found.text, found.updated_at, found.author),
        "history": [_version(version.text, version.at, found.author) for version in found.earlier],
    }


def _version(text: str, at: datetime, author: str) -> dict[str, Any]:
    # Escaped and no more: nothing that a stranger writes becomes markup.
    return {"raw": text, "html": escape(text), "updatedAt": stamp(at), "author": _author(author)}


def _author(name: str) -> dict[str, Any]:
    return {"name": name, "type": "user"}
