"""What the catalogue must do: everything the hub knows besides bytes. Every method is one transaction.

It holds no rules of who may do what, and no rules of git; it keeps what it is given, all or nothing. Names of
users and repositories are unique and found without regard to case, and come back as they were first written.
"""

from __future__ import annotations

from typing import Protocol

from tars_hub.server.catalog.interface.accounts import Accounts
from tars_hub.server.catalog.interface.audience import Audience
from tars_hub.server.catalog.interface.contents import Contents
from tars_hub.server.catalog.interface.discussions import Discussions
from tars_hub.server.catalog.interface.errors import GoneError, RefMovedError, StaleError, TakenError
from tars_hub.server.catalog.interface.history import History
from tars_hub.server.catalog.interface.repositories import Repositories
from tars_hub.server.catalog.tidying import Sweeping, Weighing

__all__ = [
    "Accounts",
    "Audience",
    "Catalog",
    "Contents",
    "Discussions",
    "GoneError",
    "History",
    "RefMovedError",
    "Repositories",
    "StaleError",
    "TakenError",
]


class Catalog(Protocol):
    """All of it."""

    accounts: Accounts
    repositories: Repositories
    history: History
    contents: Contents
    discussions: Discussions
    audience: Audience
    sweeping: Sweeping
    weighing: Weighing

    @property
    def instance(self) -> str:
        """32 hex digits drawn when this catalogue was made; another hub, or a restored one, has others."""
        ...

    @property
    def store(self) -> str:
        """What the store of chunks is called now: the instance, and after it whatever was drawn as xorbs went."""
        ...

    @property
    def secret(self) -> bytes:
        """32 random bytes drawn when this catalogue was made, for signing."""
        ...

    @property
    def version(self) -> int | None:
        """Another number whenever anything in it has changed, by whichever process; None where nobody can tell.

        To be compared within this process alone. What was read after it was asked for holds as long as it stays.
        Never waits.
        """
        ...

    def close(self) -> None: ...
