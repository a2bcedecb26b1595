"""A whole copy: what it would move, and the moving."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from tars_hub.errors import UsageError
from tars_hub.mirror import caching
from tars_hub.mirror.content import Difference, File, Names, difference, total
from tars_hub.mirror.hubs import Hub
from tars_hub.mirror.names import Wanted
from tars_hub.mirror.pushing import landed, push
from tars_hub.mirror.reading import Source, Target, read_source, read_target
from tars_hub.mirror.staging import Staged, held, known, remember, staging

_ORDER = {"commit": 0, "tag": 1, "branch": 2}  # both of the first go onto main, where its own newest is to end up


@dataclass(frozen=True, kw_only=True)
class Plan:
    """
    Attributes:
        name: the repository at the target.
        target: None is the client's cache.
        change: what is to be done there to the files.
        done: nothing is to be done at all.
    """

    source: Source
    name: str
    target: Target | None
    change: Difference
    done: bool

    @property
    def bytes_in_all(self) -> int:
        return total(self.source.files)

    @property
    def bytes_to_move(self) -> int:
        return 0 if self.done else total(self.change.contents)

    @property
    def bytes_held(self) -> int:
        """Of those to move, what an interrupted copy has fetched already."""
        return 0 if self.done else held(self.source, self.into, self.change.contents)

    @property
    def into(self) -> str:
        """What the target is called, hub and all; empty for the cache."""
        return f"{self.target.hub.address}/{self.name}" if self.target else ""


def plan_all(wanted: Mapping[Wanted, str], source: Hub, target: Hub | None) -> list[Plan]:
    """Ask both sides about everything, before anything moves; in the order in which it is to be copied.

    Args:
        wanted: with each repository its name at the target.
        target: None is the client's cache.

    Raises:
        ModelNotFoundError, UsageError, DownloadError: the first that cannot be copied.
    """
    for each, name in wanted.items():
        if target is not None and target.address == source.address and name.lower() == each.repo.lower():
            raise UsageError(
                f"{name} at {target.address} would be copied onto itself; --from or --to names another hub"
            )
    sources = [(read_source(source, each), name) for each, name in wanted.items()]
    return [plan(each, name, target) for each, name in sorted(sources, key=lambda pair: _ORDER[pair[0].kind])]


def plan(source: Source, name: str, hub: Hub | None) -> Plan:
    """Compare one source with what the target has now.

    Raises:
        UsageError, DownloadError: as `reading.read_target`.
    """
    if hub is None:
        change, done = caching.missing(source), caching.is_complete(source)
        return Plan(source=source, name=name, target=None, change=change, done=done)
    target = read_target(hub, name, source)
    change = difference(source.files, target.files, known())
    return Plan(source=source, name=name, target=target, change=change, done=_is_done(source, target, change, known()))


def _is_done(source: Source, target: Target, change: Difference, seen: Mapping[str, str]) -> bool:
    if source.kind == "tag":
        return bool(target.tagged) and not difference(source.files, target.tagged_files, seen)
    return target.exists and not change


def copy(planned: Plan, *, public: bool, on_bytes: Callable[[int], object]) -> str:
    """Fetch what the target lacks and put it there; the commit's id at the target, or at the source for the cache.

    Args:
        public: a repository that is made now is public if the source is.
        on_bytes: as `transfer.fetch`.

    Raises:
        UsageError, DownloadError, OSError: what was fetched stays, and the same call goes on with it.
    """
    source, target = planned.source, planned.target
    with staging(source, planned.into) as place:
        staged = place.stage(source, planned.change.contents, on_bytes)
        if target is None:
            caching.keep(source, staged)
            return source.sha
        return _put(source, target, staged, private=not (public and source.public))


def tidy(planned: Plan) -> None:
    """Remove what waits for a copy that needs nothing any more, as after a commit whose answer got lost."""
    with staging(planned.source, planned.into):
        pass  # its end removes it


def _put(source: Source, target: Target, staged: Mapping[str, Staged], *, private: bool) -> str:
    # Only now is it known of a file that one side counts as large and the other as small, whether it changed.
    remember(_named_otherwise(source, target.files, staged))
    change = difference(source.files, target.files, known())
    if _is_done(source, target, change, known()):
        return target.tagged or target.head
    head = push(source, target, change, staged, private=private)
    remember(_named_otherwise(source, landed(source, target, head, staged), staged))
    return head


def _named_otherwise(source: Source, target: Iterable[File], staged: Mapping[str, Staged]) -> list[Names]:
    """Contents that the target has under the other of their two names."""
    there = {file.path: file.key for file in target}
    names = ((file, staged[file.key].names) for file in source.files if file.key in staged)
    return [both for file, both in names if there.get(file.path, file.key) != file.key and both.fits(there[file.path])]
