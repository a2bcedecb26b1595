"""Large files from clients without Xet, by the protocol of Git LFS: whole, or in parts that are put together.

Links to upload by carry all that the hub needs to know, signed: they are followed without a token.
https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from tars_hub.server.blobs.interface import Key
from tars_hub.server.errors import ConflictError, HubError, TooLargeError
from tars_hub.server.hub import Hub
from tars_hub.server.records import Caller, Repo
from tars_hub.server.rules.contents import PIECE_BYTES, is_there, seal_file
from tars_hub.server.rules.freed import arriving
from tars_hub.server.rules.incoming import Incoming
from tars_hub.server.rules.quotas import check_contents
from tars_hub.server.signing import random_name

_WHOLE, _PARTS = "lfs upload", "lfs parts"


@dataclass(frozen=True)
class Wanted:
    """A content that a client offers to upload."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Answer:
    """How to upload it.

    Attributes:
        ticket: what the link must carry; empty where the content is there already.
        parts: how many it is to come in; 0 for as a whole.
    """

    wanted: Wanted
    ticket: str
    parts: int


def offer(hub: Hub, caller: Caller, repo: Repo, wanted: Sequence[Wanted], *, in_parts: bool) -> list[Answer]:
    """For each content, how it is to be uploaded.

    Raises:
        TooLargeError: beyond the limit for one file, or the owner's quota.
    """
    check_contents(hub, repo, {each.sha256: each.size for each in wanted}, caller=caller)
    linked = hub.catalog.contents.linked(repo.id, {each.sha256 for each in wanted})
    hub.catalog.contents.offer(contents=linked)
    linked = hub.catalog.contents.linked(repo.id, linked)  # what is there by now stays
    return [_answer(hub, repo, each, each.sha256 in linked, in_parts) for each in wanted]


def _answer(hub: Hub, repo: Repo, wanted: Wanted, is_there: bool, in_parts: bool) -> Answer:
    if is_there:
        return Answer(wanted, "", 0)
    check_size(hub, wanted.size)
    value = [repo.id, wanted.sha256, wanted.size]
    if not in_parts or wanted.size <= hub.limits.part_bytes:
        return Answer(wanted, hub.signer.sign(_WHOLE, value), 0)
    count = -(-wanted.size // hub.limits.part_bytes)
    return Answer(wanted, hub.signer.sign(_PARTS, [*value, random_name()]), count)


def check_size(hub: Hub, size: int) -> None:
    """Raises TooLargeError beyond the limit for one file."""
    if size > hub.limits.file_bytes:
        raise TooLargeError(f"a file may have {hub.limits.file_bytes:,} bytes; this one has {size:,}")


class Receiving(Incoming):
    """A content on its way in: counted and hashed as it comes, kept only if it is what was promised."""

    def __init__(self, hub: Hub, repo_id: int, wanted: Wanted) -> None:
        super().__init__(hub)
        self._repo_id, self._wanted, self._size, self._hash = repo_id, wanted, 0, hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Take the next bytes. Raises HubError as soon as they are more than was promised."""
        self._size += len(data)
        if self._size > self._wanted.size:
            raise HubError(f"more than the {self._wanted.size} bytes that were announced")
        self._hash.update(data)
        self.writing.write(data)

    def finish(self) -> None:
        """Keep the content, and let the repository name it.

        Raises:
            HubError: it is not what was promised.
            QuotaError: the repository's owner has no room for it any more.
            BusyError: the same bytes were freed as they came again.
        """
        if self._size != self._wanted.size:
            raise HubError(f"{self._size} bytes arrived, {self._wanted.size} were announced; upload it again")
        if self._hash.hexdigest() != self._wanted.sha256:
            raise HubError(f"what arrived is not {self._wanted.sha256}; upload it again")
        repo = self.hub.catalog.repositories.by_id(self._repo_id)
        if repo is not None:
            check_contents(self.hub, repo, {self._wanted.sha256: self._size})
        seal_file(self.hub, self.writing, self._wanted.sha256)
        sizes, there = {self._wanted.sha256: self._wanted.size}, is_there(self.hub, "file")
        with arriving():
            self.hub.catalog.contents.add_plain(sizes, is_there=there, repo_id=self._repo_id)


def receive_whole(hub: Hub, ticket: str) -> Receiving:
    """Begin to take what a ticket allows. Raises ForbiddenError for one that is not ours, or too old."""
    repo_id, sha256, size = hub.signer.read(_WHOLE, ticket, max_age_s=hub.settings.upload_s)
    return Receiving(hub, repo_id, Wanted(sha256, size))


class ReceivingPart(Incoming):
    """One part on its way in."""

    def __init__(self, hub: Hub, key: Key, size: int) -> None:
        super().__init__(hub)
        self._key, self._expected, self._size = key, size, 0

    def write(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._expected:
            raise HubError(f"more than the {self._expected} bytes of this part")
        self.writing.write(data)

    def finish(self) -> str:
        """Keep the part; the tag by which the client names it at the end."""
        if self._size != self._expected:
            raise HubError(f"{self._size} bytes arrived, this part has {self._expected}; upload it again")
        self.hub.blobs.delete(self._key)  # an earlier try, perhaps with other bytes
        self.writing.seal(self._key)
        return self._key.name


def receive_part(hub: Hub, ticket: str, number: int) -> ReceivingPart:
    """Begin to take one part, counted from 1."""
    _, _, size, upload = hub.signer.read(_PARTS, ticket, max_age_s=hub.settings.upload_s)
    count, length = -(-size // hub.limits.part_bytes), hub.limits.part_bytes
    if not 1 <= number <= count:
        raise HubError(f"there is no part {number}; there are {count}")
    return ReceivingPart(hub, _part(upload, number), length if number < count else size - (count - 1) * length)


def put_together(hub: Hub, ticket: str) -> None:
    """Make one content of all its parts, which are gone then; where one is missing, the others wait for it.

    Raises:
        HubError: a part is missing, or the whole is not what was promised.
    """
    repo_id, sha256, size, upload = hub.signer.read(_PARTS, ticket, max_age_s=hub.settings.upload_s)
    keys = [_part(upload, number) for number in range(1, -(-size // hub.limits.part_bytes) + 1)]
    missing = [number for number, key in enumerate(keys, 1) if hub.blobs.size(key) is None]
    if missing and sha256 in hub.catalog.contents.linked(repo_id, [sha256]):
        return  # it is asked twice when an answer is long in coming, and the other request took the parts
    if missing:
        raise HubError(f"part {missing[0]} has not arrived; upload it, and ask again")
    try:
        with Receiving(hub, repo_id, Wanted(sha256, size)) as receiving:
            for key in keys:
                _copy(hub, key, receiving)
            receiving.finish()
    except KeyError:  # the other request took a part just now
        if sha256 not in hub.catalog.contents.linked(repo_id, [sha256]):
            raise ConflictError("another request puts these parts together; ask again") from None
    except HubError:
        _delete(hub, keys)  # they are not what was promised, and never will be
        raise
    _delete(hub, keys)


def _delete(hub: Hub, keys: Sequence[Key]) -> None:
    for key in keys:
        hub.blobs.delete(key)


def _copy(hub: Hub, key: Key, receiving: Receiving) -> None:
    with closing(hub.blobs.open(key)) as reading:
        for at in range(0, reading.size, PIECE_BYTES):
            receiving.write(reading.read_at(at, PIECE_BYTES))


def _part(upload: str, number: int) -> Key:
    return Key("part", hashlib.sha256(f"{upload} {number}".encode()).hexdigest())
