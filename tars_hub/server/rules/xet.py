"""Uploads by Xet: xorbs, and the shards that say how files are made of them.

A file counts as uploaded for a repository when whoever sent it has shown, by a keyed hash over each run of chunks,
to hold the data and not only its name, and when the hub has read it all and found the SHA-256 that was claimed.
https://huggingface.co/docs/xet/upload-protocol
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tars_hub.server.blobs.interface import Key
from tars_hub.server.catalog.interface import GoneError
from tars_hub.server.errors import ForbiddenError, HubError, NotFoundError, UnauthorizedError
from tars_hub.server.hub import Hub
from tars_hub.server.records import Caller, Recipe, Repo, Term, Xorb
from tars_hub.server.rules.access import Action, permits
from tars_hub.server.rules.contents import chunk_table, is_there, read_recipe
from tars_hub.server.rules.freed import arriving
from tars_hub.server.rules.incoming import Incoming
from tars_hub.server.rules.quotas import check_contents
from tars_hub.server.rules.runs import Run, merged
from tars_hub.server.rules.uploads import check_size
from tars_hub.server.xet.chunks import ChunkTable
from tars_hub.server.xet.hashes import file_hash, is_dedup_eligible, range_hash, to_text
from tars_hub.server.xet.shard import Shard, ShardFile
from tars_hub.server.xet.xorb import XorbReceiver

_TOKEN = "xet token"  # noqa: S105  # what it is signed for
_LEAST_CHUNK_BYTES, _CHUNKS_TO_SPARE = 4 << 10, 1024


@dataclass(frozen=True)
class Session:
    """Who speaks to the store of chunks, and about which repository.

    Attributes:
        writes: whether this token is for uploads.
    """

    caller: Caller
    repo: Repo
    writes: bool


def open_session(hub: Hub, caller: Caller, repo: Repo, *, writes: bool) -> tuple[str, int]:
    """A token for the store of chunks, and the time it ends at, in seconds since 1970."""
    token = caller.token.id if caller.token else None
    ends = int(time.time()) + hub.settings.link_s
    return hub.signer.sign(_TOKEN, [repo.id, token, writes]), ends


def session_of(hub: Hub, text: str | None, *, writes: bool) -> Session:
    """What a token for the store of chunks allows now; rights are looked up anew each time.

    Raises:
        UnauthorizedError: no token, or one that has ended.
        ForbiddenError: a token for reading, where writing is asked for.
    """
    if text is None:
        raise UnauthorizedError("the store of chunks wants the token that the hub gives for it")
    try:
        repo_id, token_id, may_write = hub.signer.read(_TOKEN, text, max_age_s=hub.settings.link_s)
    except ForbiddenError as error:
        raise UnauthorizedError(str(error)) from None
    caller = hub.catalog.accounts.caller(token_id=token_id) if token_id is not None else Caller()
    repo = hub.catalog.repositories.by_id(repo_id)
    if repo is None or caller is None:
        raise UnauthorizedError("this token has ended")
    session = Session(caller, repo, may_write)
    action = Action.PROPOSE if writes else Action.DOWNLOAD
    if (writes and not may_write) or not permits(session.caller, repo, action):
        raise ForbiddenError(f"this token may not {action.value} {repo.full_name}")
    return session


class ReceivingXorb(Incoming):
    """A xorb on its way in, unpacked and hashed chunk by chunk as it comes."""

    def __init__(self, hub: Hub, name: str) -> None:
        super().__init__(hub)
        self._name, self._receiver = name, XorbReceiver()

    def write(self, data: bytes) -> None:
        """Take the next bytes. Raises XetFormatError at the first that cannot be."""
        self.writing.write(self._receiver.feed(data))

    def finish(self) -> None:
        """Keep the xorb. Raises HubError unless it is what its name says, BusyError where it was freed as it came."""
        received = self._receiver.finish()
        if received.hash != self._name:
            raise HubError(f"what arrived is xorb {received.hash}, not {self._name}")
        self.writing.seal(Key("xorb", self._name))
        packed, size, unpacked = received.chunks.pack(), received.size_bytes, received.unpacked_bytes
        xorb = Xorb(hash=self._name, size=size, unpacked_size=unpacked, chunks=packed)
        with arriving():
            self.hub.catalog.contents.add_xorb(xorb, is_there=is_there(self.hub, "xorb"))


def add_shard(hub: Hub, session: Session, shard: Shard) -> Iterator[tuple[int, int]]:
    """Take in all files of a shard, each checked to the last byte; gives bytes read and bytes in all on the way.

    Raises:
        HubError: a file is not what the shard says.
        QuotaError: the repository's owner has no room for them.
    """
    total = sum(term.unpacked_bytes for file in shard.files for term in file.terms)
    check_contents(hub, session.repo, _sizes(shard), caller=session.caller)
    done = 0
    for file in shard.files:
        for count in _add_file(hub, session, file):
            done += count
            yield done, total


def _sizes(shard: Shard) -> dict[str, int]:
    """How large the contents are, as the shard says, by their SHA-256."""
    return {file.sha256: sum(term.unpacked_bytes for term in file.terms) for file in shard.files if file.sha256}


def _add_file(hub: Hub, session: Session, file: ShardFile) -> Iterator[int]:
    """Take in one file; gives the numbers of bytes read on the way."""
    if file.sha256 is None:
        raise HubError(f"file {file.hash} comes without its SHA-256, by which models name their files")
    size = sum(term.unpacked_bytes for term in file.terms)
    check_size(hub, size)
    _check_count(file, size)
    findable = set[str]()
    if to_text(file_hash(_noting(findable, _proven_chunks(hub, file)))) != file.hash:
        raise HubError(f"the chunks that were named do not make file {file.hash}")
    terms = tuple(
        Term(xorb=term.xorb, start=term.start, end=term.end, unpacked_size=term.unpacked_bytes) for term in file.terms
    )
    packed = _packed_size(hub, terms)
    recipe = Recipe(hash=file.hash, sha256=file.sha256, size=size, packed_size=packed, terms=terms)
    hub.catalog.contents.offer(xorbs={term.xorb for term in terms})
    if _is_linked(hub, session, recipe):
        yield size
        return
    yield from _check_sha256(hub, recipe)
    try:
        hub.catalog.contents.add_recipe(recipe, chunks=findable, repo_id=session.repo.id)
    except GoneError as error:
        raise HubError(_not_proven(error.args[0].removeprefix("xorb "))) from None
    hub.damaged.forget(recipe.sha256)


def _is_linked(hub: Hub, session: Session, recipe: Recipe) -> bool:
    """Let the repository name a content whose recipe is kept already; False where it is not, or not any more."""
    kept = hub.catalog.contents.recipe(recipe.hash)
    if kept is None or kept.sha256 != recipe.sha256:
        return False
    try:
        hub.catalog.contents.link(session.repo.id, [recipe.sha256])
    except GoneError:
        return False
    return True


def _packed_size(hub: Hub, terms: Iterable[Term]) -> int:
    size = 0
    name, table = "", None
    for run in merged(Run(term.xorb, term.start, term.end) for term in terms):
        if table is None or name != run.xorb:
            name, table = run.xorb, _table(hub, run.xorb)
        first, after = table.packed_range(run.start, run.end)
        size += after - first
    return size


def _table(hub: Hub, xorb: str) -> ChunkTable:
    try:
        return chunk_table(hub, xorb)
    except NotFoundError:
        raise HubError(_not_proven(xorb)) from None


def _not_proven(xorb: str) -> str:
    """One text for what is not there and for what is somebody else's."""
    return f"xorb {xorb} was not uploaded, or nothing proves that you have it; upload it before a shard that names it"


def _check_count(file: ShardFile, size: int) -> None:
    """Chunks have 8 KiB at least, but for each file's last: so work and memory stay in proportion to the size."""
    count = sum(term.end - term.start for term in file.terms)
    if count > size // _LEAST_CHUNK_BYTES + _CHUNKS_TO_SPARE:
        raise HubError(f"file {file.hash}: {size} bytes are not made of {count} chunks")


def _proven_chunks(hub: Hub, file: ShardFile) -> Iterator[tuple[bytes, int]]:
    """The file's chunks in order, after each run was proven to be known and not only named."""
    name, table = "", None
    for term in file.terms:
        if table is None or name != term.xorb:  # runs of the same xorb often follow each other
            name, table = term.xorb, _table(hub, term.xorb)
        pairs = table.pairs(term.start, term.end)
        if sum(length for _, length in pairs) != term.unpacked_bytes:
            raise HubError(f"file {file.hash}: a run of xorb {term.xorb} has another length than was said")
        if term.verification is None or range_hash(each for each, _ in pairs) != term.verification:
            raise HubError(_not_proven(term.xorb))
        yield from pairs


def _check_sha256(hub: Hub, recipe: Recipe) -> Iterator[int]:
    hasher = hashlib.sha256()
    try:
        for piece in read_recipe(hub, recipe, 0, recipe.size):
            hasher.update(piece)
            yield len(piece)
    except NotFoundError as error:
        raise HubError(f"{error}; upload it again") from None
    if hasher.hexdigest() != recipe.sha256:
        raise HubError(f"file {recipe.hash} has SHA-256 {hasher.hexdigest()}, not {recipe.sha256}")


def _noting(findable: set[str], chunks: Iterable[tuple[bytes, int]]) -> Iterator[tuple[bytes, int]]:
    """Hand chunks on and note those that clients ask about: the first of each file, and one in 1,024 of the others."""
    for at, (each, length) in enumerate(chunks):
        if at == 0 or is_dedup_eligible(each):
            findable.add(to_text(each))
        yield each, length
