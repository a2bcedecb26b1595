"""Walk and change trees of files. Trees come from a function that loads several at once, and go out as new ones."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from tars_hub.server.gitobjects import TreeEntry, decode_tree, encode_tree, tree_oid

Load = Callable[[Collection[str]], dict[str, bytes]]
EMPTY_TREE = tree_oid(b"")


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
    here = Place("", root, True)
    for name in path.split("/") if path else []:
        if not here.is_tree:
            return None
        entries = decode_tree(_load(load, [here.oid])[here.oid])
        entry = next((entry for entry in entries if entry.name == name), None)
        if entry is None:
            return None
        here = Place(f"{here.path}/{name}" if here.path else name, entry.oid, entry.is_tree)
    return here


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
    """The empty tree need not be kept anywhere."""
    found = load([oid for oid in oids if oid != EMPTY_TREE])
    return {**found, EMPTY_TREE: b""} if EMPTY_TREE in oids else found
