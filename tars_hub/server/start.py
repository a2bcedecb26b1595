"""Begin: open or make what a hub keeps, and its first user."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tars_hub.errors import UsageError
from tars_hub.server.blobs.local import LocalBlobs
from tars_hub.server.catalog.sql import SqlCatalog, url_of
from tars_hub.server.hub import Hub
from tars_hub.server.rules.accounts import add_user, create_token
from tars_hub.server.settings import Settings
from tars_hub.server.signing import Signer

if sys.platform == "win32":
    fcntl = None
else:
    import fcntl

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
                stack.enter_context(_locked(data))
            blobs = LocalBlobs(data / "blobs")
        except OSError as error:
            raise UsageError(f"{data} cannot hold a hub: {error.strerror}") from error
        catalog = SqlCatalog.open(url_of(data / "catalog.sqlite"))
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
def _locked(data: Path) -> Iterator[None]:
    handle = os.open(data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if fcntl is not None:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(f"another process serves {data}; stop it first, or name another folder") from None
        yield
    finally:
        os.close(handle)


def first_owner(hub: Hub, name: str = "owner") -> str | None:
    """At the first start of all make a user and a token that may write; its text, or None at later starts.

    The token is kept in a file that its owner alone can read.
    """
    if hub.catalog.accounts.users():
        return None
    add_user(hub, name)
    token = create_token(hub, name, role="write", label="first")
    handle = os.open(hub.settings.data / OWNER_TOKEN, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(handle, "w", encoding="ascii") as stream:  # noqa: PTH123  # by its handle
        stream.write(token + "\n")
    return token


def owner_token(settings: Settings) -> str | None:
    """The token of the first start, None where its file is gone."""
    try:
        return (settings.data / OWNER_TOKEN).read_text(encoding="ascii").strip()
    except (OSError, UnicodeError):
        return None
