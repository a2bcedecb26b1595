"""What the refs of a repository lead to: commits, trees, files, contents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tars_hub.server.catalog.tidying import Lineage, Node
from tars_hub.server.gitobjects import named_by
from tars_hub.server.hub import Hub
from tars_hub.server.records import MAIN
from tars_hub.server.trees import EMPTY_TREE

_AT_ONCE = 500


class LostError(Exception):
    """Something that a commit needs is not there, so nobody knows what it names; `args[0]` says what."""


@dataclass
class Named:
    """Trees, and files by the ids of their git blobs, that were reached so far."""

    trees: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)

    def add(self, hub: Hub, roots: Iterable[str]) -> None:
        """Reach all below these trees; what was reached before is not read again. Raises LostError."""
        waiting = list(set(roots) - self.trees - {EMPTY_TREE})
        while waiting:
            some, waiting = waiting[-_AT_ONCE:], waiting[:-_AT_ONCE]
            found = hub.catalog.history.trees(some)
            if len(found) < len(some):
                raise LostError(f"tree {next(oid for oid in some if oid not in found)}")
            self.trees.update(some)
            fresh = set[str]()
            for data in found.values():
                trees, files = named_by(data)
                fresh.update(trees)
                self.files.update(files)
            fresh -= self.trees
            waiting += fresh.difference(waiting) if waiting else fresh

    def update(self, other: Named) -> None:
        """Count what another reached as reached."""
        self.trees |= other.trees
        self.files |= other.files


@dataclass(frozen=True, kw_only=True)
class Reached:
    """What is to be kept of a repository.

    Attributes:
        commits: that its refs lead to, or that are young.
        named: trees and files of these.
        contents: of these, with their sizes in bytes.
        by_refs: contents of those that its refs lead to.
        main: contents of the tip of its main branch.
        revisions: how many commits its refs lead to.
    """

    lineage: Lineage
    commits: set[str]
    named: Named
    contents: Mapping[str, int]
    by_refs: Mapping[str, int]
    main: Mapping[str, int]
    revisions: int


def reach(hub: Hub, repo_id: int, *, young_from: datetime) -> Reached:
    """Follow the refs of a repository, and the commits that were made from this time on. Raises LostError."""
    lineage = hub.catalog.sweeping.lineage(repo_id)
    heads = {*lineage.refs.values(), *lineage.starts}
    by_refs = _closure(lineage.commits, heads)
    young = {oid for oid, node in lineage.commits.items() if node.at >= young_from}
    commits = by_refs if young <= by_refs else _closure(lineage.commits, heads | young)
    refs, main = Named(), Named()
    refs.add(hub, (lineage.commits[oid].tree for oid in by_refs))
    all_named = refs
    if commits is not by_refs:
        all_named = Named(set(refs.trees), set(refs.files))
        all_named.add(hub, (lineage.commits[oid].tree for oid in commits - by_refs))
    main.add(hub, [lineage.commits[lineage.refs[MAIN]].tree] if MAIN in lineage.refs else [])
    files = hub.catalog.history.files(all_named.files)
    if len(files) < len(all_named.files):
        raise LostError(f"file {next(oid for oid in all_named.files if oid not in files)}")
    sizes = {oid: (file.sha256, file.size) for oid, file in files.items()}
    return Reached(
        lineage=lineage,
        commits=commits,
        named=all_named,
        contents=dict(sizes.values()),
        by_refs=dict(sizes[oid] for oid in refs.files),
        main=dict(sizes[oid] for oid in main.files),
        revisions=len(by_refs),
    )


def _closure(commits: Mapping[str, Node], heads: Iterable[str]) -> set[str]:
    """These commits and all that came before them. Raises LostError."""
    seen, waiting = set[str](), list(heads)
    while waiting:
        oid = waiting.pop()
        if oid in seen:
            continue
        if oid not in commits:
            raise LostError(f"commit {oid}")
        seen.add(oid)
        waiting += commits[oid].parents
    return seen
