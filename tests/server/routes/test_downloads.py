"""What counts as a download, with the stock client and without."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi

from tests.server.running import Site, site

WITHIN_S = 30  # it is counted after the answer, which may be a while on a busy machine


@pytest.fixture(scope="module")
def running() -> Iterator[Site]:
    with site() as found:
        found.add("ann")
        for name, files in {
            "full": ["config.json", "model.safetensors", "README.md", "more/config.json"],
            "bare": ["b.pt", "a.safetensors", "README.md"],
            "card": ["README.md", "other.txt"],
        }.items():
            found.create(f"ann/{name}", "ann")
            found.put(f"ann/{name}", "ann", {path: b"{}" + path.encode() for path in files})
        yield found


def counted(running: Site, name: str) -> int:
    found = running.hub.catalog.repositories.find(f"ann/{name}")
    assert found
    return found.downloads


def grows(running: Site, name: str, by: int, ask: Any) -> bool:
    """Whether it grows by so much, soon; what is not to be counted is given a moment in which it might be."""
    before = counted(running, name)
    ask()
    if by:
        until(lambda: counted(running, name) >= before + by)
    else:
        time.sleep(0.2)
    return counted(running, name) == before + by


def until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + WITHIN_S
    while not holds() and time.monotonic() < ends:
        time.sleep(0.01)


def test_a_snapshot_counts_once_and_again_only_when_it_is_fetched_again(running: Site, tmp_path: Path) -> None:
    api = HfApi(endpoint=running.url, token=False)
    for folder, by in ((tmp_path / "a", 1), (tmp_path / "a", 0), (tmp_path / "b", 1)):
        assert grows(running, "full", by, lambda folder=folder: api.snapshot_download("ann/full", cache_dir=folder))
    listed = {model.id: model.downloads for model in api.list_models(author="ann", sort="downloads")}
    assert next(iter(listed)) == "ann/full"
    assert listed["ann/full"] == api.model_info("ann/full").downloads == counted(running, "full")


@pytest.mark.parametrize(
    ("path", "by"),
    [
        ("full/resolve/main/config.json", 1),
        ("full/resolve/main/model.safetensors", 0),
        ("full/resolve/main/README.md", 0),
        ("full/resolve/main/more/config.json", 0),
        ("bare/resolve/main/a.safetensors", 1),
        ("bare/resolve/main/b.pt", 0),
        ("bare/resolve/main/README.md", 0),
        ("card/resolve/main/README.md", 1),
        ("card/resolve/main/other.txt", 0),
        ("card/resolve/main/config.json", 0),
        ("full/blob/main/config.json", 0),
        ("full", 0),
    ],
)
def test_the_query_file_counts(running: Site, path: str, by: int) -> None:
    assert grows(running, path.partition("/")[0], by, lambda: running.get(f"/ann/{path}"))


def test_what_is_no_download(running: Site) -> None:
    path = "/ann/full/resolve/main/config.json"
    answers = []
    assert grows(running, "full", 1, lambda: answers.append(running.get(path)))  # or it might be counted later
    etag = answers[0].headers["ETag"]
    for headers in ({"Range": "bytes=0-1"}, {"Range": "bytes=1-"}, {"If-None-Match": etag}):
        assert grows(running, "full", 0, lambda headers=headers: running.get(path, headers=headers))
    assert grows(running, "full", 0, lambda: running.ask("HEAD", path))


def test_the_answer_does_not_wait_for_the_count_nor_fail_with_it(
    running: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answered = threading.Event()

    def fail(_: int) -> None:
        assert answered.wait(WITHIN_S), "the answer waits for the count"
        raise OSError("the disk is full")

    monkeypatch.setattr(running.hub.catalog.audience, "count_download", fail)
    assert running.get("/ann/full/resolve/main/config.json").status_code == 200
    answered.set()
    until(lambda: "was not counted" in caplog.text)
    assert "was not counted" in caplog.text
    assert running.get("/health").status_code == 200
