"""Bring a database to the newest version of the tables, and read who it is.

Alembic is slow to import and is left alone where there is nothing to do, which is at every start but few.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from threading import Lock

from sqlalchemy import Connection, inspect, select, text

from tars_hub.errors import UsageError
from tars_hub.server.catalog.engine import Database
from tars_hub.server.catalog.schema import HEAD, meta
from tars_hub.server.catalog.statements import insert_absent

_ALEMBIC = Lock()  # it keeps what it works on in variables of its modules


@dataclass(frozen=True)
class Identity:
    """What a catalogue draws when it is made."""

    instance: str
    secret: bytes


def prepare(database: Database) -> Identity:
    """Make the tables or bring them up to date, where needed.

    Raises:
        UsageError: a later version of this program made them.
    """
    with database.reading() as connection:
        if _version(connection) == HEAD:
            return _identity(connection)
    with database.writing() as connection:  # others who came here too wait, and then find it done
        version = _version(connection)
        if version > HEAD:
            raise UsageError(
                f"the hub's catalogue has version {version} and this program knows versions up to {HEAD}; "
                "upgrade tars-hub, or open the folder with the version that made it"
            )
        if version != HEAD:
            _migrate(connection)
            _draw_identity(connection)
        return _identity(connection)


def _version(connection: Connection) -> str:
    """The version of the tables; empty where there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})  # env.py takes it from there
    config.set_main_option("script_location", "tars_hub.server.catalog:migrations")
    with _ALEMBIC:
        command.upgrade(config, "head")


def _draw_identity(connection: Connection) -> None:
    drawn = {"instance": secrets.token_hex(16), "secret": secrets.token_hex(32)}
    insert_absent(connection, meta, [{"key": key, "value": value} for key, value in drawn.items()])


def _identity(connection: Connection) -> Identity:
    values = {row.key: row.value for row in connection.execute(select(meta))}
    return Identity(values["instance"], bytes.fromhex(values["secret"]))
