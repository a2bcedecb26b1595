"""What was found about one file, as people read it: a line of text, or a JSON object."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from tars_hub.config import printable
from tars_hub.errors import PictureError
from tars_hub.predict import Prediction


@dataclass(frozen=True)
class FileAnswer:
    """What was found about one file: a prediction, or why there is none."""

    name: str
    found: Prediction | PictureError

    @property
    def ok(self) -> bool:
        return isinstance(self.found, Prediction)

    @property
    def status(self) -> str:
        """ "ok", or the reason."""
        return self.found.reason if isinstance(self.found, PictureError) else "ok"


def text_line(answer: FileAnswer) -> str:
    """`path<TAB>label 98.7%[, next 0.9%…]`; before the label "not sure: nearest is " where the model declines.

    For a picture that was not read: `path<TAB>not read: reason`.
    """
    if not isinstance(answer.found, Prediction):
        return f"{printable(answer.name)}\tnot read: {printable(answer.status)}"
    doubt = "not sure: nearest is " if answer.found.declined else ""
    shown = ", ".join(f"{printable(label)} {probability:.1%}" for label, probability in answer.found.top)
    return f"{printable(answer.name)}\t{doubt}{shown}"


def json_line(answer: FileAnswer) -> str:
    """`{"filename", "status", "label", "probability", "declined", "top"}`; null where the picture was not read.

    `top` is (label, probability) pairs, best first, and empty where not read. A probability that is no number is null.
    """
    found = answer.found if isinstance(answer.found, Prediction) else None
    return json.dumps(
        {
            "filename": answer.name,
            "status": answer.status,
            "label": found and found.label,
            "probability": found and _number(found.probability),
            "declined": found and found.declined,
            "top": [(label, _number(probability)) for label, probability in found.top] if found else [],
        }
    )


def _number(value: float) -> float | None:
    """JSON has no NaN; what reads the lines would stop at one."""
    return value if math.isfinite(value) else None
