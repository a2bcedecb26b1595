"""Nothing grows with the number of pictures: the whole command, over folders of 2,000 and of 40,000."""

import gc
import os
import sys
import tracemalloc
from pathlib import Path

import pytest

from tars_hub import listing
from tars_hub.answers import journal, parquet
from tars_hub.cli import main
from tests.answers.fakes import install, lay_many

FEW, MANY = 2, 40  # folders of 1,000


class Nowhere:
    """Takes what is said, and forgets it."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None: ...


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(MANY):
        lay_many(folder / f"{number:02}", 1000)
    return folder


def peak(arguments: list[str], folders: list[str]) -> int:
    """Bytes that Python held at most."""
    gc.collect()
    tracemalloc.start()
    try:
        assert main([*arguments[:2], *folders, *arguments[2:]]) == 0
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--output", "out.parquet"]], ids=["lines", "table"])
def test_many_pictures_take_no_more_memory_than_few(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(listing, "_HELD_NAMES", 500)
    monkeypatch.setattr(parquet, "_GROUP_ROWS", 500)
    monkeypatch.setattr(sys, "stdout", Nowhere())
    monkeypatch.setattr(os, "fsync", lambda _: None)
    arguments = ["predict", install(monkeypatch, tmp_path / "model")[0], *more]
    folders = [str(folder) for folder in sorted(pictures.iterdir())]
    main([*arguments[:2], folders[0], *arguments[2:]])  # loads what is loaded once
    few = peak(arguments, folders[:FEW])
    many = peak(arguments, folders)
    assert many < few + 200_000, "bytes; a name alone would take 38,000 times 100"


def test_going_on_takes_no_more_memory_either(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(listing, "_HELD_NAMES", 500)
    name, fake = install(monkeypatch, tmp_path / "model")
    folders = [str(folder) for folder in sorted(pictures.iterdir())]
    arguments = ["predict", name, "--output", "out.csv"]
    peaks = []
    for count in (FEW, MANY // 4):
        fake.asked, fake.fails_at = 0, 1000 * count - 8
        assert main([*arguments, *folders[:count]]) == 130
        fake.asked, fake.fails_at = 0, None
        peaks.append(peak(arguments, folders[:count]))
        assert fake.asked == 16
    assert peaks[1] < peaks[0] + 200_000
    assert journal.SUFFIX not in "".join(os.listdir())  # noqa: PTH208
