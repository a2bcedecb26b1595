"""Which tensors of a safetensors file differ between two revisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from tars_hub.server.errors import NotFoundError
from tars_hub.server.hub import Hub
from tars_hub.server.records import File
from tars_hub.server.rules.same_bytes import Budget, Pair, SpentError
from tars_hub.server.rules.tensor_files import Opened, open_tensors
from tars_hub.server.tensors import Tensor, TensorError, reading_order
from tars_hub.server.xet.hashes import XetFormatError

TensorKind: TypeAlias = Literal["changed", "reshaped", "retyped", "added", "removed", "unknown"]
_MAX_ROWS = 2000


@dataclass(frozen=True, kw_only=True)
class TensorChange:
    """A tensor that differs, or of which nobody can say.

    Attributes:
        kind: "changed" has other numbers, "reshaped" another shape, "retyped" another type; "unknown" was not compared.
    """

    name: str
    kind: TensorKind
    old: Tensor | None
    new: Tensor | None


@dataclass(frozen=True, kw_only=True)
class TensorChanges:
    """The tensors of one file before and after.

    Attributes:
        rows: by name; the first of very many.
        counts: how many there are of each kind.
        same: how many are the same to the byte.
        parameters: how many numbers the changed, reshaped, retyped and added ones have.
        trouble: why nothing can be said; empty where something can.
    """

    path: str
    rows: tuple[TensorChange, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    same: int = 0
    parameters: int = 0
    trouble: str = ""

    @property
    def more(self) -> int:
        return sum(self.counts.values()) - len(self.rows)


def tensor_changes(hub: Hub, path: str, old: File, new: File, budget: Budget) -> TensorChanges:
    """Compare all tensors of two files; what cannot be read is said in `trouble`."""
    try:
        before, after = open_tensors(hub, old), open_tensors(hub, new)
        pair = Pair(hub, old.sha256, new.sha256, budget)
    except (TensorError, NotFoundError, OSError, XetFormatError) as error:
        return TensorChanges(path=path, trouble=str(error))
    rows = sorted(_rows(before, after, pair), key=_place)
    counts = Counter[str](row.kind for row in rows)
    fresh = sum(row.new.parameters for row in rows if row.new is not None and row.kind != "unknown")
    total = len({tensor.name for opened in (before, after) for tensor in opened.header.tensors})
    return TensorChanges(
        path=path, rows=tuple(rows[:_MAX_ROWS]), counts=counts, same=total - len(rows), parameters=fresh
    )


def _place(row: TensorChange) -> str:
    tensor = row.new or row.old
    return reading_order(tensor) if tensor else ""


def _rows(before: Opened, after: Opened, pair: Pair) -> Iterator[TensorChange]:
    old = {tensor.name: tensor for tensor in before.header.tensors}
    new = {tensor.name: tensor for tensor in after.header.tensors}
    for tensor in sorted(new.values(), key=lambda each: each.first):
        kind = _kind(old.get(tensor.name), tensor, (before.begins, after.begins), pair)
        if kind is not None:
            yield TensorChange(name=tensor.name, kind=kind, old=old.get(tensor.name), new=tensor)
    for tensor in old.values():
        if tensor.name not in new:
            yield TensorChange(name=tensor.name, kind="removed", old=tensor, new=None)


def _kind(old: Tensor | None, new: Tensor, begins: tuple[int, int], pair: Pair) -> TensorKind | None:
    """What became of a tensor that is there now; None where it is the same."""
    if old is None:
        return "added"
    if old.shape != new.shape:
        return "reshaped"
    if old.dtype != new.dtype or old.last - old.first != new.last - new.first:
        return "retyped"
    try:
        same = pair.same(begins[0] + old.first, begins[1] + new.first, new.last - new.first)
    except (SpentError, NotFoundError, OSError, XetFormatError):
        return "unknown"
    return None if same else "changed"
