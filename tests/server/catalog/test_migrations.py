"""A hub's folder that the first version made opens with all that later ones keep."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config

from tars_hub.server.catalog import terms
from tars_hub.server.catalog.engine import Database
from tars_hub.server.catalog.sql import SqlCatalog, url_of
from tars_hub.server.records import MAIN, Search
from tests.server.catalog.samples import recipe, sha1, sha256, xorb

_THEN = "2026-01-02 03:04:05.000006"
_DIGEST = "d"
_FACTS: dict[str, dict[str, Any]] = {
    "cats": {"backbone": "resnet18", "num_classes": 10},
    "dogs": {"architecture": "vit_tiny", "num_classes": 2},
    "bare": {},
}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("first") / "catalog.sqlite"
    _make_first(path)
    connection = sqlite3.connect(path)
    with connection:
        _fill(connection)
    connection.close()
    return path


@pytest.fixture(scope="module")
def upgraded(path: Path) -> Iterator[SqlCatalog]:
    catalog = SqlCatalog.open(url_of(path))
    yield catalog
    catalog.close()


def _make_first(path: Path) -> None:
    database = Database(url_of(path))
    with database.writing() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", "tars_hub.server.catalog:migrations")
        command.upgrade(config, "0001")
    database.close()


def _insert(connection: sqlite3.Connection, table: str, **values: object) -> None:
    names = ", ".join(f'"{name}"' for name in values)
    marks = ", ".join("?" for _ in values)
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values()))  # noqa: S608


def _fill(connection: sqlite3.Connection) -> None:
    _insert(connection, "meta", key="instance", value="a" * 32)
    _insert(connection, "meta", key="secret", value="b" * 64)
    _insert(connection, "users", id=7, name="Ann", lower_name="ann", created_at=_THEN)
    token = {"digest": _DIGEST, "role": "write", "label": "laptop", "created_at": _THEN}
    _insert(connection, "tokens", id=3, user_id=7, **token)
    for number, name in enumerate(_FACTS, start=1):
        _repository(connection, number, name)
    for name in ("p", "q"):
        _insert(connection, "contents", sha256=sha256(name), size=5, plain=name == "q", xet="")
        _insert(connection, "repository_contents", repository_id=1, sha256=sha256(name), committed=name == "q")
    for number in range(4):
        made = xorb(str(number))
        sizes = {"size": made.size, "unpacked_size": made.unpacked_size}
        _insert(connection, "xorbs", hash=made.hash, **sizes, chunks=made.chunks)
    for number in range(1, 2003):  # more than are read at once
        made_of = recipe(f"recipe {number}", terms=4 if number == 2002 else 2)
        packed = terms.pack(made_of.terms * (2 if number == 1 else 1))
        row = {"hash": made_of.hash, "sha256": made_of.sha256, "size": made_of.size, "packed_size": 1, "terms": packed}
        _insert(connection, "recipes", id=number, **row)


def _repository(connection: sqlite3.Connection, number: int, name: str) -> None:
    lists: dict[str, Any] = {"pipeline_tag": "", "library_name": "", "tags": ["t"], "card": {}, "model_index": []}
    facts = json.dumps({**lists, "parameters": {}, "config": _FACTS[name]})
    names = {"namespace": "Ann", "name": name, "lower_namespace": "ann", "lower_name": f"ann/{name}"}
    times = {"created_at": _THEN, "updated_at": _THEN}
    shown = {"private": name == "dogs", "gated": "", "pipeline_tag": "", "parameters": None}
    _insert(connection, "repositories", id=number, **names, **times, **shown, facts=facts)
    _insert(connection, "repository_tags", repository_id=number, tag="t")
    _insert(connection, "refs", repository_id=number, name=MAIN, commit=sha1("first"))


def test_people_and_tokens_are_as_they_were(upgraded: SqlCatalog) -> None:
    ann = upgraded.accounts.user("ann")
    assert ann
    assert (ann.id, ann.organisation, ann.quota_bytes) == (7, False, None)
    caller = upgraded.accounts.caller(token_id=3)
    assert caller == upgraded.accounts.caller(token=_DIGEST)
    assert caller
    assert caller.token
    assert (caller.name, caller.token.role, caller.token.expires_at, caller.token.repositories) == (
        "Ann",
        "write",
        None,
        None,
    )
    assert (caller.roles, caller.granted) == ({}, frozenset())
    assert (upgraded.instance, upgraded.secret) == ("a" * 32, bytes.fromhex("b" * 64))


def test_models_are_found_by_what_their_configs_say(upgraded: SqlCatalog) -> None:
    def names(**wanted: Any) -> list[str]:
        found = upgraded.repositories.search(Search(namespaces=("ann",), sort="name", ascending=True, **wanted))
        return [repo.name for repo in found]

    assert names() == ["bare", "cats", "dogs"]
    assert names(backbone="resnet18") == ["cats"]
    assert names(backbone="vit_tiny") == ["dogs"]
    assert names(classes=(2, 10)) == ["cats", "dogs"]
    assert names(classes=(3, None)) == ["cats"]
    facets = upgraded.repositories.facets(Search(namespaces=("ann",)), most=5)
    assert (facets.count, facets.backbones, facets.tags) == (3, (("resnet18", 1), ("vit_tiny", 1)), (("t", 3),))
    assert [(repo.downloads, repo.likes) for repo in upgraded.repositories.all(0, 9)] == [(0, 0)] * 3


def test_each_xorb_knows_its_recipes(upgraded: SqlCatalog) -> None:
    with upgraded.database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT xorb, recipe_id FROM recipe_xorbs").all()
    assert len(rows) == len(set(rows)) == 2001 * 2 + 4
    assert {xorb for xorb, key in rows if key == 2002} == {xorb(str(number)).hash for number in range(4)}
    assert sorted(key for name, key in rows if name == xorb("0").hash) == list(range(1, 2003))


def test_what_is_there_counts_as_offered_just_now(upgraded: SqlCatalog) -> None:
    """So that housekeeping waits its while before it frees anything."""
    with upgraded.database.reading() as connection:
        for table in ("contents", "xorbs"):
            for (offered,) in connection.exec_driver_sql(f"SELECT offered_at FROM {table}"):  # noqa: S608
                at = datetime.fromisoformat(offered).replace(tzinfo=timezone.utc)
                assert abs(datetime.now(timezone.utc) - at) < timedelta(minutes=5)
    assert upgraded.contents.linked(1, [sha256("p"), sha256("q")]) == {sha256("p"): False, sha256("q"): True}


def test_it_can_be_used(upgraded: SqlCatalog) -> None:
    bob = upgraded.accounts.add_user("bob")
    upgraded.audience.like(1, bob.id, liked=True)
    upgraded.audience.count_download(1)
    found = upgraded.repositories.by_id(1)
    assert found
    assert (found.likes, found.downloads) == (1, 1)
    assert bob.id > 7
    assert upgraded.contents.used_bytes("ann") == 10
