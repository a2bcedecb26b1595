"""A revision's facts in the database: as one JSON text, and what is searched for in columns and rows of its own."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, delete

from tars_hub.server.catalog.schema import repository_tags
from tars_hub.server.catalog.statements import insert_absent
from tars_hub.server.records import Facts

_MOST = (1 << 63) - 1  # of a column; a file's header can claim any number of parameters


def columns_of(facts: Facts) -> dict[str, Any]:
    """A repository's columns that follow from its facts."""
    total = min(sum(facts.parameters.values()), _MOST) if facts.parameters else None
    return {
        "facts": json.dumps(asdict(facts)),
        "pipeline_tag": facts.pipeline_tag,
        "parameters": total,
        "backbone": backbone_of(facts),
        "classes": facts.config.get("num_classes"),
    }


def backbone_of(facts: Facts) -> str:
    """The network that config.json names, as Tars Hub calls it or as timm does."""
    return str(facts.config.get("backbone") or facts.config.get("architecture") or "")


def facts_of(text: str) -> Facts:
    """The facts that `columns_of` wrote down."""
    fields = json.loads(text)
    return Facts(**{**fields, "tags": tuple(fields["tags"]), "model_index": tuple(fields["model_index"])})


def retag(connection: Connection, repo_id: int, facts: Facts) -> None:
    """Let a repository be found by the tags of these facts, and no others."""
    connection.execute(delete(repository_tags).where(repository_tags.c.repository_id == repo_id))
    rows = [{"repository_id": repo_id, "tag": tag} for tag in dict.fromkeys(facts.tags)]
    insert_absent(connection, repository_tags, rows)
