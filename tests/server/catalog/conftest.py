"""The catalogues that must keep to the contract; another one joins by a line here."""

from __future__ import annotations

import contextlib
import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tars_hub.server.catalog.interface import Catalog
from tars_hub.server.catalog.sql import SqlCatalog
from tars_hub.server.records import Repo
from tests.server.catalog.samples import commit

URLS = {"file": "sqlite:///{folder}/catalog.db", "memory": "sqlite://"}


@functools.cache
def _empty_file() -> bytes:
    """A catalogue's file, made once: tests that copy it take half the time."""
    with tempfile.TemporaryDirectory() as folder:
        SqlCatalog.open(URLS["file"].format(folder=folder)).close()
        return Path(folder, "catalog.db").read_bytes()


@contextlib.contextmanager
def opened(kind: str, folder: Path) -> Iterator[Catalog]:
    """An empty catalogue."""
    if kind == "file":
        (folder / "catalog.db").write_bytes(_empty_file())
    catalog = SqlCatalog.open(URLS[kind].format(folder=folder))
    try:
        yield catalog
    finally:
        catalog.close()


@pytest.fixture(params=URLS)
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Catalog]:
    """Each catalogue, empty."""
    with opened(request.param, tmp_path) as empty:
        yield empty


@pytest.fixture
def repo(catalog: Catalog) -> Repo:
    """A repository with one commit, "first"."""
    return catalog.repositories.add("Ann", "Cats", private=False, first=commit("first"))
