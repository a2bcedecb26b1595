"""A hub whose things can be made old, and what is left of them."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from sqlalchemy import select, update

from tars_hub.server.blobs.interface import Key
from tars_hub.server.catalog import schema
from tars_hub.server.catalog.sql import SqlCatalog
from tars_hub.server.check import check
from tars_hub.server.hub import Hub
from tars_hub.server.settings import Settings
from tars_hub.server.start import opened
from tars_hub.server.tidy import Tidied, tidy
from tests.server.rules.by_hand import FileClaim, Packed, packed, upload, whole
from tests.server.running import Site, done, large, site

GRACE_DAYS = 30.0


@dataclass
class Attic:
    """A hub with ann and bob, and a repository ann/m."""

    running: Site
    folder: Path

    @property
    def hub(self) -> Hub:
        return self.running.hub

    @property
    def catalog(self) -> SqlCatalog:
        assert isinstance(self.hub.catalog, SqlCatalog)
        return self.hub.catalog

    def put(self, path: str, text: str, *, to: str = "main", repo: str = "ann/m") -> str:
        """Commit a small file; the commit."""
        return self.running.put(repo, "ann", {path: text.encode()}, to=to)

    def branch(self, name: str, start: str = "main", repo: str = "ann/m") -> None:
        done(self.running.ask("POST", f"/api/models/{repo}/branch/{name}", "ann", json={"startingPoint": start}))

    def drop(self, name: str, repo: str = "ann/m") -> None:
        done(self.running.ask("DELETE", f"/api/models/{repo}/branch/{name}", "ann"))

    def squash(self, branch: str = "main", repo: str = "ann/m") -> None:
        done(self.running.ask("POST", f"/api/models/{repo}/super-squash/{branch}", "ann", json={}))

    def remove(self, name: str) -> None:
        done(self.running.ask("DELETE", "/api/repos/delete", "ann", json={"name": name}))

    def put_xet(self, source: Packed, *, path: str = "x.bin", to: str = "main", repo: str = "ann/m") -> FileClaim:
        """Upload and commit a file of one xorb."""
        made = upload(self.running, repo, "ann", *whole(source))
        assert made.sha256
        done(self.running.commit(repo, "ann", large(path, made.sha256), to=to))
        return made

    def age(self, days: float = 31) -> None:
        """All that is there comes to be as old."""
        self.age_commits(days)
        old = datetime.now(timezone.utc) - timedelta(days=days)
        with self.catalog.database.writing() as connection:
            for table in (schema.contents, schema.xorbs):
                connection.execute(update(table).values(offered_at=old))
        for path in (self.folder / "blobs").rglob("*"):
            if path.is_file():
                os.utime(path, (time.time() - days * 86400,) * 2)

    def age_commits(self, days: float = 31) -> None:
        """Their ids fit them no longer, which `check` would say."""
        with self.catalog.database.writing() as connection:
            old = datetime.now(timezone.utc) - timedelta(days=days)
            connection.execute(update(schema.commits).values(at=old))

    def tidy(self, days: float = 0, *, dry_run: bool = False) -> Tidied:
        return tidy(self.hub, grace=timedelta(days=days), dry_run=dry_run)

    def has(self, text: str) -> bool:
        """Whether the bytes of a content are there, and known."""
        name = sha256(text)
        known = name in self.hub.catalog.contents.get([name])
        assert known == (self.hub.blobs.size(Key("file", name)) is not None)
        return known

    def has_xorb(self, source: Packed) -> bool:
        known = bool(self.hub.catalog.contents.xorbs([source.name]))
        assert known == (self.hub.blobs.size(Key("xorb", source.name)) is not None)
        return known

    def problems(self) -> list[str]:
        return list(check(self.hub, lambda *_: None))

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        """All that the catalogue holds."""
        with self.catalog.database.reading() as connection:
            return {
                name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
                for name, table in schema.metadata.tables.items()
            }

    def blobs(self) -> dict[str, int]:
        """All that is on the disk: sizes by names."""
        return {path.name: path.stat().st_size for path in (self.folder / "blobs").rglob("*") if path.is_file()}


@contextmanager
def attic(folder: Path) -> Iterator[Attic]:
    with opened(Settings(data=folder)) as hub, site(hub) as running:
        running.add("ann", "bob")
        running.create("ann/m", "ann")
        yield Attic(running, folder)


@contextmanager
def sound_attic(folder: Path) -> Iterator[Attic]:
    """One in which `check` must find nothing wrong at the end, but for commits that were made old."""
    with attic(folder) as found:
        yield found
        assert not [each for each in found.problems() if "the commit's text" not in each]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


__all__ = ["GRACE_DAYS", "Attic", "attic", "packed", "sha256", "sound_attic"]
