"""What only files have: deaths, full disks, modes, leftovers."""

from __future__ import annotations

import errno
import gc
import os
import random
import stat
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from tars_hub.server.blobs import local
from tars_hub.server.blobs.interface import Key
from tars_hub.server.blobs.local import LocalBlobs
from tests.server.blobs.samples import keep, key_of, read

ROOT = Path(__file__).parents[3]
DATA = b"weights" * 1000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "blobs"


@pytest.fixture
def store(folder: Path) -> LocalBlobs:
    return LocalBlobs(folder)


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def path_of(folder: Path, key: Key) -> Path:
    return folder / key.kind / key.name[:2] / key.name[2:4] / key.name


def write_until_killed(folder: Path, seconds: float) -> list[str]:
    """The names of the blobs that a process had sealed when it died."""
    command = [sys.executable, "-m", "tests.server.blobs.writer", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        sealed = process.stdout.readline()  # it is under way
        time.sleep(seconds)
        process.kill()
        return (sealed + process.stdout.read()).split()


def test_a_killed_process_leaves_only_whole_blobs(folder: Path) -> None:
    rng = random.Random(0)  # noqa: S311  # the same at every run
    for _ in range(8):
        sealed = write_until_killed(folder, rng.uniform(0, 0.15))
        store = LocalBlobs(folder)
        kept = list(store.keys("file"))
        assert {key.name for key in kept} >= set(sealed)
        assert all(key_of(read(store, key)) == key for key in kept)
    (folder / "incoming" / "left by a dead process").write_bytes(b"half")
    store.sweep()
    assert files_in(folder / "incoming") == []
    assert list(store.keys("file")) == kept


def test_two_processes_write_at_once(folder: Path) -> None:
    command = [sys.executable, "-c", _SAME_BLOBS, str(folder)]
    processes = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    new = sum(int(process.communicate()[0]) for process in processes)
    store = LocalBlobs(folder)
    assert new == len(list(store.keys("file"))) == 100
    assert all(key_of(read(store, key)) == key for key in store.keys("file"))


_SAME_BLOBS = """
import sys
from pathlib import Path
from tars_hub.server.blobs.local import LocalBlobs
from tests.server.blobs.samples import keep
blobs = LocalBlobs(Path(sys.argv[1]))
print(sum(keep(blobs, str(number).encode()) for number in range(100)))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_only_the_owner_may_look(store: LocalBlobs, folder: Path) -> None:
    keep(store, DATA)
    with store.writing():
        modes = {stat.S_IMODE(path.stat().st_mode) for path in files_in(folder)}
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    assert modes == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}


def test_nothing_is_left_over(store: LocalBlobs, folder: Path) -> None:
    keep(store, DATA)
    keep(store, DATA)
    with store.writing() as writing:
        writing.write(DATA)
    assert files_in(folder) == [path_of(folder, key_of(DATA))]


@pytest.mark.parametrize("when", ["the bytes", "the folder"])
def test_a_disk_that_is_full_at_the_end(
    store: LocalBlobs, folder: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    real = os.fsync

    def full(handle: int) -> None:
        if stat.S_ISREG(os.fstat(handle).st_mode) == (when == "the bytes"):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            keep(store, DATA)
    assert files_in(folder) == []
    assert keep(store, DATA)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot limit the size of a file")
def test_a_disk_that_is_full_in_the_middle(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(folder)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["27"]  # EFBIG, which a limit gives in the place of ENOSPC
    assert files_in(folder) == []


_LIMITED = """
import resource, sys
from pathlib import Path
from tars_hub.server.blobs.local import LocalBlobs
from tests.server.blobs.samples import keep
blobs = LocalBlobs(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    keep(blobs, bytes(1_000_000))
except OSError as error:
    print(error.errno)
"""


def test_a_file_system_without_hard_links(store: LocalBlobs, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    assert keep(store, DATA)
    assert not keep(store, DATA)
    assert files_in(folder) == [path_of(folder, key_of(DATA))]


def test_who_seals_it_again_makes_it_young(store: LocalBlobs, folder: Path) -> None:
    keep(store, DATA)
    os.utime(path_of(folder, key_of(DATA)), (1_000_000_000, 1_000_000_000))
    assert store.age_s(key_of(DATA)) > 1e8
    keep(store, DATA)
    assert store.age_s(key_of(DATA)) < 60


def test_age_counts_from_the_seal_however_long_the_bytes_took(store: LocalBlobs, folder: Path) -> None:
    with store.writing() as writing:
        writing.write(DATA)
        os.utime(files_in(folder)[0], (1_000_000_000, 1_000_000_000))
        writing.seal(key_of(DATA))
    assert store.age_s(key_of(DATA)) < 60


def test_strange_files_are_not_keys(store: LocalBlobs, folder: Path) -> None:
    keep(store, DATA)
    (folder / "file" / "README").write_text("not a folder")
    (path_of(folder, key_of(DATA)).parent / "lost.tmp").write_text("not a blob")
    assert list(store.keys("file")) == [key_of(DATA)]


def test_a_folder_that_somebody_tidied_away_is_made_again(store: LocalBlobs, folder: Path) -> None:
    keep(store, DATA)
    store.delete(key_of(DATA))
    path_of(folder, key_of(DATA)).parent.rmdir()
    assert keep(store, DATA)


def test_what_it_remembers_of_folders_does_not_grow(store: LocalBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)

    def kept_after(numbers: range) -> int:
        for number in numbers:
            with store.writing() as writing:
                writing.seal(Key("file", f"{number:04x}" + "0" * 60))
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = kept_after(range(200))
        assert kept_after(range(200, 1200)) - before < 50_000
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows flushes no folders")
def test_folders_are_flushed_once_where_they_are_known(store: LocalBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    monkeypatch.setattr(local, "flush_folder", lambda folder: flushed.append(folder.name))
    for last in "01":
        with store.writing() as writing:
            writing.seal(Key("file", "abcd" + "0" * 59 + last))
    assert flushed == ["file", "ab", "cd", "cd"]
