"""What a person asks for: repositories, the addresses of hubs, and whose token goes where. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from tars_hub.errors import DownloadError, UsageError

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*/[A-Za-z0-9_][A-Za-z0-9._-]*")
_REVISION = re.compile(r"[^\s/\\]+(/[^\s/\\]+)*")
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_DRIVE = re.compile(r"[A-Za-z]:")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Wanted:
    """One repository at one revision: a branch, a tag or a commit's id."""

    repo: str
    revision: str = "main"

    def __str__(self) -> str:
        return f"{self.repo}@{self.revision}"


def wanted_of(text: str) -> Wanted:
    """Read `OWNER/NAME[@REVISION]`.

    Raises:
        UsageError: it is none.
    """
    repo, at, revision = text.partition("@")
    if not _ID.fullmatch(repo) or (at and not _REVISION.fullmatch(revision)) or ".." in revision:
        raise UsageError(f"{text!r} is no repository, such as user/name or user/name@revision")
    return Wanted(repo, revision) if at else Wanted(repo)


def all_wanted(texts: Sequence[str], namespace: str | None = None) -> dict[Wanted, str]:
    """Each repository once, and the name that it gets at the target.

    Args:
        namespace: instead of the owners'.

    Raises:
        UsageError: a name that cannot be, or two repositories that would become one.
    """
    if namespace is not None and not _NAMESPACE.fullmatch(namespace):
        raise UsageError(f"{namespace!r} is no namespace, such as a user's name")
    found = {}
    came_from: dict[str, str] = {}
    for wanted in map(wanted_of, texts):
        name = wanted.repo if namespace is None else f"{namespace}/{wanted.repo.partition('/')[2]}"
        other = came_from.setdefault(name.lower(), wanted.repo)
        if other.lower() != wanted.repo.lower():
            raise UsageError(f"{other} and {wanted.repo} would both become {name}; copy one of them at a time")
        found[wanted] = name
    return found


def address_of(text: str) -> str:
    """A hub's address in the one way it is compared: no slash at the end, no port that goes without saying.

    Raises:
        UsageError: it is none, or holds a password, which would be shown.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in _PORTS or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise UsageError(f"{text.rpartition('@')[2]!r} is no hub's address, such as https://hub.example.org")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    tail = f":{port}" if port and port != _PORTS[parts.scheme] else ""
    return f"{parts.scheme}://{host}{tail}{parts.path.rstrip('/')}"


def token_for(address: str, *, own: str | None, stored: str | None, stored_for: str) -> str | None:
    """The token that one side gets: the one given for it, else the stored one if that is the hub it belongs to.

    A token is a key to everything its owner has at one hub, so it is never tried at another.

    Args:
        address, stored_for: as `address_of` writes them.
        own: given for this side alone.
        stored: HF_TOKEN, or what `hf auth login` keeps; it belongs to the hub at HF_ENDPOINT.
    """
    return (own or "").strip() or (stored if address == stored_for else None) or None


def check_paths(paths: Iterable[str]) -> None:
    """
    Raises:
        DownloadError: a file's name leads out of a folder, or is none on some system.
    """
    for path in paths:
        parts = path.split("/")
        if {"", ".", "..", ".git"} & set(parts) or "\\" in path or _DRIVE.match(path) or min(map(ord, path)) < 32:
            raise DownloadError(f"the source names a file {path!r}, which is no safe path; nothing is copied of it")
