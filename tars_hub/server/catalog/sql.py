"""The catalogue in an SQL database: a file of SQLite, or one in memory; by its URL PostgreSQL too, untried."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from tars_hub.errors import UsageError
from tars_hub.server.catalog.accounts import SqlAccounts
from tars_hub.server.catalog.audience import SqlAudience
from tars_hub.server.catalog.contents import SqlContents
from tars_hub.server.catalog.discussions import SqlDiscussions
from tars_hub.server.catalog.engine import Database
from tars_hub.server.catalog.history import SqlHistory
from tars_hub.server.catalog.interface import Accounts, Audience, Contents, Discussions, History, Repositories
from tars_hub.server.catalog.repositories import SqlRepositories
from tars_hub.server.catalog.sweeping import SqlSweeping, store_of
from tars_hub.server.catalog.tidying import Sweeping, Weighing
from tars_hub.server.catalog.upgrade import Identity, prepare
from tars_hub.server.catalog.weighing import SqlWeighing


class SqlCatalog:
    """A Catalog. Many threads may use it at once, and several processes may have the same one open."""

    def __init__(self, database: Database, identity: Identity) -> None:
        self.database = database
        self.accounts: Accounts = SqlAccounts(database)
        self.repositories: Repositories = SqlRepositories(database)
        self.history: History = SqlHistory(database)
        self.contents: Contents = SqlContents(database)
        self.discussions: Discussions = SqlDiscussions(database)
        self.audience: Audience = SqlAudience(database)
        self.sweeping: Sweeping = SqlSweeping(database)
        self.weighing: Weighing = SqlWeighing(database)
        self._identity = identity

    @classmethod
    def open(cls, url: str | URL) -> SqlCatalog:
        """Open a catalogue, made where there is none: "sqlite:////path/to/file", or "sqlite://" for memory.

        Of a path that somebody chose, `url_of` makes the URL.

        Raises:
            UsageError: it cannot be opened, or a later version of this program made it.
        """
        try:
            database = Database(url)
        except (OSError, SQLAlchemyError) as error:
            raise UsageError(_refusal(url, error)) from error
        try:
            return cls(database, prepare(database))
        except SQLAlchemyError as error:
            database.close()
            raise UsageError(_refusal(url, error)) from error
        except BaseException:
            database.close()
            raise

    @property
    def instance(self) -> str:
        """32 hex digits drawn when this catalogue was made."""
        return self._identity.instance

    @property
    def store(self) -> str:
        """The instance, and after it what was drawn when xorbs were freed last; another process may have done it."""
        with self.database.reading() as connection:
            return self.instance + store_of(connection)

    @property
    def secret(self) -> bytes:
        """32 random bytes drawn when this catalogue was made, for signing."""
        return self._identity.secret

    @property
    def version(self) -> int | None:
        """As `Database.version`."""
        return self.database.version

    def close(self) -> None:
        """Close all connections; nobody may be asking any more."""
        self.database.close()


def url_of(path: Path) -> URL:
    """The URL of a file; as text, a question mark in its name would end it."""
    return URL.create("sqlite", database=str(path))


def _refusal(url: str | URL, error: Exception) -> str:
    reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
    return f"{_shown(url)} cannot be opened as the hub's catalogue: {reason}"


def _shown(url: str | URL) -> str:
    """The URL without a password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return "that address"
