"""Answers about files as people keep them: a line of text, a JSON object, a row of a table."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tars_hub.config import printable
from tars_hub.errors import PictureError
from tars_hub.files import replacing
from tars_hub.predict import Prediction, Predictor

COLUMNS = ("filename", "index", "label", "prob", "status", "declined")


@dataclass(frozen=True)
class FileAnswer:
    """What was found about one file: a prediction, or why there is none."""

    path: Path
    found: Prediction | PictureError

    @property
    def ok(self) -> bool:
        return isinstance(self.found, Prediction)

    @property
    def status(self) -> str:
        """ "ok", or the reason."""
        return self.found.reason if isinstance(self.found, PictureError) else "ok"


def answers(predictor: Predictor, paths: Sequence[Path], *, top_k: int, batch_size: int) -> Iterator[FileAnswer]:
    """One answer a path, in order."""
    found = predictor.stream(paths, top_k=top_k, batch_size=batch_size)
    return (FileAnswer(path, item) for path, item in zip(paths, found, strict=True))


def text_line(answer: FileAnswer) -> str:
    """`path<TAB>label 98.7%[, next 0.9%…]`; before the label "not sure: nearest is " where the model declines.

    For a picture that was not read: `path<TAB>not read: reason`.
    """
    if not isinstance(answer.found, Prediction):
        return f"{printable(str(answer.path))}\tnot read: {printable(answer.status)}"
    doubt = "not sure: nearest is " if answer.found.declined else ""
    shown = ", ".join(f"{printable(label)} {probability:.1%}" for label, probability in answer.found.top)
    return f"{printable(str(answer.path))}\t{doubt}{shown}"


def json_line(answer: FileAnswer) -> str:
    """`{"filename", "status", "label", "probability", "declined", "top"}`; null where the picture was not read.

    `top` is (label, probability) pairs, best first, and empty where not read.
    """
    found = answer.found if isinstance(answer.found, Prediction) else None
    return json.dumps(
        {
            "filename": str(answer.path),
            "status": answer.status,
            "label": found and found.label,
            "probability": found and found.probability,
            "declined": found and found.declined,
            "top": found.top if found else [],
        }
    )


@contextlib.contextmanager
def csv_table(path: Path | None, classes: Sequence[str], top_k: int) -> Iterator[Callable[[FileAnswer], None]]:
    """A function that writes a row; the file appears whole when the block ends well.

    Columns are timm's `filename,index,label,prob`, then `status`, then `declined`, 1 or 0, then
    `label_2,prob_2` … up to `top_k`.
    """
    if path is None:
        yield lambda _: None
        return
    places = range(2, min(top_k, len(classes)) + 1)
    positions = {name: index for index, name in enumerate(classes)}
    # With a mark at its start a spreadsheet reads the file as UTF-8.
    with replacing(path, newline="", encoding="utf-8-sig", errors="surrogateescape") as stream:
        table = csv.writer(stream)
        more_columns = [f"{column}_{place}" for place in places for column in ("label", "prob")]
        table.writerow([*COLUMNS, *more_columns])

        def write(answer: FileAnswer) -> None:
            found = answer.found
            if isinstance(found, PictureError):
                table.writerow([str(answer.path), "", "", "", answer.status])
                return
            more = [cell for label, score in found.top[1:] for cell in (label, f"{score:.6f}")]
            first = [str(answer.path), positions[found.label], found.label, f"{found.probability:.6f}", "ok"]
            table.writerow([*first, int(found.declined), *more])

        yield write
