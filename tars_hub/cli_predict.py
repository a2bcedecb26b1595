"""`tars predict`: what it takes, and the lines it says. Prints nothing itself."""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tars_hub.cli_flags import add_hub_flags, positive
from tars_hub.config import printable
from tars_hub.errors import UsageError

if TYPE_CHECKING:
    from tars_hub.answers.answered import FileAnswer
    from tars_hub.answers.journal import GoingOn, Journal
    from tars_hub.answers.names import Named
    from tars_hub.answers.tables import Written
    from tars_hub.predict import Predictor
    from tars_hub.remote import ModelSource

Say = Callable[[str], None]
_JSON_TOP_K = 5
_GPU_BATCH_SIZE = 64


def add_predict(parser: argparse.ArgumentParser, *, say: Say, note: Say) -> None:
    """The flags of `tars predict`.

    Args:
        say: gets the lines that are the answer; `note` those about how the run went.
    """
    parser.add_argument("model", help="model folder, repository id or checkpoint file")
    parser.add_argument(
        "pictures", nargs="+", metavar="PICTURE", help="files, or folders of them; - reads names from standard input"
    )
    parser.add_argument(
        "--null", "-0", action="store_true", help="names on standard input end with NUL, as of find -print0"
    )
    parser.add_argument("--top-k", type=positive, metavar="K", help="classes shown for each (default 1, as JSON 5)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    _add_table(parser)
    parser.add_argument(
        "--uncalibrated", action="store_true", help="probabilities as the network gives them; never says not sure"
    )
    parser.add_argument(
        "--batch-size",
        type=positive,
        metavar="N",
        help="pictures at a time (default: found by trying; of a table what suits the engine)",
    )
    parser.add_argument("--engine", choices=["onnx", "torch"], help="what computes (default: the faster one)")
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda … (default: a GPU where there is one)")
    add_hub_flags(parser)
    parser.set_defaults(command=lambda given: _predict(given, say, note))


def _add_table(parser: argparse.ArgumentParser) -> None:
    tables = parser.add_mutually_exclusive_group()
    tables.add_argument(
        "--output",
        type=Path,
        metavar="OUT",
        help="write a table instead of lines, as its ending says: .csv, .jsonl or .parquet",
    )
    tables.add_argument(
        "--csv", type=Path, metavar="OUT", help="write a table as well: filename,index,label,prob,status,declined"
    )
    parser.add_argument("--restart", action="store_true", help="drop what a run that was stopped has left of the table")


def _predict(given: argparse.Namespace, say: Say, note: Say) -> int:
    from tars_hub.answers.names import Named

    if sys.stdin is None and "-" in given.pictures:
        raise UsageError("there is no standard input to read names from")
    source = cast("io.BufferedIOBase", sys.stdin.buffer) if "-" in given.pictures else io.BytesIO()
    named = Named(arguments=given.pictures, null=given.null, source=source)
    named.check()
    if given.csv is not None or given.output is not None:
        return _to_table(given, named, say, note)
    if given.restart:
        raise UsageError("--restart is about a table; say --output or --csv, too")
    return _to_lines(given, named, say)


def _to_lines(given: argparse.Namespace, named: Named, say: Say) -> int:
    from tars_hub.answers.asking import ask
    from tars_hub.answers.progress import Progress

    names = named.pictures()
    predictor = _load(given.model, given, **_hub_options(given))
    line, bad = _line_of(given), 0
    with Progress(named.pictures if named.can_be_counted else None) as progress:
        for asked in ask(predictor, names, top_k=_top_k(given), batch_size=given.batch_size):
            progress.line(line(asked.answer), say)
            progress.step()
            bad += not asked.answer.ok
    return 1 if bad else 0


def _to_table(given: argparse.Namespace, named: Named, say: Say, note: Say) -> int:
    from tars_hub.answers.journal import Journal
    from tars_hub.answers.tables import csv_table, table_for, write_table

    path: Path = given.csv or given.output
    table = csv_table if given.csv is not None else table_for(path)
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is no file; a table cannot take its place")
    with Journal(path) as journal:  # before the model is loaded, lest that be for nothing
        names = named.pictures()
        predictor = _load_for(journal, given)
        try:
            rate = _answer(predictor, journal, names, named, given, say=say, note=note)
        except KeyboardInterrupt:
            note(f"stopped; {journal.path} holds the answers so far, and the same command goes on from there")
            raise
        answers = (line.asked.answer for line in journal.lines())
        written = write_table(table, path, answers, predictor.config.classes, _top_k(given))
        journal.done()
    if given.csv is None and not given.json:
        say(_summary(path, written, rate))
    return 1 if written.unread else 0


def _answer(
    predictor: Predictor,
    journal: Journal,
    names: Iterator[str],
    named: Named,
    given: argparse.Namespace,
    *,
    say: Say,
    note: Say,
) -> float:
    """Answer into the journal what is not answered there; how many a second."""
    from tars_hub.answers.asking import ask
    from tars_hub.answers.progress import Progress

    # Not one that is found by trying, as for lines: the last digits of an answer depend on it.
    is_gpu = _kind_of(predictor.device) != "cpu"
    batch_size = given.batch_size or (_GPU_BATCH_SIZE if is_gpu else predictor.engine.together)
    going = journal.go_on(names, batch_size)
    for remark in _about_earlier(journal, going):
        note(remark)
    line = _line_of(given) if given.csv is not None or given.json else None
    if line is not None:
        for earlier in islice(journal.lines(), going.kept):
            say(line(earlier.asked.answer))
    with Progress(named.pictures if named.can_be_counted else None, done=going.kept) as progress:
        for asked in ask(predictor, going.names, top_k=_top_k(given), batch_size=batch_size):
            journal.add(asked)
            if line is not None:
                progress.line(line(asked.answer), say)
            progress.step()
        journal.flush()
        return progress.rate


def _about_earlier(journal: Journal, going: GoingOn) -> Iterator[str]:
    if going.changed is not None:
        yield f"{journal.path}: answers from {printable(going.changed)} on are dropped; the pictures are others now"
    if going.kept:
        yield f"{going.kept:,} answers of an earlier run stay"


def _summary(path: Path, written: Written, rate: float) -> str:
    unread = f", {written.unread:,} of them not read" if written.unread else ""
    return f"{path}: {written.pictures:,} pictures{unread}; {rate:,.1f} a second"


def _top_k(given: argparse.Namespace) -> int:
    as_json = given.json or (given.output is not None and given.output.suffix.lower() == ".jsonl")
    return int(given.top_k or (_JSON_TOP_K if as_json else 1))


def _line_of(given: argparse.Namespace) -> Callable[[FileAnswer], str]:
    from tars_hub.answers.answered import json_line, text_line

    return json_line if given.json else text_line


def _load(source: ModelSource, given: argparse.Namespace, **options: Any) -> Predictor:  # noqa: ANN401  # handed on
    from tars_hub.predict import Predictor

    return Predictor.from_pretrained(
        source, device=given.device, engine=given.engine, calibrated=not given.uncalibrated, **options
    )


def _load_for(journal: Journal, given: argparse.Namespace) -> Predictor:
    """The model, after the journal has taken it for the one whose answers it holds."""
    from tars_hub.engines.exported import numbers_of
    from tars_hub.engines.prepared import digest_of
    from tars_hub.files import read_together
    from tars_hub.remote import model_folder

    source = Path(given.model)
    if not source.is_file():
        source = model_folder(given.model, **_hub_options(given))
    weights = numbers_of(source) if source.is_dir() else source
    predictor, digest = read_together([weights], lambda: (_load(source, given), digest_of(weights)))
    depends_on = {
        "model": _identity(predictor, digest),
        "top-k": _top_k(given),
        "calibrated": not given.uncalibrated,
        "engine": predictor.engine.name,
        "device": _kind_of(predictor.device),
    }
    journal.begin(depends_on, predictor.config.classes, restart=given.restart)
    return predictor


def _identity(predictor: Predictor, digest: str) -> str:
    from blake3 import blake3

    return blake3(json.dumps([digest, predictor.config.to_dict()], sort_keys=True).encode()).hexdigest()


def _kind_of(device: str) -> str:
    return device.partition(":")[0]


def _hub_options(given: argparse.Namespace) -> dict[str, Any]:
    return {"revision": given.revision, "endpoint": given.endpoint, "local_files_only": given.offline}
