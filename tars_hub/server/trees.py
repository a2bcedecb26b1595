"""Walk and change trees of files. Trees come from a function that loads several at once, and go out as new ones."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tars_hub.server.errors import BusyError
from tars_hub.server.gitobjects import TreeEntry, decode_tree, encode_tree, tree_oid

Load = Callable[[Collection[str]], dict[str, bytes]]
EMPTY_TREE = tree_oid(b"")
# A revision that nothing leads to any more may be freed while somebody reads it, who is told that it is gone then.
REMOVED = "its revision was removed just now; ask again, and if that does not help, `tars hub check` says what is lost"

Line: TypeAlias = list[tuple[int, TreeEntry | None]]
"""What stands at one path in one root after another: from which root on it is what."""
_Sought: TypeAlias = tuple[str, list[str]]
"""A path, whole and in its names."""


class NotAFolderError(ValueError):
    """A path leads through a file; `args[0]` is that file's path."""


@dataclass(frozen=True)
class Place:
    """A file or folder by its path from the top, with forward slashes."""

    path: str
    oid: str
    is_tree: bool


def walk(load: Load, root: str, *, within: str = "", recursive: bool = True) -> Iterator[Place]:
    """Everything below a tree in git's order, folders before what they hold.

    Args:
        within: the path of `root` itself, put before what is found.
        recursive: or only the first level.
    """
    loaded = _load_all(load, root) if recursive else _load(load, [root])
    yield from _walk(loaded, root, within, recursive)


def _walk(loaded: Mapping[str, bytes], root: str, within: str, recursive: bool) -> Iterator[Place]:
    for entry in decode_tree(loaded[root]):
        path = f"{within}/{entry.name}" if within else entry.name
        yield Place(path, entry.oid, entry.is_tree)
        if entry.is_tree and recursive:
            yield from _walk(loaded, entry.oid, path, recursive)


def find(load: Load, root: str, path: str) -> Place | None:
    """What stands at a path; the empty path is the root itself."""
    return find_many(load, root, [path]).get(path)


def find_many(load: Load, root: str, paths: Collection[str]) -> dict[str, Place]:
    """What stands at paths, without those where nothing does; asks once for each level."""
    lines = Finder(load, paths).along([root], paths)
    found = {path: entry for path, line in lines.items() for _, entry in line if entry is not None}
    return {path: Place(path, entry.oid, entry.is_tree) for path, entry in found.items()}


class Finder:
    """Finds paths in one root after another, and decodes once what a root shares with the one before it.

    Of the trees it keeps those entries alone that bear a name of the paths, and only until the next roots are done.
    """

    def __init__(self, load: Load, paths: Collection[str]) -> None:
        self._load = load
        self._names = {path: path.split("/") if path else [] for path in paths}
        # Names of any level: so what was picked of a tree is right wherever else the same tree lies.
        self._wanted = {name for names in self._names.values() for name in names}
        self._known: dict[str, dict[str, TreeEntry]] = {}

    def along(self, roots: Sequence[str], paths: Collection[str]) -> dict[str, Line]:
        """What stands at each path in these roots. The paths are some of those it was made for."""
        found: dict[str, Line] = {}
        kept: set[str] = set()
        top = _without_repeats(enumerate(TreeEntry("", oid, is_tree=True) for oid in roots))
        level = [(top, [(path, self._names[path]) for path in paths])]
        depth = 0
        while level:
            below: list[tuple[Line, list[_Sought]]] = []
            inner = [(line, _by_name(line, sought, depth, found)) for line, sought in level]
            folders = [line for line, names in inner if names]
            self._learn({oid for line in folders for oid in _trees(line)})
            kept |= {oid for line in folders for oid in _trees(line[-1:])}
            for line, names in inner:
                below += [(self._below(line, name), sought) for name, sought in names.items()]
            level, depth = below, depth + 1
        self._known = {oid: self._known[oid] for oid in kept}
        return found

    def _learn(self, oids: set[str]) -> None:
        new = oids - self._known.keys()
        for oid, data in _load(self._load, new).items() if new else ():
            self._known[oid] = {entry.name: entry for entry in decode_tree(data) if entry.name in self._wanted}

    def _below(self, line: Line, name: str) -> Line:
        """What has this name in the folders of a line."""
        inside = (
            (start, self._known[entry.oid].get(name) if entry is not None and entry.is_tree else None)
            for start, entry in line
        )
        return _without_repeats(inside)


def _without_repeats(line: Iterable[tuple[int, TreeEntry | None]]) -> Line:
    found: Line = []
    for start, entry in line:
        if not found or found[-1][1] != entry:
            found.append((start, entry))
    return found


def _trees(line: Line) -> Iterator[str]:
    return (entry.oid for _, entry in line if entry is not None and entry.is_tree)


def _by_name(line: Line, sought: list[_Sought], depth: int, found: dict[str, Line]) -> dict[str, list[_Sought]]:
    """Note the line of what ends here, or ends nowhere; the others by their next names."""
    inner: dict[str, list[_Sought]] = {}
    nothing: Line = [(0, None)]
    # Where there never was a folder, a stranger's endless path is not followed.
    leads_on = any(True for _ in _trees(line))
    for path, names in sought:
        if len(names) == depth:
            found[path] = line
        elif leads_on:
            inner.setdefault(names[depth], []).append((path, names))
        else:
            found[path] = nothing
    return inner


def change(load: Load, root: str, changes: Mapping[str, str | None]) -> tuple[str, dict[str, bytes]]:
    """Put blobs in place and take others out.

    Args:
        changes: a blob's oid by its path; None takes out the file or folder that stands there.

    Returns:
        The new root, and the encodings of the trees that came into being. Folders left empty are gone.

    Raises:
        NotAFolderError: a path leads through a file that stays.
    """
    fresh: dict[str, bytes] = {}
    split = {tuple(path.split("/")): oid for path, oid in changes.items()}
    entries = _changed(load, root, split, fresh, ())
    return _keep(entries, fresh), fresh


def _changed(
    load: Load,
    tree: str,
    changes: Mapping[tuple[str, ...], str | None],
    fresh: dict[str, bytes],
    place: tuple[str, ...],
) -> list[TreeEntry]:
    """The entries of a tree after the changes below it, which are given from this tree on."""
    entries = {entry.name: entry for entry in decode_tree(_load(load, [tree])[tree])}
    inner: dict[str, dict[tuple[str, ...], str | None]] = {}
    for names, oid in changes.items():
        if len(names) > 1:
            inner.setdefault(names[0], {})[names[1:]] = oid
        elif oid is None:
            entries.pop(names[0], None)
    for names, oid in changes.items():
        if len(names) == 1 and oid is not None:
            entries[names[0]] = TreeEntry(names[0], oid, is_tree=False)
    for name, below in inner.items():
        _change_below(load, entries, name, below, fresh, place)
    return list(entries.values())


def _change_below(
    load: Load,
    entries: dict[str, TreeEntry],
    name: str,
    below: Mapping[tuple[str, ...], str | None],
    fresh: dict[str, bytes],
    place: tuple[str, ...],
) -> None:
    old = entries.get(name)
    if old is not None and not old.is_tree:
        if any(oid is not None for oid in below.values()):
            raise NotAFolderError("/".join((*place, name)))
        return
    found = _changed(load, old.oid if old else EMPTY_TREE, below, fresh, (*place, name))
    entries.pop(name, None)
    if found:
        entries[name] = TreeEntry(name, _keep(found, fresh), is_tree=True)


def _keep(entries: list[TreeEntry], fresh: dict[str, bytes]) -> str:
    data = encode_tree(entries)
    oid = tree_oid(data)
    fresh[oid] = data
    return oid


def _load_all(load: Load, root: str) -> dict[str, bytes]:
    """A tree with all below it, one question a level."""
    loaded: dict[str, bytes] = {}
    wanted = [root]
    while wanted:
        found = _load(load, wanted)
        loaded |= found
        below = {entry.oid for data in found.values() for entry in decode_tree(data) if entry.is_tree}
        wanted = sorted(below - loaded.keys())
    return loaded


def _load(load: Load, oids: Collection[str]) -> dict[str, bytes]:
    """The empty tree need not be kept anywhere. Raises BusyError where another is not there."""
    wanted = [oid for oid in oids if oid != EMPTY_TREE]
    found = load(wanted)
    missing = next((oid for oid in wanted if oid not in found), None)
    if missing is not None:
        raise BusyError(f"tree {missing} is not there: {REMOVED}")
    return {**found, EMPTY_TREE: b""} if EMPTY_TREE in oids else found
