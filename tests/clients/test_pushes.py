"""Pushes that are cut off, that meet each other, and that change little of much."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.clients import CLIENTS, MAIN, NAMES, TIMEOUT_S, Client, NoEndError, told_by
from tests.clients.relay import relay_to
from tests.clients.scenarios.making import noise, safetensors
from tests.hubs import RunningHub

WITH_XET = [client for name, client in CLIENTS.items() if not name.endswith("-without-xet")]
MIB = 1 << 20


def _folder(path: Path, *, seed: int) -> Path:
    """A model of 12 MB beside small files."""
    for name, content in {
        "config.json": b'{"seed": %d}' % seed,
        "model.safetensors": noise(12 * MIB, seed),
        "sub/notes.txt": b"notes\n" * 20,
    }.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(MIB):
            digest.update(piece)
    return digest.hexdigest()


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): _digest(path)
        for path in folder.rglob("*")
        if path.is_file() and ".cache" not in path.parts and path.name != ".gitattributes"
    }


def _create(client: Client, name: str) -> str:
    client.hf("repos", "create", name, "--exist-ok")
    return f"{client.user}/{name}"


def _pulled(client: Client, repo: str, target: Path, **options: str) -> dict[str, str]:
    words = [part for name, value in options.items() for part in (f"--{name}", value)]
    client.hf("download", repo, "--local-dir", str(target), *words)
    return _digests(target)


def _push(client: Client, repo: str, path: Path, **facts: Any) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = client.run("push", repo=repo, path=str(path), **facts)
    return told


# ---------------------------------------------------------------- cut off

# Of hf-xet 1.5.1, about one push in seven then waits for ever, in a queue of its own, with no connection to anybody.
_HANGS = "hub-1.20-oldest-xet"


def _ended(pushing: subprocess.Popen[str], again: Callable[[], Any], *, hangs: bool) -> Any:
    """What a push told; of a client that hangs, what came of it when somebody stopped it and pushed again."""
    try:
        return told_by(pushing, timeout_s=30 if hangs else TIMEOUT_S)
    except NoEndError:
        if not hangs:
            raise
        return again()


@pytest.mark.parametrize("after", [MIB // 4, 3 * MIB, 9 * MIB])
def test_an_upload_cut_off_ends_right(client: Client, hub: RunningHub, tmp_path: Path, after: int) -> None:
    repo, folder = _create(client, f"cut-{after}"), _folder(tmp_path / "model", seed=after)
    with relay_to(hub.url) as relay:
        relay.cut_after(after)
        tries = _push(client, repo, folder, url=relay.url, until_landed=True)
        assert relay.cuts == 1
    assert tries[-1]["ended"] == "landed", tries
    assert len(tries) <= 2, tries
    assert _pulled(client, repo, tmp_path / "back") == _digests(folder)


def test_a_download_cut_off_ends_right(client: Client, hub: RunningHub, tmp_path: Path) -> None:
    repo, folder = _create(client, "cut-download"), _folder(tmp_path / "model", seed=5)
    _push(client, repo, folder)
    with relay_to(hub.url) as relay:
        relay.cut_after(5 * MIB, way="down")
        words = ["download", repo, "--local-dir", str(tmp_path / "back")]
        client.hf(*words, check=None, HF_ENDPOINT=relay.url)  # clients before 2.0 give up
        assert relay.cuts == 1
        client.hf(*words, HF_ENDPOINT=relay.url)
    assert _digests(tmp_path / "back") == _digests(folder)


def test_an_answer_that_is_lost_is_no_second_commit(client: Client, hub: RunningHub, tmp_path: Path) -> None:
    """The commit was made, and the client, which did not hear of it, sends it again."""
    repo, file = _create(client, "lost-answer"), tmp_path / "a.txt"
    file.write_text("small")
    with relay_to(hub.url) as relay:
        told = _push(client, repo, file, name="a.txt", url=relay.url)
        assert told[0]["ended"] == "landed", told
        answered = relay.down_bytes
        file.write_text("other")
        relay.cut_after(answered - 16, way="down")
        _push(client, repo, file, name="a.txt", url=relay.url, until_landed=True)
    told = client.run("history", repo=repo)
    assert len({commit["oid"] for commit in told}) == len(told) == 3  # the empty one and ours
    assert _pulled(client, repo, tmp_path / "back") == {"a.txt": hashlib.sha256(b"other").hexdigest()}


@pytest.mark.parametrize("after", [MIB, 8 * MIB])
@pytest.mark.parametrize("name", CLIENTS.values())
def test_a_hub_killed_in_the_middle_of_an_upload(
    own_hub: RunningHub, make_client: Callable[..., Client], tmp_path: Path, name: str, after: int
) -> None:
    client = make_client(name, own_hub, f"killed-{name}".replace(".", "-"))
    repo, first, second = _create(client, "killed"), _folder(tmp_path / "1", seed=1), _folder(tmp_path / "2", seed=2)
    assert _push(client, repo, first)[0]["ended"] == "landed"
    with relay_to(own_hub.url) as relay:
        relay.cut_after(after, hold=True)
        pushing = client.start("push", repo=repo, path=str(second), url=relay.url, until_landed=True)
        assert relay.reached.wait(TIMEOUT_S), told_by(pushing)
        own_hub.kill()
        own_hub.restart()
        # Parts travel by connections of their own, and may all have been sent again by now: old or new, and no mixture.
        assert _pulled(client, repo, tmp_path / "between") in (_digests(first), _digests(second))
        relay.release()
        tries = _ended(pushing, lambda: _push(client, repo, second), hangs=name == _HANGS)
    assert tries[-1]["ended"] == "landed", tries
    assert _pulled(client, repo, tmp_path / "after") == _digests(second)
    own_hub.check()
    assert own_hub.stop() == 0


# ---------------------------------------------------------------- two at once


def _both(client: Client, repo: str, *facts: dict[str, Any]) -> list[list[dict[str, Any]]]:
    processes = [client.start("push", repo=repo, path="none", **fact) for fact in facts]
    return [told_by(process) for process in processes]


def test_two_who_push_different_files_at_once(client: Client, tmp_path: Path) -> None:
    repo = _create(client, "two")
    told = _both(client, repo, *({"text": f"{who} {{}}", "name": f"{who}-{{}}.txt", "times": 5} for who in "ab"))
    tries = [
        {**one, "name": f"{who}-{number}.txt"}
        for who, mine in zip("ab", told, strict=True)
        for number, one in enumerate(mine)
    ]
    assert {one["ended"] for one in tries} <= {"landed", 409, 412}, tries
    landed = {one["name"] for one in tries if one["ended"] == "landed"}
    assert set(_pulled(client, repo, tmp_path / "back")) == landed
    assert len(landed) >= 5


def test_two_who_push_the_same_file_at_once(client: Client, tmp_path: Path) -> None:
    repo = _create(client, "same")
    told = _both(client, repo, *({"text": f"{who} {{}}", "name": "one.txt", "times": 5} for who in "ab"))
    tries = [one for mine in told for one in mine]
    assert {one["ended"] for one in tries} <= {"landed", 409, 412}, tries
    landed = {one["oid"] for one in tries if one["ended"] == "landed"}
    history = [commit["oid"] for commit in client.run("history", repo=repo)]
    assert {*history[:-1]} == landed
    _pulled(client, repo, tmp_path / "back")
    assert (tmp_path / "back" / "one.txt").read_text() in {f"{who} {number}" for who in "ab" for number in range(5)}


def test_the_same_weights_pushed_twice_at_once(client: Client, tmp_path: Path) -> None:
    """One content, two repositories, two processes with a home of their own: neither may lose the other's blob."""
    folder = _folder(tmp_path / "model", seed=21)
    repos = [_create(client, f"weights-{who}") for who in "ab"]
    pushing = [client.start("push", repo=repo, path=str(folder)) for repo in repos]
    assert [told_by(one)[0]["ended"] for one in pushing] == ["landed", "landed"]
    for repo in repos:
        assert _pulled(client, repo, tmp_path / repo) == _digests(folder)


# ---------------------------------------------------------------- little of much


@pytest.mark.parametrize("name", WITH_XET)
@pytest.mark.parametrize("home", ["the same machine", "another machine"])
def test_a_changed_head_moves_and_stores_under_one_percent(
    hub: RunningHub, make_client: Callable[..., Client], tmp_path: Path, name: str, home: str
) -> None:
    """On another machine nothing is known of the first push, and only the hub can tell which chunks it has."""
    client = make_client(name, hub, f"head-{name}-{home[:1]}".replace(".", "-"))
    seed = 1000 * NAMES.index(name) + 500 * (home == "another machine")
    repo, file = _create(client, "head"), tmp_path / "model.safetensors"
    file.write_bytes(safetensors(body_bytes=44 * MIB, seed=seed, head_seed=seed + 1))
    assert _push(client, repo, file, name=file.name)[0]["ended"] == "landed"
    if home == "another machine":
        client.home = tmp_path / "elsewhere"
        client.home.mkdir()
    file.write_bytes(safetensors(body_bytes=44 * MIB, seed=seed, head_seed=seed + 2))
    stored = hub.stored_bytes
    with relay_to(hub.url) as relay:
        assert _push(client, repo, file, name=file.name, url=relay.url)[0]["ended"] == "landed"
        moved = relay.up_bytes
    grown, percent = hub.stored_bytes - stored, file.stat().st_size // 100
    assert moved < percent, f"{moved:,} bytes moved; one percent is {percent:,}"
    assert grown < percent, f"{grown:,} bytes stored; one percent is {percent:,}"
    assert _pulled(client, repo, tmp_path / "back") == {file.name: _digest(file)}


def test_a_head_of_more_classes_moves_little_too(
    hub: RunningHub, make_client: Callable[..., Client], tmp_path: Path
) -> None:
    """Then everything behind it in the file lies elsewhere."""
    client = make_client(MAIN, hub, "classes")
    repo, file = _create(client, "classes"), tmp_path / "model.safetensors"
    file.write_bytes(safetensors(10, body_bytes=44 * MIB, seed=71))
    _push(client, repo, file, name=file.name)
    file.write_bytes(safetensors(37, body_bytes=44 * MIB, seed=71, head_seed=72))
    with relay_to(hub.url) as relay:
        assert _push(client, repo, file, name=file.name, url=relay.url)[0]["ended"] == "landed"
        assert relay.up_bytes < file.stat().st_size // 50


@pytest.mark.slow
@pytest.mark.parametrize("name", [CLIENTS[MAIN], CLIENTS["hub-2.4-without-xet"]])
def test_a_large_file_in_little_memory(
    own_hub: RunningHub, make_client: Callable[..., Client], tmp_path: Path, name: str
) -> None:
    client = make_client(name, own_hub, "large")
    repo, file, piece = _create(client, "large"), tmp_path / "large.bin", os.urandom(8 * MIB)
    with file.open("wb") as out:
        for number in range(128):
            out.write(number.to_bytes(8, "little") + piece[8:])
    assert _push(client, repo, file, name=file.name)[0]["ended"] == "landed"
    client.hf("download", repo, "--local-dir", str(tmp_path / "back"))
    assert _digests(tmp_path / "back") == {file.name: _digest(file)}
    assert own_hub.peak_rss_bytes < 200 * MIB
