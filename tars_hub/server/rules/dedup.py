"""What the hub tells clients of chunks that it has, so that they need not be sent again.

A client asks about the first chunk of each file, and about one in 1,024 of the others. It may use every chunk that
the answer names, so an answer is more than a yes: https://huggingface.co/docs/xet/deduplication
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from dataclasses import replace

from tars_hub.server.hub import Hub
from tars_hub.server.records import MAIN, Repo
from tars_hub.server.rules.access import Action, permits, visible
from tars_hub.server.rules.revisions import commit_at, entries
from tars_hub.server.rules.xet import Session
from tars_hub.server.xet.chunks import ChunkTable
from tars_hub.server.xet.hashes import from_text, is_dedup_eligible
from tars_hub.server.xet.shard import dedup_shard

_SHARD_DAYS = 7
_TOLD_XORBS = 64  # of 64 MiB each, about 49 kB of answer for each
_GUESSED_XORBS = 4  # where there is no better guess than the owner's latest models
_LATEST = 5


def chunks_near(hub: Hub, session: Session, chunk: str, *, upload: str) -> bytes | None:
    """A shard of what the hub holds around a chunk, None where it holds none that the caller may know of.

    Where the chunk itself is unknown, but begins a file, the answer is what the repository holds: most uploads are
    a later version of what is there, and a changed head often lies in the first chunk, with all others unchanged.

    Hashes in it are keyed, so that it names only chunks that the caller has. Whoever may not download a
    repository does not learn either that a chunk lies in it: of a xorb that holds chunks of others as well, theirs
    are hidden.

    Args:
        upload: what the client calls this upload; empty where it says nothing.
    """
    recipes = _with_chunk(hub, session, chunk)
    most = _TOLD_XORBS
    if not recipes and not is_dedup_eligible(from_text(chunk)) and _is_first(hub, session, upload):
        recipes = _of_repo(hub, session.repo)
        if not recipes:
            recipes, most = _of_latest(hub, session), _GUESSED_XORBS
    runs = _runs(hub, recipes, most)
    if not runs:
        return None
    hub.catalog.contents.offer(xorbs=runs)
    kept = {name: ChunkTable.unpack(xorb.chunks) for name, xorb in hub.catalog.contents.xorbs(runs).items()}
    tables = [(name, kept[name].hiding_all_but(known)) for name, known in runs.items() if name in kept]
    key = hashlib.sha256(hub.catalog.secret + session.caller.name.encode()).digest()
    return dedup_shard(tables, key, now=int(time.time()), valid_s=_SHARD_DAYS * 86400)


def _is_first(hub: Hub, session: Session, upload: str) -> bool:
    """Whether an upload asks for the first time; one without a name is told nothing, or it would be at each file."""
    return bool(upload) and hub.told.is_new((upload, session.repo.id), None)


def _with_chunk(hub: Hub, session: Session, chunk: str) -> list[str]:
    found = hub.catalog.contents.recipes_with(chunk)
    repos = {each: hub.catalog.repositories.by_id(each) for _, ids in found for each in ids}
    known = {each for each, repo in repos.items() if repo and permits(session.caller, repo, Action.DOWNLOAD)}
    return [xet for xet, ids in found if known & set(ids)]


def _of_repo(hub: Hub, repo: Repo) -> list[str]:
    """What the main branch of a repository holds by recipe."""
    if hub.catalog.history.ref(repo.id, MAIN) is None:
        return []
    files = [entry.file for entry in entries(hub, commit_at(hub, repo, MAIN)) if entry.file and entry.file.lfs]
    kept = hub.catalog.contents.get({file.sha256 for file in files})
    return [kept[file.sha256].xet for file in files if file.sha256 in kept and kept[file.sha256].xet]


def _of_latest(hub: Hub, session: Session) -> list[str]:
    """What the owner of a new repository changed last elsewhere, as far as the caller may download it."""
    owner = session.repo.namespace
    found = hub.catalog.repositories.search(replace(visible(session.caller), author=owner, limit=_LATEST))
    return [xet for repo in found if permits(session.caller, repo, Action.DOWNLOAD) for xet in _of_repo(hub, repo)]


def _runs(hub: Hub, recipes: Iterable[str], most: int) -> dict[str, list[tuple[int, int]]]:
    """The xorbs of recipes in order, up to so many, each with the runs of its chunks that these recipes name."""
    runs: dict[str, list[tuple[int, int]]] = {}
    for xet in recipes:
        recipe = hub.catalog.contents.recipe(xet)
        for term in recipe.terms if recipe else ():
            if term.xorb in runs or len(runs) < most:
                runs.setdefault(term.xorb, []).append((term.start, term.end))
    return runs
