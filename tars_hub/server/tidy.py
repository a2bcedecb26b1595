"""Free what no branch, tag or pull request of any repository names, beside a hub that serves.

Clients are told "that is there already", and build on it. So nothing is freed before a while has passed since it was
offered to one last, or taken from one; and young commits stay for as long, whatever their refs do.

Looking takes long and locks nothing. Each removal is a short transaction that makes sure again: that the refs of a
repository are what they were, that nothing links a content, that nobody came with what is to go. Rows go before their
blobs: whoever dies between the two leaves blobs that nothing knows, which the next run finds on the disk. Whoever adds
a row makes sure within its transaction that the blob is there, and blobs are removed within one that sees no row.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from graphlib import TopologicalSorter
from itertools import islice
from typing import Generic, TypeVar

from tars_hub.server.blobs.interface import Key
from tars_hub.server.catalog.interface import RefMovedError
from tars_hub.server.catalog.tidying import Kind, Lineage, Object
from tars_hub.server.hub import Hub
from tars_hub.server.reach import LostError, Named, Reached, reach
from tars_hub.server.records import Repo

_PAGE = 500
_BLOBS_AT_ONCE, _OBJECTS_AT_ONCE = 50, 100  # that one transaction removes
_TRIES = 100  # against others who push all the time
_PART = timedelta(days=2)

Progress = Callable[[str, int, int], None]
T = TypeVar("T")
K = TypeVar("K", int, str)


@dataclass(frozen=True, kw_only=True)
class Tidied:
    """What was freed, or would be.

    Attributes:
        rows: of the catalogue.
        held_blobs, held_bytes: what nothing names either, and waits for its grace to end.
        lost: repositories of which something is missing; nothing of them was touched.
    """

    blobs: int
    blob_bytes: int
    rows: int
    held_blobs: int
    held_bytes: int
    lost: tuple[str, ...] = ()


@dataclass
class _Doomed(Generic[K]):
    """What nothing names: what goes now, and what goes once all grace has ended, which is more."""

    now: set[K] = field(default_factory=set)
    ever: set[K] = field(default_factory=set)

    def add(self, name: K, *, now: bool, ever: bool) -> None:
        if now:
            self.now.add(name)
        if now or ever:
            self.ever.add(name)


class Tidying:
    """One run."""

    def __init__(self, hub: Hub, *, grace: timedelta, dry_run: bool = False, progress: Progress | None = None) -> None:
        self._hub, self._sweeping, self._dry = hub, hub.catalog.sweeping, dry_run
        self._before, self._grace_s = datetime.now(timezone.utc) - grace, grace.total_seconds()
        self._progress = progress or (lambda *_: None)
        # By content, how many links will be gone: now, as far as it was offered long ago, and once all grace has ended.
        self._unlinked_now, self._unlinked_ever = Counter[str](), Counter[str]()
        self._orphaned = Counter[str]()
        self._named, self._last = Named(), (0, "")
        self._blobs = self._bytes = self._rows = self._held = self._held_bytes = 0
        self._lost: list[str] = []

    def run(self) -> Tidied:
        """Do all of it."""
        for _ in self.repositories():
            pass
        return self.rest()

    def repositories(self) -> Iterator[tuple[Repo, Reached | None]]:
        """Free commits and links of each repository; gives what it holds, or nothing where a part of it is lost."""
        total = self._hub.catalog.weighing.totals().repositories
        for number, repo in enumerate(_all_repositories(self._hub), 1):
            try:
                yield repo, self._repository(repo)
            except LostError as error:
                self._lost.append(f"{repo.full_name}: {error} is missing")
                yield repo, None
            self._progress("repositories", number, total)

    def rest(self) -> Tidied:
        """Free what no repository has any more, once all of them were looked at."""
        files = self._contents()
        xorbs = self._xorbs(self._recipes(files))
        self._blobs_of("file", files)
        self._blobs_of("xorb", xorbs)
        self._parts()
        self._objects()
        return Tidied(
            blobs=self._blobs,
            blob_bytes=self._bytes,
            rows=self._rows,
            held_blobs=self._held,
            held_bytes=self._held_bytes,
            lost=tuple(self._lost),
        )

    def _repository(self, repo: Repo) -> Reached:
        for _ in range(_TRIES):
            found = reach(self._hub, repo.id, young_from=self._before)
            try:
                links = self._forget(repo, found)
            except RefMovedError:
                continue
            break
        else:
            links = found.lineage.contents  # the next run may have more luck
        self._unlinked_now.update(links - found.contents.keys())
        self._unlinked_ever.update(links - found.by_refs.keys())
        self._named.update(found.named)
        return found

    def _forget(self, repo: Repo, found: Reached) -> Collection[str]:
        """Forget what nothing leads to; the links that are left. Raises RefMovedError."""
        seen = found.lineage
        commits, contents = seen.commits.keys() - found.commits, seen.contents - found.contents.keys()
        if self._dry or not (commits or contents):
            self._orphaned.update(commits)
            self._rows += len(commits)
            return seen.contents
        gone, unlinked = self._sweeping.forget(
            repo.id, seen, commits=_latest_first(seen, commits), contents=contents, before=self._before
        )
        self._rows += gone + unlinked
        return self._sweeping.lineage(repo.id).contents if unlinked else seen.contents

    def _contents(self) -> _Doomed[str]:
        doomed = _Doomed[str]()
        for held in self._sweeping.contents():
            now, ever = self._unlinked_now[held.name], self._unlinked_ever[held.name]
            is_old = held.offered_at < self._before
            doomed.add(held.name, now=is_old and held.users == now, ever=held.users == ever)
            self._rows += now if is_old and self._dry else 0
        self._free(doomed.now, lambda names: self._sweeping.free_contents(names, before=self._before))
        return doomed

    def _recipes(self, contents: _Doomed[str]) -> _Doomed[int]:
        doomed = _Doomed[int]()
        for number, sha256, is_kept in self._sweeping.recipes():
            doomed.add(number, now=not is_kept or sha256 in contents.now, ever=sha256 in contents.ever)
        self._free(doomed.now, self._sweeping.free_recipes)
        return doomed

    def _xorbs(self, recipes: _Doomed[int]) -> _Doomed[str]:
        doomed = _Doomed[str]()
        for held in self._sweeping.xorbs():
            is_old = held.offered_at < self._before
            doomed.add(
                held.name,
                now=is_old and recipes.now.issuperset(held.recipes),
                ever=recipes.ever.issuperset(held.recipes),
            )
        self._free(doomed.now, lambda names: self._sweeping.free_xorbs(names, before=self._before))
        return doomed

    def _free(self, names: Collection[K], free: Callable[[Collection[K]], int]) -> None:
        self._rows += len(names) if self._dry else free(names)

    def _blobs_of(self, kind: Kind, doomed: _Doomed[str]) -> None:
        """Free the blobs that the catalogue does not know, whoever left them, by what is on the disk."""
        done = 0
        for page in _pages(key.name for key in self._hub.blobs.keys(kind)):
            known = self._sweeping.known(kind, page) - (doomed.now if self._dry else set())
            waiting = known & doomed.ever
            loose = [name for name in page if name not in known]
            old = [name for name in loose if self._is_old(Key(kind, name))]
            self._hold(kind, waiting.union(loose).difference(old))
            for some in _pages(old, _BLOBS_AT_ONCE):
                self._withdraw(kind, some)
            done += len(page)
            self._progress(f"{kind}s on the disk", done, 0)

    def _is_old(self, key: Key) -> bool:
        try:
            return self._hub.blobs.age_s(key) >= self._grace_s
        except KeyError:
            return False

    def _hold(self, kind: Kind, names: Iterable[str]) -> None:
        sizes = [self._hub.blobs.size(Key(kind, name)) for name in names]
        self._held += len(sizes)
        self._held_bytes += sum(size or 0 for size in sizes)

    def _withdraw(self, kind: Kind, names: Collection[str]) -> None:
        sizes = {name: self._hub.blobs.size(Key(kind, name)) or 0 for name in names}
        taken = dict[str, Callable[[], None]]()

        def take(name: str) -> None:
            taken[name] = self._hub.blobs.withdraw(Key(kind, name))

        if not self._dry:
            self._sweeping.withdraw(kind, names, take)
            for give_back in taken.values():
                give_back()
        self._count(sizes[name] for name in (names if self._dry else taken))

    def _count(self, sizes: Iterable[int]) -> None:
        for size in sizes:
            self._blobs += 1
            self._bytes += size

    def _parts(self) -> None:
        """Free parts of uploads that nobody went on with; they have no rows."""
        blobs = self._hub.blobs
        for key in list(blobs.keys("part")):
            with contextlib.suppress(KeyError):
                if blobs.age_s(key) > _PART.total_seconds():
                    self._count([blobs.size(key) or 0])
                    if not self._dry:
                        blobs.delete(key)

    def _objects(self) -> None:
        """Free commits that no repository has, then trees and files that no commit names."""
        gone = [oid for _, oid, _, users in self._sweeping.commits() if users == self._orphaned[oid]]
        self._free(gone, self._sweeping.free_commits)
        if self._lost:
            return  # what is below a tree that is lost looks as if nothing named it
        try:
            self._catch_up(set(gone) if self._dry else set())
            self._free_objects("tree", self._named.trees)
            self._free_objects("file", self._named.files)
        except LostError as error:
            self._lost.append(f"a repository that is gone by now: {error} is missing")

    def _catch_up(self, gone: Collection[str] = ()) -> None:
        """Reach what the commits name that came since it was done last. From here on no row of a commit goes."""
        roots = list[str]()
        for number, oid, tree, _ in self._sweeping.commits(self._last[0]):
            self._last = number, oid
            if oid not in gone:
                roots.append(tree)
        self._named.add(self._hub, roots)

    def _free_objects(self, kind: Object, named: Collection[str]) -> None:
        for page in _pages((oid for oid in self._sweeping.objects(kind) if oid not in named), _OBJECTS_AT_ONCE):
            for _ in range(_TRIES):
                loose = [oid for oid in page if oid not in named]
                if self._dry or not loose:
                    self._rows += len(loose)
                    break
                try:
                    self._rows += self._sweeping.free_objects(kind, loose, last=self._last)
                    break
                except RefMovedError:
                    self._catch_up()


def tidy(hub: Hub, *, grace: timedelta, dry_run: bool = False, progress: Progress | None = None) -> Tidied:
    """Free what nothing names and what was not offered to anybody for so long.

    Args:
        dry_run: change nothing, and say what would be freed.
        progress: told what is looked at, how many are done, and how many there are, 0 where that is not known.
    """
    return Tidying(hub, grace=grace, dry_run=dry_run, progress=progress).run()


def _all_repositories(hub: Hub) -> Iterator[Repo]:
    after = 0
    while page := hub.catalog.repositories.all(after, _PAGE):
        yield from page
        after = page[-1].id


def _latest_first(lineage: Lineage, oids: Collection[str]) -> list[str]:
    """Commits before those that they come after: whatever is left has all that it comes after."""
    earlier = {oid: [parent for parent in lineage.commits[oid].parents if parent in oids] for oid in oids}
    return list(TopologicalSorter(earlier).static_order())[::-1]


def _pages(names: Iterable[T], size: int = _PAGE) -> Iterator[list[T]]:
    rest = iter(names)
    while page := list(islice(rest, size)):
        yield page
