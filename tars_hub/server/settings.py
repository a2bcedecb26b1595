"""Where the hub keeps things, where it listens, and how much it takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tars_hub.limits import from_environment

MIB = 1 << 20
GIB = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The most that one request may ask for.

    Attributes:
        file_bytes: one file of any kind.
        regular_bytes: a file that travels inside its commit; larger ones go the way of large files.
        commit_bytes: the body of a commit, regular contents in base64 included.
        commit_files: operations in one commit.
        revision_files: files in one revision.
        json_bytes: the body of any other request.
        path_bytes: a path within a repository, in UTF-8.
        shard_bytes: a shard of Xet.
        part_bytes: parts that large files come in from clients without Xet; smaller files come whole.
        owner_bytes: all that the repositories of one owner keep, where the owner has no quota; None for no end.
    """

    file_bytes: int = 100 * GIB
    regular_bytes: int = 10 * MIB
    commit_bytes: int = 256 * MIB
    commit_files: int = 25_000
    revision_files: int = 100_000
    json_bytes: int = 4 * MIB
    path_bytes: int = 1024
    shard_bytes: int = 64 * MIB
    part_bytes: int = 64 * MIB
    owner_bytes: int | None = None

    @classmethod
    def from_environment(cls) -> Limits:
        """Limits that the environment names, as TARS_HUB_FILE_BYTES=5000000000; the usual ones besides.

        Raises:
            UsageError: a value is no whole number above 0.
        """
        return from_environment(cls, "TARS_HUB_")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How one hub runs.

    Attributes:
        data: the folder that holds everything.
        public_url: the address by which clients know the hub, without a slash at its end; empty takes the one
            that each request was sent to.
        link_s: how long a signed link works, in seconds.
        upload_s: how long a link to upload by works, in seconds.
    """

    data: Path
    public_url: str = ""
    link_s: int = 3600
    upload_s: int = 12 * 3600
    limits: Limits = field(default_factory=Limits)
