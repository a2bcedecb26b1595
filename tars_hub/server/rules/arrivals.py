"""Files that come as browsers send them: nobody has said before how large they are, nor what their hash is."""

from __future__ import annotations

from tars_hub.server.errors import EntryNotFoundError, QuotaError, TooLargeError, UnprocessableError
from tars_hub.server.facts import README
from tars_hub.server.front_matter import CardError, front_matter
from tars_hub.server.gitobjects import read_pointer
from tars_hub.server.hub import Hub
from tars_hub.server.records import Caller, Commit, Repo
from tars_hub.server.rules import commits, contents, revisions, uploads
from tars_hub.server.rules.quotas import check_contents, quota_of
from tars_hub.server.uploading import Attributes, is_large
from tars_hub.server.wire.commits import Large

_SAMPLE_BYTES = 512
_ATTRIBUTES_BYTES = 1 << 20


class Arrival(uploads.Receiving):
    """A file on its way into a repository; a context manager. What is not settled when it ends leaves nothing behind.

    Attributes:
        path: where it is to lie.
        size: of what has come so far, in bytes.
    """

    def __init__(self, hub: Hub, caller: Caller, repo: Repo, path: str) -> None:
        super().__init__(hub, repo.id, uploads.Wanted("", hub.limits.file_bytes))
        self.path = path
        self._caller, self._repo = caller, repo
        self._quota = quota_of(hub, repo.namespace)
        self._head = bytearray()  # all of it, as long as it may travel within a commit

    @property
    def size(self) -> int:
        return self._size

    def write(self, data: bytes) -> None:
        """Take the next bytes. Raises TooLargeError or QuotaError as soon as they are too many for any repository."""
        most = self.hub.limits.file_bytes
        if self._size + len(data) > most:
            raise TooLargeError(f"{self.path[:200]!r} has more than {most:,} bytes, the most that a file may have here")
        if self._quota is not None and self._size + len(data) > self._quota:
            owner = self._repo.namespace
            raise QuotaError(f"{owner} has no room for {self.path[:200]!r}, which is more than all it may keep here")
        super().write(data)
        if self._size <= self.hub.limits.regular_bytes:
            self._head += data
        else:
            del self._head[_SAMPLE_BYTES:]

    def settle(self, attributes: Attributes) -> commits.Operation:
        """Keep the file, as a large one or as one that git holds itself; what a commit does to have it.

        Raises:
            QuotaError: the repository's owner has no room for it.
        """
        sha256 = self._hash.hexdigest()
        check_contents(self.hub, self._repo, {sha256: self._size}, caller=self._caller)
        sample = bytes(self._head[:_SAMPLE_BYTES])
        if is_large(self.path, self._size, sample, attributes, regular_bytes=self.hub.limits.regular_bytes):
            self._wanted = uploads.Wanted(sha256, self._size)
            self.finish()
            return Large(self.path, sha256, self._size)
        data = bytes(self._head)
        _check_card(self.path, data)
        if named := read_pointer(data):
            return Large(self.path, *named)  # it stands for a file that must have been uploaded here then
        return commits.AddFile(self.path, contents.keep_small(self.hub, data))


def _check_card(path: str, data: bytes) -> None:
    """Refuse a card that clients would refuse, who ask the hub before they send one. Raises UnprocessableError."""
    if path != README:
        return
    try:
        front_matter(data.decode(errors="replace"))
    except CardError as error:
        raise UnprocessableError(f"{error}; mend it, and upload it again") from None


def attributes_of(hub: Hub, commit: Commit) -> Attributes:
    """What the .gitattributes of a revision says; nothing where it has none that can be meant."""
    try:
        file = revisions.file_at(hub, commit, ".gitattributes")
    except EntryNotFoundError:
        return Attributes("")
    if file.size > _ATTRIBUTES_BYTES:
        return Attributes("")
    return Attributes(contents.read_all(hub, file.sha256, limit=_ATTRIBUTES_BYTES).decode(errors="replace"))
