"""Many at once, and deaths in the middle."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tars_hub.server.catalog.interface import Catalog, RefMovedError, TakenError
from tars_hub.server.catalog.sql import SqlCatalog
from tars_hub.server.records import MAIN, Repo
from tests.server.catalog.samples import commit, file, keep, sha1, step

ROOT = Path(__file__).parents[3]
THREADS, EACH = 16, 10


def commit_until_done(catalog: Catalog, repo: Repo, name: str) -> int:
    """On top of whatever is there; how often somebody else was faster."""
    lost = 0
    keep(catalog, file(name))
    while True:
        tip = catalog.history.ref(repo.id, MAIN)
        parent = NAMES[tip or ""]
        try:
            catalog.history.commit(repo.id, commit(name, parent, files=(file(name),)), [step(parent, name)])
        except RefMovedError:
            lost += 1
        else:
            return lost


NAMES = {sha1(name): name for name in ["first", *(f"{t} {n}" for t in range(THREADS) for n in range(EACH))]}


def test_threads_lose_races_and_nothing_else(catalog: Catalog, repo: Repo) -> None:
    def work(number: int) -> int:
        return sum(commit_until_done(catalog, repo, f"{number} {n}") for n in range(EACH))

    with ThreadPoolExecutor(THREADS) as pool:
        lost = sum(pool.map(work, range(THREADS)))
    log = catalog.history.log(repo.id, catalog.history.ref(repo.id, MAIN) or "")
    assert {found.oid for found in log} == set(NAMES)
    assert len(log) == THREADS * EACH + 1
    assert lost > 0  # or this test shows nothing
    wanted = [file(name) for name in NAMES.values() if name != "first"]
    assert len(catalog.history.files([kept.oid for kept in wanted])) == len(wanted)


def test_one_of_many_gets_the_name(catalog: Catalog) -> None:
    def take(number: int) -> bool:
        try:
            catalog.repositories.add("Ann", "CATS" if number % 2 else "cats", private=False, first=commit("first"))
        except TakenError:
            return False
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(take, range(THREADS))).count(True) == 1


def test_forty_threads_ask(catalog: Catalog, repo: Repo) -> None:
    together = threading.Barrier(40)

    def ask(_: int) -> Repo | None:
        together.wait()
        return catalog.repositories.find("ann/cats")

    with ThreadPoolExecutor(40) as pool:
        assert {found and found.id for found in pool.map(ask, range(40))} == {repo.id}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/catalog.db"


def test_nobody_waits_to_read_while_another_writes(url: str) -> None:
    catalog = SqlCatalog.open(url)
    catalog.accounts.add_user("ann")
    with catalog.database.writing(), ThreadPoolExecutor(1) as pool:
        assert pool.submit(catalog.accounts.user, "ann").result(timeout=20) is not None  # who waits, waits for 30
    catalog.close()


def test_a_reader_sees_one_state(url: str) -> None:
    catalog = SqlCatalog.open(url)
    with catalog.database.reading() as connection:
        counts = [connection.exec_driver_sql("SELECT count(*) FROM users").scalar()]
        catalog.accounts.add_user("ann")
        counts.append(connection.exec_driver_sql("SELECT count(*) FROM users").scalar())
    assert counts == [0, 0]
    assert len(catalog.accounts.users()) == 1
    catalog.close()


_ADD_USERS = """
import sys
from tars_hub.server.catalog.sql import SqlCatalog
catalog = SqlCatalog.open(sys.argv[1])
for number in range(50):
    catalog.accounts.add_user(f"{sys.argv[2]}-{number}")
catalog.close()
"""


def test_processes_write_at_once(url: str) -> None:
    catalog = SqlCatalog.open(url)
    command = [sys.executable, "-W", "error", "-c", _ADD_USERS, url]
    processes = [subprocess.Popen([*command, name], cwd=ROOT) for name in ("a", "b")]
    repo = catalog.repositories.add("ann", "cats", private=False, first=commit("0"))
    number = 0
    while any(process.poll() is None for process in processes):
        number += 1
        catalog.history.commit(repo.id, commit(str(number), str(number - 1)), [step(str(number - 1), str(number))])
    assert [process.returncode for process in processes] == [0, 0]
    assert len(catalog.accounts.users()) == 100
    assert len(catalog.history.log(repo.id, sha1(str(number)), limit=10**6)) == number + 1
    catalog.close()


def commit_until_killed(url: str, seconds: float) -> dict[int, list[str]]:
    """What a process was told is kept, by repository, in order."""
    command = [sys.executable, "-m", "tests.server.catalog.committer", url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]  # it is under way
        time.sleep(seconds)
        process.kill()
        lines += process.stdout.read().splitlines()
    kept: dict[int, list[str]] = defaultdict(list)
    for line in lines:
        repo_id, name = line.split()
        kept[int(repo_id)].append(name)
    return kept


def test_what_was_acknowledged_outlasts_a_kill(url: str) -> None:
    rng = random.Random(0)  # noqa: S311  # the same at every run
    kept: dict[int, list[str]] = {}
    for _ in range(6):
        kept |= commit_until_killed(url, rng.uniform(0, 0.2))
    assert len(kept) == 6
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
    catalog = SqlCatalog.open(url)
    for repo_id, names in kept.items():
        log = catalog.history.log(repo_id, catalog.history.ref(repo_id, MAIN) or "", limit=10**6)
        # One more than was said may be kept: it died between the two. Below all comes the repository's first.
        assert [found.oid for found in reversed(log)][1 : len(names) + 1] == [sha1(name) for name in names]
        assert len(log) - len(names) in (1, 2)
        for found in log:
            assert catalog.history.trees([found.tree]) != {}
        wanted = [file(f"{name} {number}") for name in names for number in range(20)]
        assert len(catalog.history.files([one.oid for one in wanted])) == len(wanted)
    catalog.close()
