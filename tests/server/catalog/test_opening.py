"""Opening a catalogue: the first time, again, all at once, and when it cannot be."""

from __future__ import annotations

import logging
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from tars_hub.errors import UsageError
from tars_hub.server.catalog import upgrade
from tars_hub.server.catalog.schema import HEAD, metadata
from tars_hub.server.catalog.sql import SqlCatalog, url_of

ROOT = Path(__file__).parents[3]
_OPEN = """
import sys
from tars_hub.server.catalog.sql import SqlCatalog
catalog = SqlCatalog.open(sys.argv[1])
print(catalog.instance, catalog.secret.hex(), "alembic" in sys.modules)
catalog.close()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalog.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def opened(url: str) -> Iterator[SqlCatalog]:
    catalog = SqlCatalog.open(url)
    yield catalog
    catalog.close()


def opening(url: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-W", "error", "-c", _OPEN, url], cwd=ROOT, stdout=-1, text=True)


def test_it_is_the_same_when_opened_again(url: str, tmp_path: Path) -> None:
    catalogs = [SqlCatalog.open(address) for address in (url, url, f"sqlite:///{tmp_path}/other.db", "sqlite://")]
    assert len({catalog.instance for catalog in catalogs}) == 3
    assert len({catalog.secret for catalog in catalogs}) == 3
    catalogs[0].accounts.add_user("ann")
    assert [len(catalog.accounts.users()) for catalog in catalogs] == [1, 1, 0, 0]
    for catalog in catalogs:
        catalog.close()


def test_opening_again_leaves_alembic_alone(url: str, opened: SqlCatalog) -> None:
    assert opening(url).communicate()[0].split() == [opened.instance, opened.secret.hex(), "False"]


def test_many_processes_make_one_catalogue(url: str) -> None:
    processes = [opening(url) for _ in range(4)]
    answers = {tuple(process.communicate()[0].split()[:2]) for process in processes}
    assert len(answers) == 1
    assert [len(word) for word in answers.pop()] == [32, 64]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_only_the_owner_may_look(path: Path, opened: SqlCatalog) -> None:
    opened.accounts.add_user("ann")
    found = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()}
    assert found == dict.fromkeys(["catalog.db", "catalog.db-shm", "catalog.db-wal"], 0o600)


def test_every_connection_is_set_up(opened: SqlCatalog) -> None:
    names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    with opened.database.reading() as one, opened.database.reading() as other:
        for connection in (one, other):
            found = [connection.execute(text(f"PRAGMA {name}")).scalar() for name in names]
            assert found == ["wal", 2, 1, 30_000]


def test_migrations_and_schema_say_the_same(opened: SqlCatalog) -> None:
    with opened.database.reading() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == HEAD
        made = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'")).all()
    config = Config()
    config.set_main_option("script_location", "tars_hub.server.catalog:migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]
    # What alembic does not compare: how SQLite lays out its tables.
    tables = {name: sql for name, sql in made if name in metadata.tables}
    for name, table in metadata.tables.items():
        assert ("AUTOINCREMENT" in tables[name]) == table.dialect_options["sqlite"]["autoincrement"], name
        assert ("WITHOUT ROWID" in tables[name]) != table.dialect_options["sqlite"]["with_rowid"], name


def test_any_name_of_a_folder_will_do(tmp_path: Path) -> None:
    path = tmp_path / "what? 100% #1 é" / "catalog.db"
    path.parent.mkdir()
    SqlCatalog.open(url_of(path)).close()
    assert [entry.name for entry in path.parent.iterdir()] == ["catalog.db"]
    path.write_bytes(b"nonsense" * 1000)
    with pytest.raises(UsageError, match="cannot be opened"):
        SqlCatalog.open(url_of(path))


def test_logging_stays_as_it_was(url: str) -> None:
    mine = logging.getLogger("tests.mine")
    handlers = list(logging.getLogger().handlers)
    SqlCatalog.open(url).close()
    assert logging.getLogger().handlers == handlers
    assert not mine.disabled


def test_a_later_version_is_refused(url: str, path: Path) -> None:
    SqlCatalog.open(url).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0999'")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"version 0999 .* up to \d{4}; upgrade tars-hub") as caught:
        SqlCatalog.open(url)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


def test_making_it_is_all_or_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(upgrade, "_draw_identity", die)
        with pytest.raises(KeyboardInterrupt):
            SqlCatalog.open(url)
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
    connection.close()
    SqlCatalog.open(url).close()


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG" * 1000)
    (tmp_path / "folder").mkdir()
    places = ["picture.png", "folder", "no/such/folder/catalog.db"]
    for url in [*(f"sqlite:///{tmp_path}/{place}" for place in places), "nonsense", "no-such-database://host/name"]:
        with pytest.raises(UsageError, match="cannot be opened") as caught:
            SqlCatalog.open(url)
        assert "\n" not in str(caught.value)


def test_a_password_is_not_shown() -> None:
    with pytest.raises(UsageError) as caught:
        SqlCatalog.open("no-such-database://ann:sesame@host/name")
    assert "sesame" not in str(caught.value)


def test_its_version_says_whether_anything_was_committed(path: Path, opened: SqlCatalog) -> None:
    other = SqlCatalog.open(url_of(path))
    versions = [opened.version, opened.version]
    for catalog, table in ((opened, "one"), (other, "two")):
        with catalog.database.writing() as connection:
            connection.execute(text(f"CREATE TABLE {table} (x)"))
            versions.append(opened.version)
        versions.append(opened.version)
    other.close()
    first = versions[0]
    assert first is not None
    assert versions == [first, first, first, first + 1, first + 1, first + 2]


def test_nobody_can_tell_of_one_in_memory(tmp_path: Path) -> None:
    catalog = SqlCatalog.open("sqlite://")
    assert catalog.version is None
    catalog.close()
    closed = SqlCatalog.open(url_of(tmp_path / "catalog.db"))
    closed.close()
    (tmp_path / "catalog.db").unlink()
    (tmp_path / "catalog.db").mkdir()
    assert closed.version is None, "nor of one that cannot be opened any more"
