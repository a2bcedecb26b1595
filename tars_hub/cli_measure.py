"""`tars evaluate` and `tars compare`: what they take, and the lines they say. Prints nothing itself."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tars_hub.cli_flags import add_hub_flags, add_machine_flags
from tars_hub.config import printable
from tars_hub.errors import UsageError

if TYPE_CHECKING:
    from tars_hub.compare import Comparison
    from tars_hub.config import Calibration
    from tars_hub.errors import PictureError
    from tars_hub.evaluation import Evaluated
    from tars_hub.labelled import LabelledFolder
    from tars_hub.metrics import Metrics
    from tars_hub.predict import Predictor
    from tars_hub.samples import Pixels

Say = Callable[[str], None]
_SHOWN_CHANGES = 20
_SHOWN_CLASSES = 20
_MODEL = "model folder, repository id or checkpoint file"


def add_evaluate(parser: argparse.ArgumentParser, *, say: Say) -> None:
    """The flags of `tars evaluate`."""
    parser.add_argument("model", help=_MODEL)
    _add_data(parser)
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="write metrics.json, tables and pictures there")
    parser.add_argument("--unknown", type=Path, metavar="DIR", help="pictures of no class that the model knows")
    parser.add_argument(
        "--uncalibrated", action="store_true", help="probabilities as the network gives them; nothing is declined"
    )
    parser.add_argument("--json", action="store_true", help="print metrics.json instead of lines")
    parser.set_defaults(command=lambda given: _evaluate(given, say))


def add_compare(parser: argparse.ArgumentParser, *, say: Say) -> None:
    """The flags of `tars compare`."""
    parser.add_argument("model_a", metavar="MODEL_A", help=_MODEL)
    parser.add_argument("model_b", metavar="MODEL_B", help="the same; both must know the same classes")
    _add_data(parser)
    parser.add_argument("--csv", type=Path, metavar="OUT", help="write all changed answers as a table")
    parser.set_defaults(command=lambda given: _compare(given, say))


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", type=Path, metavar="DIR", help="holds a folder per class, or test/ or val/ that does")
    parser.add_argument("--split", metavar="NAME", help="the part of DIR to take (default: test, else val)")
    add_machine_flags(parser, batch_size=32)
    add_hub_flags(parser)


def _evaluate(given: argparse.Namespace, say: Say) -> int:
    from tars_hub.config import Calibration
    from tars_hub.metrics import measure
    from tars_hub.report import summary

    folder, split = _folder(given)
    predictor = _load(given.model, given)
    calibration = Calibration() if given.uncalibrated else predictor.config.calibration
    if given.output is not None:
        given.output.mkdir(parents=True, exist_ok=True)  # before the work, lest it be for nothing
    found, errors = _ask_labelled(predictor, folder, given, "evaluating")
    metrics = measure(found, calibration, fitted_here=False)
    facts: dict[str, Any] = {"model": given.model, "dataset": given.data.resolve().name, "split": split}
    if given.unknown is not None:
        facts["unknown"], more = _ask_unknown(predictor, calibration, found, given)
        errors += more
    if given.output is not None:
        _report(predictor, calibration, found, metrics, facts, given)
    notes = [*folder.notes, *_about_calibration(predictor, given.uncalibrated), *_unread(errors)]
    if given.json:
        say(json.dumps(metrics.to_dict() | facts | {"notes": notes}))
        return 1 if errors else 0
    written = [f"written   {given.output}"] if given.output is not None else []
    for line in (*notes, *summary(metrics), *_about_unknown(facts.get("unknown")), *written):
        say(_printable(line))
    return 1 if errors else 0


def _compare(given: argparse.Namespace, say: Say) -> int:
    from tars_hub.compare import check_classes, compare, write_changes

    if given.csv is not None and not given.csv.parent.is_dir():
        raise UsageError(f"{given.csv.parent}: no such folder; {given.csv.name} cannot be written there")
    folder, _ = _folder(given)
    models = [_load(name, given) for name in (given.model_a, given.model_b)]
    check_classes(*(model.config.classes for model in models))
    found: list[Evaluated] = []
    errors: dict[str, PictureError] = {}
    for model, title in zip(models, ("first model", "second model"), strict=True):
        asked, unread = _ask_labelled(model, folder, given, title)
        found.append(asked)
        errors |= {error.name: error for error in unread}
    both = set(found[0].files) & set(found[1].files)  # networks of other sizes read other parts of a damaged file
    comparison = compare(*(each.only(both) for each in found))
    if given.csv is not None:
        write_changes(given.csv, comparison.changes)
    for line in (*folder.notes, *_unread(list(errors.values())), *_about(comparison, given)):
        say(_printable(line))
    return 1 if errors else 0


def _folder(given: argparse.Namespace) -> tuple[LabelledFolder, str | None]:
    from tars_hub.evaluation import held_out_folder
    from tars_hub.labelled import find_classes

    path, split = held_out_folder(given.data, given.split)
    return find_classes(path), split


def _load(name: str, given: argparse.Namespace) -> Predictor:
    from tars_hub.predict import Predictor

    return Predictor.from_pretrained(
        name,
        device=given.device,
        revision=given.revision,
        endpoint=given.endpoint,
        local_files_only=given.offline,
    )


def _ask_labelled(
    predictor: Predictor, folder: LabelledFolder, given: argparse.Namespace, title: str
) -> tuple[Evaluated, list[PictureError]]:
    from tars_hub.evaluation import labelled_pictures

    return _ask(predictor, *labelled_pictures(folder, predictor.config.classes), given, title)


def _ask_unknown(
    predictor: Predictor, calibration: Calibration, known: Evaluated, given: argparse.Namespace
) -> tuple[dict[str, Any], list[PictureError]]:
    from tars_hub.calibration import softmax
    from tars_hub.listing import find_pictures
    from tars_hub.metrics import measure_unknown

    paths = find_pictures([given.unknown])
    found, errors = _ask(predictor, paths, [0] * len(paths), given, "unknown")  # the labels are not looked at
    probabilities = [softmax(each.logits, calibration.temperature) for each in (found, known)]
    return measure_unknown(probabilities[0], calibration.threshold, probabilities[1]), errors


def _ask(
    predictor: Predictor, paths: Sequence[Path], labels: Sequence[int], given: argparse.Namespace, title: str
) -> tuple[Evaluated, list[PictureError]]:
    from tqdm import tqdm

    from tars_hub.evaluation import evaluate

    with tqdm(total=len(paths), desc=title, unit=" pictures", dynamic_ncols=True, disable=None, leave=False) as bar:
        found, errors = evaluate(predictor, paths, labels, batch_size=given.batch_size, on_progress=bar.update)
    return found, list(errors)


def _report(
    predictor: Predictor,
    calibration: Calibration,
    found: Evaluated,
    metrics: Metrics,
    facts: dict[str, Any],
    given: argparse.Namespace,
) -> None:
    from tars_hub.report import write_report

    def picture_of(row: int) -> Pixels:
        return predictor.prepare(found.files[row])

    write_report(given.output, found, metrics, calibration, facts=facts, picture_of=picture_of)


def _about_calibration(predictor: Predictor, ignored: bool) -> list[str]:
    from tars_hub.config import Calibration

    if ignored:
        return ["the model's calibration, if it has one, is left aside"]
    if predictor.config.calibration == Calibration():
        return ["the model was never calibrated: its probabilities are as they came, and it never declines"]
    return []


def _about_unknown(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return []
    told = f"told from the others in {found['auroc']:.1%} of pairs"
    if found["declined"] is None:
        return [f"unknown   {found['pictures']:,} pictures, none declined without a threshold; {told}"]
    low, high = found["declined_interval"]
    return [f"unknown   {found['declined']:.1%} ({low:.1%} to {high:.1%}) of {found['pictures']:,} declined; {told}"]


def _unread(errors: Sequence[PictureError]) -> list[str]:
    """A line for each, and a count."""
    if not errors:
        return []
    count = f"{len(errors):,} pictures were" if len(errors) > 1 else "1 picture was"
    return [*(f"{error.name}\tnot read: {error.reason}" for error in errors), f"{count} left out"]


def _about(comparison: Comparison, given: argparse.Namespace) -> list[str]:
    low, high = comparison.difference_interval
    fixed, broken = comparison.count("fixed"), comparison.count("broken")
    still = len(comparison.changes) - fixed - broken
    models = zip((given.model_a, given.model_b), comparison.accuracies, comparison.intervals, strict=True)
    return [
        *(f"{share:.1%} ({least:.1%} to {most:.1%})  {name}" for name, share, (least, most) in models),
        f"{comparison.difference:+.1%} ({low:+.1%} to {high:+.1%})  difference, by {comparison.pictures:,} pictures",
        f"{fixed:,} fixed, {broken:,} broken, {still:,} changed but still wrong",
        comparison.verdict,
        *_about_classes(comparison),
        *_about_changes(comparison, given),
    ]


def _about_classes(comparison: Comparison) -> list[str]:
    changed = [
        (after - before, name, before, after)
        for name, (before, after, _) in comparison.per_class.items()
        if before != after
    ]
    changed.sort(key=lambda row: -abs(row[0]))
    lines = [f"{by:+.1%}  {name}: {before:.1%} to {after:.1%}" for by, name, before, after in changed[:_SHOWN_CLASSES]]
    more = len(changed) - len(lines)
    return [*lines, *([f"{more:,} more classes changed by less"] if more else [])]


def _about_changes(comparison: Comparison, given: argparse.Namespace) -> list[str]:
    lines = [
        f"{each.kind}\t{each.file}\t{each.truth}: {each.before} to {each.after}"
        for each in comparison.changes[:_SHOWN_CHANGES]
    ]
    more = len(comparison.changes) - len(lines)
    hint = f"all are in {given.csv}" if given.csv is not None else "--csv OUT writes them all"
    return [*lines, *([f"{more:,} more changed; {hint}"] if more else [])]


def _printable(line: str) -> str:
    """Tabs stand between columns."""
    return "\t".join(map(printable, line.split("\t")))
