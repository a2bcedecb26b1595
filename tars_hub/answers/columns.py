"""What stands in the columns of a table of answers, whatever the table is written as."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from tars_hub.answers.answered import FileAnswer
from tars_hub.errors import PictureError

COLUMNS = ("filename", "index", "label", "prob", "status", "declined")
Write: TypeAlias = Callable[[FileAnswer], None]  # adds a row


def columns(places: int) -> list[str]:
    """timm's `filename,index,label,prob`, then `status` and `declined`, then `label_2,prob_2` … up to `places`."""
    return [*COLUMNS, *(f"{column}_{place}" for place in range(2, places + 1) for column in ("label", "prob"))]


def cells(answer: FileAnswer, positions: dict[str, int], places: int) -> list[Any]:
    """What stands in these columns; None where there is nothing."""
    found = answer.found
    if isinstance(found, PictureError):
        return [answer.name, None, None, None, answer.status, None, *[None, None] * (places - 1)]
    more = [cell for pair in found.top[1:] for cell in pair]
    return [answer.name, positions[found.label], found.label, found.probability, "ok", found.declined, *more]
