"""Begin: open or make what a hub keeps, and its first user."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tars_hub.errors import UsageError
from tars_hub.server.blobs.local import LocalBlobs, flush_folder
from tars_hub.server.catalog.sql import SqlCatalog, url_of
from tars_hub.server.errors import UnauthorizedError
from tars_hub.server.hub import Hub
from tars_hub.server.rules.tokens import add_first, caller_of, check_first_name, new_token
from tars_hub.server.settings import Settings
from tars_hub.server.signing import Signer

if sys.platform == "win32":
    fcntl = None
else:
    import fcntl

CATALOG = "catalog.sqlite"
OWNER_TOKEN = "owner-token"  # noqa: S105  # a file's name
_PART_DAYS = 2


@contextlib.contextmanager
def opened(settings: Settings, *, serving: bool = False) -> Iterator[Hub]:
    """The hub of a data folder, which is made if it is not there.

    Args:
        serving: the one process that answers requests; it also clears away what dead uploads left.

    Raises:
        UsageError: another process serves this folder, or it cannot be opened.
    """
    data = settings.data
    with contextlib.ExitStack() as stack:
        try:
            data.mkdir(parents=True, exist_ok=True, mode=0o700)
            if serving:
                refusal = f"another process serves {data}; stop it first, or name another folder"
                stack.enter_context(locked(data, "lock", refusal))
            blobs = LocalBlobs(data / "blobs")
        except OSError as error:
            raise UsageError(f"{data} cannot hold a hub: {error.strerror}") from error
        catalog = SqlCatalog.open(url_of(data / CATALOG))
        stack.callback(catalog.close)
        if serving:
            blobs.sweep()
            _forget_old_parts(blobs)
        yield Hub(settings=settings, catalog=catalog, blobs=blobs, signer=Signer(catalog.secret))


def _forget_old_parts(blobs: LocalBlobs) -> None:
    """Parts of uploads that nobody went on with."""
    for key in list(blobs.keys("part")):
        with contextlib.suppress(KeyError):
            if blobs.age_s(key) > _PART_DAYS * 86400:
                blobs.delete(key)


@contextlib.contextmanager
def locked(data: Path, name: str, refusal: str) -> Iterator[None]:
    """Be the only process that does something with a folder. Raises UsageError with the refusal."""
    handle = os.open(data / name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if fcntl is not None:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(refusal) from None
        yield
    finally:
        os.close(handle)


def first_owner(hub: Hub, name: str = "owner") -> str | None:
    """Where no token was ever made, make one that may write, and its user; its text, or None at later starts.

    The token is kept in a file that its owner alone can read. The file comes first: a start that dies before the
    catalogue has the token has done nothing, and the next one begins anew.

    Raises:
        UnprocessableError, ConflictError: the name will not do.
    """
    if hub.catalog.accounts.has_tokens():
        return None
    check_first_name(hub, name)
    token = new_token()
    _keep_private(hub.settings.data / OWNER_TOKEN, token + "\n")
    add_first(hub, name, token)
    return token


def _keep_private(path: Path, text: str) -> None:
    """Write a file that its owner alone can read: all of it or nothing."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)  # of a start that died
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(handle, "w", encoding="ascii") as stream:  # noqa: PTH123  # by its handle
        stream.write(text)
        stream.flush()
        os.fsync(handle)
    fresh.replace(path)
    flush_folder(path.parent)


@contextlib.contextmanager
def minding_owner_token(hub: Hub) -> Iterator[None]:
    """Take the owner's token off the disk if it is good for something before the block and for nothing after it."""
    before = _is_good(hub)
    yield
    if before and not _is_good(hub):
        (hub.settings.data / OWNER_TOKEN).unlink(missing_ok=True)


def _is_good(hub: Hub) -> bool:
    try:
        return caller_of(hub, owner_token(hub.settings)).token is not None
    except UnauthorizedError:
        return False


def owner_token(settings: Settings) -> str | None:
    """The token of the first start, None where its file is gone."""
    try:
        return (settings.data / OWNER_TOKEN).read_text(encoding="ascii").strip()
    except (OSError, UnicodeError):
        return None
