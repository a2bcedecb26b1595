"""Two revisions side by side: files, configuration, metrics, tensors, lines and pictures that differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from tars_hub.server.errors import NotFoundError
from tars_hub.server.hub import Hub
from tars_hub.server.records import Commit, File
from tars_hub.server.rules.contents import read_all
from tars_hub.server.rules.file_changes import Changes, FileChange, changes
from tars_hub.server.rules.revisions import entries_at
from tars_hub.server.rules.same_bytes import Budget
from tars_hub.server.rules.tensor_changes import TensorChanges, tensor_changes
from tars_hub.server.rules.tensor_files import SUFFIX
from tars_hub.server.rules.text_changes import TextChange, text_changes
from tars_hub.server.rules.turns import turn
from tars_hub.server.rules.value_changes import MAX_BYTES, Flat, ValueTable, flat, metric_table, value_table
from tars_hub.server.wire.pictures import PICTURES

READ_BYTES = 256 << 20  # of tensors, in all files of a comparison
VALUE_BYTES = 8 << 20  # of JSON, in all files of a comparison: a second's work
# Figures of a model, where trainers leave them.
METRICS = ("metrics.json", "training/metrics.json")
_PICTURE_ENDINGS = tuple(PICTURES)
_LISTED, _TABLES, _WEIGHTS, _PICTURES = 500, 8, 8, 24
_BUSY = "the hub is comparing for others just now; ask again in a moment"

_Table = Callable[..., ValueTable]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What differs between two revisions.

    Attributes:
        changes: every file that differs.
        files: the first of them.
        details: whether the rest was looked for: the caller may see what is in files.
    """

    changes: Changes
    files: Sequence[FileChange]
    details: bool
    metrics: Sequence[ValueTable] = ()
    config: Sequence[ValueTable] = ()
    tensors: Sequence[TensorChanges] = ()
    texts: Sequence[TextChange] = ()
    pictures: Sequence[FileChange] = ()

    @property
    def more(self) -> int:
        return len(self.changes.blobs) - len(self.files)


def compare(hub: Hub, old: Commit | None, new: Commit, *, details: bool, all_metrics: bool = False) -> Comparison:
    """Compare two revisions; without an old one, everything is new.

    Args:
        details: look into files, not only at their names and sizes.
        all_metrics: give also the figures that are the same.
    """
    found = changes(hub, old, new)
    listed = found.files(hub, sorted(found.blobs)[:_LISTED])
    if not details:
        return Comparison(changes=found, files=listed, details=False)
    metrics = _picked(hub, found, "metrics.json", _TABLES)
    if all_metrics:
        metrics += _unchanged(hub, new, [path for path in METRICS if path not in found.blobs])
    values = Budget(VALUE_BYTES)
    return Comparison(
        changes=found,
        files=listed,
        details=True,
        metrics=_tables(hub, _small(metrics, values), metric_table, keep_same=all_metrics),
        config=_tables(hub, _small(_picked(hub, found, "config.json", _TABLES), values), value_table),
        tensors=_tensors(hub, _picked(hub, found, SUFFIX, _WEIGHTS)),
        texts=text_changes(hub, [change for change in listed if not change.path.lower().endswith(_PICTURE_ENDINGS)]),
        pictures=_picked(hub, found, _PICTURE_ENDINGS, _PICTURES),
    )


def _picked(hub: Hub, found: Changes, endings: str | tuple[str, ...], most: int) -> list[FileChange]:
    """The first files of a kind that differ."""
    return found.files(hub, sorted(path for path in found.blobs if path.lower().endswith(endings))[:most])


def _unchanged(hub: Hub, commit: Commit, paths: list[str]) -> list[FileChange]:
    there = entries_at(hub, commit, paths).values()
    return [FileChange(path=each.path, old=each.file, new=each.file) for each in there if each.file]


def _small(picked: list[FileChange], budget: Budget) -> Iterator[FileChange]:
    """Those that may be read, until no more may be; of others the list of files says enough."""
    for change in picked:
        sizes = [file.size for file in (change.old, change.new) if file is not None]
        if max(sizes) <= MAX_BYTES and sum(sizes) <= budget.left:
            budget.spend(sum(sizes))
            yield change


def _tables(hub: Hub, picked: Iterable[FileChange], table: _Table, *, keep_same: bool = False) -> list[ValueTable]:
    made = [
        table(change.path, _flat(hub, change.old), _flat(hub, change.new), keep_same=keep_same) for change in picked
    ]
    return [each for each in made if each.rows]


def _flat(hub: Hub, file: File | None) -> Flat | None:
    if file is None:
        return None
    try:
        return flat(read_all(hub, file.sha256, limit=MAX_BYTES))
    except (NotFoundError, OSError):
        return None


def _tensors(hub: Hub, picked: list[FileChange]) -> list[TensorChanges]:
    """Of files that are there before and after; of others the list of files says enough."""
    both = [(change.path, change.old, change.new) for change in picked if change.old and change.new]
    if not both:
        return []
    budget = Budget(READ_BYTES)
    with turn(hub) as mine:
        if not mine:
            return [TensorChanges(path=path, trouble=_BUSY) for path, _, _ in both]
        return [tensor_changes(hub, path, old, new, budget) for path, old, new in both]
