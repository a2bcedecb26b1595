"""Check a hub to the last byte: what every name promises is compared with what is there.

Others may push, and free what nothing names, at the same time: what is missing is wrong only if it is still wanted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import TypeVar

from tars_hub.server.blobs.interface import Key
from tars_hub.server.errors import HubError
from tars_hub.server.gitobjects import blob_hasher, blob_oid, commit_oid, decode_tree, pointer, tree_oid
from tars_hub.server.hub import Hub
from tars_hub.server.records import Commit, Content, File, Recipe, Ref, Repo, Xorb
from tars_hub.server.rules.contents import PIECE_BYTES, read, read_blob, read_recipe
from tars_hub.server.rules.revisions import entries
from tars_hub.server.trees import EMPTY_TREE
from tars_hub.server.xet.hashes import XetFormatError
from tars_hub.server.xet.xorb import XorbReceiver

_PAGE = 200
_TRIES = 20  # against others who move refs

Progress = Callable[[int, int, int], None]
Look = Callable[[], Iterator[str]]
T = TypeVar("T")
K = TypeVar("K", str, int)


def check(hub: Hub, progress: Progress) -> Iterator[str]:
    """Verify all contents, xorbs, recipes and repositories; gives a line for each thing that is wrong.

    Args:
        progress: told of things done, of things in all, and of bytes read, after each thing.
    """
    total = sum(1 for _ in _things(hub, set()))
    done = read = 0
    bad: set[str] = set()
    for look, size in _things(hub, bad):
        yield from look()
        done, read = done + 1, read + size
        progress(done, total, read)


def _things(hub: Hub, bad: set[str]) -> Iterator[tuple[Look, int]]:
    """A function for each thing that can be wrong, and the bytes it will read; contents that are go to `bad`."""
    contents, repositories = hub.catalog.contents, hub.catalog.repositories
    for content in _pages(contents.all_plain, "", lambda content: content.sha256):
        yield partial(_check_plain, hub, content, bad), content.size
    for xorb in _pages(contents.all_xorbs, "", lambda xorb: xorb.hash):
        yield partial(_check_xorb, hub, xorb), xorb.size
    for recipe in _pages(contents.all_recipes, "", lambda recipe: recipe.hash):
        yield partial(_check_recipe, hub, recipe, bad), recipe.size
    for repo in _pages(repositories.all, 0, lambda repo: repo.id):
        yield partial(_check_repo, hub, repo, bad), 0


def _pages(load: Callable[[K, int], list[T]], after: K, key: Callable[[T], K]) -> Iterator[T]:
    while page := load(after, _PAGE):
        yield from page
        after = key(page[-1])


def _check_plain(hub: Hub, content: Content, bad: set[str]) -> Iterator[str]:
    key = Key("file", content.sha256)
    size = hub.blobs.size(key)
    if size is None:
        wrong = "is missing"
    elif size != content.size:
        wrong = f"has {size} bytes, not {content.size}"
    elif _sha256(read_blob(hub, key, 0, size)) != content.sha256:
        wrong = "is damaged: its bytes have another SHA-256"
    else:
        return
    now = hub.catalog.contents.get([content.sha256]).get(content.sha256)
    if now is None or not now.plain:
        return  # it was freed meanwhile
    bad.add(content.sha256)
    yield f"content {content.sha256} {wrong}"


def _sha256(pieces: Iterator[bytes]) -> str:
    hasher = hashlib.sha256()
    for piece in pieces:
        hasher.update(piece)
    return hasher.hexdigest()


def _check_xorb(hub: Hub, xorb: Xorb) -> Iterator[str]:
    try:
        receiver = XorbReceiver()
        with closing(hub.blobs.open(Key("xorb", xorb.hash))) as reading:
            for at in range(0, reading.size, PIECE_BYTES):
                receiver.feed(reading.read_at(at, PIECE_BYTES))
        received = receiver.finish()
    except KeyError:
        if hub.catalog.contents.xorbs([xorb.hash]):
            yield f"xorb {xorb.hash} is missing"
    except XetFormatError as error:
        yield f"xorb {xorb.hash} is damaged: {error}"
    else:
        if received.hash != xorb.hash:
            yield f"xorb {xorb.hash} is damaged: its bytes have another hash"
        elif received.chunks.pack() != xorb.chunks:
            yield f"xorb {xorb.hash} is whole, and the catalogue's table of its chunks is not"


def _check_recipe(hub: Hub, recipe: Recipe, bad: set[str]) -> Iterator[str]:
    try:
        found = _sha256(read_recipe(hub, recipe, 0, recipe.size))
    except (HubError, OSError, KeyError, XetFormatError) as error:
        wrong = f"cannot be put together: {error}"
    else:
        if found == recipe.sha256:
            yield from _check_needs(hub, recipe)
            return
        wrong = "is damaged: what is put together has another SHA-256"
    if hub.catalog.contents.recipe(recipe.hash) is None:
        return  # it was freed meanwhile
    bad.add(recipe.sha256)
    yield f"content {recipe.sha256} {wrong}"


def _check_needs(hub: Hub, recipe: Recipe) -> Iterator[str]:
    """Housekeeping frees xorbs that are not noted to be needed."""
    noted = hub.catalog.sweeping.needs(recipe.hash)
    missing = {term.xorb for term in recipe.terms} - noted
    if missing and hub.catalog.contents.recipe(recipe.hash) is not None:
        yield f"content {recipe.sha256} is whole, and the catalogue does not note that it needs xorb {min(missing)}"


def _hit_by(hub: Hub, repo: Repo, ref: Ref, bad: set[str]) -> Iterator[str]:
    """The files of a branch, tag or pull request whose contents are bad, by the names that people know."""
    commit = hub.catalog.history.find_commit(repo.id, ref.commit)
    if commit is None or not bad:
        return
    try:
        found = entries(hub, commit)
    except (HubError, KeyError):  # its trees are wrong too, which is said elsewhere
        return
    for entry in found:
        if entry.file is not None and entry.file.sha256 in bad:
            yield f"{repo.full_name}: {entry.path} of {ref.name} is {entry.file.sha256}, which cannot be read"


def _check_repo(hub: Hub, repo: Repo, bad: set[str]) -> Iterator[str]:
    """All commits that refs reach, all trees below them, and that every file in them is kept."""
    problems = list[str]()
    for _ in range(_TRIES):
        refs = hub.catalog.history.refs(repo.id)
        problems = list(_check_refs(hub, repo, refs, bad))
        if not problems or hub.catalog.history.refs(repo.id) == refs:
            break  # else what they led to may have been freed meanwhile
    yield from problems


def _check_refs(hub: Hub, repo: Repo, refs: list[Ref], bad: set[str]) -> Iterator[str]:
    seen: set[str] = set()
    trees: set[str] = set()
    for ref in refs:
        yield from _hit_by(hub, repo, ref, bad)
        waiting = [ref.commit]
        while waiting:
            oid = waiting.pop()
            if oid in seen:
                continue
            seen.add(oid)
            commit = hub.catalog.history.find_commit(repo.id, oid)
            if commit is None:
                yield f"{repo.full_name}: commit {oid}, which {ref.name} reaches, is missing"
                continue
            waiting += commit.parents
            yield from _check_commit(hub, repo, commit, trees)


def _check_commit(hub: Hub, repo: Repo, commit: Commit, seen: set[str]) -> Iterator[str]:
    where = f"{repo.full_name} at {commit.oid[:12]}"
    if commit_oid(commit) != commit.oid:
        yield f"{where}: the commit's text has another id"
    blobs: set[str] = set()
    waiting = {commit.tree} - seen - {EMPTY_TREE}
    while waiting:
        seen |= waiting
        found = hub.catalog.history.trees(waiting)
        yield from (f"{where}: tree {oid} is missing" for oid in sorted(waiting - found.keys()))
        yield from (f"{where}: tree {oid} is damaged" for oid, data in found.items() if tree_oid(data) != oid)
        entries = [entry for oid, data in found.items() if tree_oid(data) == oid for entry in decode_tree(data)]
        blobs |= {entry.oid for entry in entries if not entry.is_tree}
        waiting = {entry.oid for entry in entries if entry.is_tree} - seen
    fresh = blobs - seen  # a file that did not change is in the trees of many commits
    seen |= fresh
    yield from _check_files(hub, repo, where, fresh)


def _check_files(hub: Hub, repo: Repo, where: str, oids: set[str]) -> Iterator[str]:
    files = hub.catalog.history.files(oids)
    yield from (f"{where}: file {oid} is missing" for oid in sorted(oids - files.keys()))
    names = {file.sha256 for file in files.values()}
    kept, linked = hub.catalog.contents.get(names), hub.catalog.contents.linked(repo.id, names)
    for file in files.values():
        if file.sha256 not in kept or kept[file.sha256].size != file.size:
            yield f"{where}: content {file.sha256} is not kept"
        elif not (kept[file.sha256].plain or hub.catalog.contents.recipe(kept[file.sha256].xet)):
            yield f"{where}: content {file.sha256} is kept neither whole nor as chunks"
        elif not linked.get(file.sha256):
            yield f"{where}: content {file.sha256} is not linked to the repository"
        elif file.lfs and blob_oid(pointer(file.sha256, file.size)) != file.oid:
            yield f"{where}: the pointer to {file.sha256} has another id than {file.oid}"
        elif not file.lfs and not _is_blob(hub, file):
            yield f"{where}: content {file.sha256} has another git id than {file.oid}"


def _is_blob(hub: Hub, file: File) -> bool:
    """Whether a small file's bytes have its git id; bytes that are not there were named before."""
    hasher = blob_hasher(file.size)
    try:
        for piece in read(hub, file.sha256):
            hasher.update(piece)
    except (HubError, OSError, KeyError, XetFormatError):
        return True
    return hasher.hexdigest() == file.oid
