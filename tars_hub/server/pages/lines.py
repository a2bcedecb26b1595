"""What a list of models says of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tars_hub.server.catalog.facts import backbone_of
from tars_hub.server.pages.metrics import top1_of
from tars_hub.server.records import Repo


@dataclass(frozen=True, kw_only=True)
class Line:
    """One model; what is not known is None or empty.

    Attributes:
        top1: share of right answers, 0..1, as the card has it.
    """

    full_name: str
    private: bool
    gated: bool
    backbone: str
    task: str
    classes: int | None
    top1: float | None
    parameters: int
    updated_at: datetime
    downloads: int
    likes: int


def line_of(repo: Repo) -> Line:
    """A repository as lists show it."""
    facts = repo.facts
    return Line(
        full_name=repo.full_name,
        private=repo.private,
        gated=bool(repo.gated),
        backbone=backbone_of(facts),
        task=facts.pipeline_tag,
        classes=facts.config.get("num_classes"),
        top1=top1_of(facts.model_index),
        parameters=sum(facts.parameters.values()),
        updated_at=repo.updated_at,
        downloads=repo.downloads,
        likes=repo.likes,
    )
