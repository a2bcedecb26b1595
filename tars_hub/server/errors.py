"""What the hub refuses, as a tree; each knows the HTTP status and the code that the client turns into its own error.

    HubError 400
    ├── UnauthorizedError 401      no token, or one that is not valid
    ├── ForbiddenError 403         a token that may not do this
    │   └── GatedError             the files of a repository that its owner lets nobody else read
    ├── NotFoundError 404
    │   ├── RepoNotFoundError      no such repository, or one that the caller may not read: they look the same
    │   ├── RevisionNotFoundError  no such branch, tag or commit
    │   └── EntryNotFoundError     no such file in that revision
    ├── ConflictError 409          it exists already, or somebody was faster
    │   └── FreedError             what it builds on was freed before it came; it must be uploaded again
    ├── BranchMovedError 412       the branch is no longer where the caller thought
    ├── TooLargeError 413          beyond a limit
    │   └── QuotaError             the owner of a repository has no room left; clients do not try again
    ├── RangeError 416             a range outside the file
    ├── MisdirectedError 421       sent to this machine under a name that is not the hub's
    ├── UnprocessableError 422     a name or a path that cannot be
    └── BusyError 503              housekeeping was faster; asked again, it goes well

Messages are one line: what is wrong, which value, and what would work. They may reach whoever asked.
"""

from __future__ import annotations

from tars_hub.errors import TarsError


class HubError(TarsError):
    """A request that cannot be answered as asked; the base is one that makes no sense.

    Attributes:
        status: the HTTP status of the answer.
        code: the value of its `X-Error-Code`, by which the client picks its exception; empty for none.
    """

    status = 400
    code = ""


class UnauthorizedError(HubError):
    """Nobody in particular asks, and that is not enough."""

    status = 401


class ForbiddenError(HubError):
    """The caller is known and may not do this."""

    status = 403


class GatedError(ForbiddenError):
    """The repository may be known, its files not."""

    code = "GatedRepo"


class NotFoundError(HubError):
    """Nothing there."""

    status = 404


class RepoNotFoundError(NotFoundError):
    """No repository of that name that the caller may read."""

    code = "RepoNotFound"


class RevisionNotFoundError(NotFoundError):
    """The repository has no such branch, tag or commit."""

    code = "RevisionNotFound"


class EntryNotFoundError(NotFoundError):
    """The revision has no such file.

    Attributes:
        commit: the commit that was looked into; the client notes by it that the file is not there.
    """

    code = "EntryNotFound"

    def __init__(self, message: str, commit: str = "") -> None:
        super().__init__(message)
        self.commit = commit


class ConflictError(HubError):
    """It is there already, or another request was faster."""

    status = 409


class FreedError(ConflictError):
    """What a request builds on was freed before it came: nothing named it."""


class BranchMovedError(HubError):
    """The branch is no longer where the caller thought."""

    status = 412


class TooLargeError(HubError):
    """Beyond one of the limits of the settings."""

    status = 413


class QuotaError(TooLargeError):
    """Beyond what the owner of a repository may keep."""


class RangeError(HubError):
    """A range that begins behind the end of a file.

    Attributes:
        size: the file's size in bytes.
    """

    status = 416

    def __init__(self, size: int) -> None:
        super().__init__(f"the range begins behind the end of the file, which has {size} bytes")
        self.size = size


class MisdirectedError(HubError):
    """Sent to this machine under a name that is not the hub's."""

    status = 421


class UnprocessableError(HubError):
    """A name or a path that cannot be."""

    status = 422


class BusyError(HubError):
    """Housekeeping removed in the same moment what was to be read or named; clients ask again by themselves."""

    status = 503
