"""The most that an owner keeps: by every way in, and no matter who brings it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tars_hub.server.errors import QuotaError
from tars_hub.server.pages.csrf import FIELD, token_of
from tars_hub.server.routes.web import SESSION_COOKIE
from tars_hub.server.rules.accounts import add_organisation, find_owner
from tars_hub.server.rules.arrivals import Arrival
from tars_hub.server.rules.tokens import Wish, begin_session, create_own_token
from tests.server.running import Site, done, gone, large, site, small

QUOTA = 1_000_000


@pytest.fixture
def running() -> Iterator[Site]:
    with site() as found:
        found.add("ann", "bob")
        allow(found, "ann", QUOTA)
        found.create("ann/m", "ann")
        yield found


def allow(running: Site, name: str, quota: int | None) -> None:
    running.hub.catalog.accounts.set_quota(find_owner(running.hub, name).id, quota)


def used(running: Site, name: str = "ann") -> int:
    return running.hub.catalog.contents.used_bytes(name)


def offered(running: Site, who: str, data: bytes, repo: str = "ann/m", *transfers: str) -> httpx.Response:
    wanted = {
        "operation": "upload",
        "transfers": transfers or ["basic"],
        "objects": [{"oid": hashlib.sha256(data).hexdigest(), "size": len(data)}],
    }
    return running.ask("POST", f"/{repo}.git/info/lfs/objects/batch", who, json=wanted)


def test_each_content_counts_once_for_each_owner(running: Site) -> None:
    before = used(running)
    data = os.urandom(400_000)
    running.create("ann/n", "ann")
    for repo in ("ann/m", "ann/n"):
        for path in ("a.bin", "b.bin"):
            running.put_large(repo, "ann", path, data)
    running.create("bob/m", "bob")
    running.put_large("bob/m", "bob", "a.bin", data)
    assert used(running) - before in range(400_000, 402_000)
    assert used(running, "BOB") in range(400_000, 404_000)
    assert offered(running, "ann", data[:1] + data[1:]).status_code == 200


def test_a_removed_repository_makes_room(running: Site) -> None:
    running.put_large("ann/m", "ann", "a.bin", os.urandom(900_000))
    running.create("ann/n", "ann")
    assert offered(running, "ann", bytes(200_000), "ann/n").status_code == 413
    done(running.ask("DELETE", "/api/repos/delete", "ann", json={"name": "m"}))
    assert offered(running, "ann", bytes(200_000), "ann/n").status_code == 200


@pytest.mark.parametrize("transfers", [["basic"], ["basic", "multipart"], ["xet", "multipart", "basic"]])
def test_an_offer_is_refused(running: Site, transfers: list[str]) -> None:
    answer = offered(running, "ann", bytes(QUOTA), "ann/m", *transfers)
    assert answer.status_code == 413
    said = answer.headers["X-Error-Message"]
    assert f"of {QUOTA:,} bytes" in said
    assert f"for {QUOTA:,} more" in said
    allow(running, "ann", None)
    assert offered(running, "ann", bytes(QUOTA), "ann/m", *transfers).status_code == 200


def test_the_end_of_an_upload_is_refused(running: Site) -> None:
    """Both were offered while there was room for one."""
    first, second = bytes(600_000), b"1" * 600_000
    links = [
        running.batch("ann/m", "ann", hashlib.sha256(data).hexdigest(), len(data))["actions"]["upload"]["href"]
        for data in (first, second)
    ]
    assert running.client.put(links[0], content=first).status_code == 200
    answer = running.client.put(links[1], content=second)
    assert (answer.status_code, "has no room" in answer.text) == (413, True)
    assert used(running) < QUOTA
    assert "600" not in answer.text.replace("600,000 bytes more", "")  # a link's holder learns nothing of the owner


def test_parts_put_together_are_refused() -> None:
    with site(part_bytes=300_000) as running:
        running.add("ann")
        running.create("ann/m", "ann")
        data = bytes(600_000)
        name = hashlib.sha256(data).hexdigest()
        upload = running.batch("ann/m", "ann", name, len(data), "multipart")["actions"]["upload"]
        for number in ("00001", "00002"):
            done(running.client.put(upload["header"][number], content=data[:300_000]))
        allow(running, "ann", 500_000)
        assert running.client.post(upload["href"], json={"oid": name, "parts": []}).status_code == 413


def test_a_commit_is_refused_and_what_takes_no_room_is_not(running: Site) -> None:
    data = os.urandom(600_000)
    done(running.commit("ann/m", "ann", small("a.txt", data)))
    other = small("b.txt", os.urandom(600_000))
    for to in ("main", "main?create_pr=1"):
        refused = running.commit("ann/m", "ann", other, to=to)
        assert (refused.status_code, "keeps" in refused.headers["X-Error-Message"]) == (413, True)
    allow(running, "ann", 1)
    done(running.commit("ann/m", "ann", small("copy.txt", data)))
    done(running.commit("ann/m", "ann", gone("a.txt")))
    done(running.commit("ann/m", "ann", large("c.bin", hashlib.sha256(data).hexdigest())))
    assert running.commit("ann/m", "ann", small("tiny", b"1")).status_code == 413


def test_before_anything_is_read_only_what_is_sure_is_refused(running: Site) -> None:
    running.put_large("ann/m", "ann", "model.bin", os.urandom(600_000))

    def ask(**sizes: int) -> int:
        files = [{"path": f"{name}.bin", "sample": "", "size": size} for name, size in sizes.items()]
        return running.ask("POST", "/api/models/ann/m/preupload/main", "ann", json={"files": files}).status_code

    assert ask(model=600_000) == 200  # perhaps the same
    assert ask(elsewhere=600_000) == 200
    assert ask(model=600_001) == 413
    assert ask(a=300_000, b=300_001) == 413
    assert ask(a=300_000) == 200


def test_others_leave_the_owner_room(running: Site) -> None:
    """Who proposes changes is not told how much an owner keeps either."""
    refused = offered(running, "bob", os.urandom(920_000))
    assert (refused.status_code, refused.headers["X-Error-Message"]) == (
        413,
        "ann has no room here for 920,000 bytes more",
    )
    assert offered(running, "bob", os.urandom(800_000)).status_code == 200
    assert offered(running, "ann", os.urandom(920_000)).status_code == 200


def test_what_an_organisation_keeps_is_its_own(running: Site) -> None:
    add_organisation(running.hub, "lab", {"ann": "write"})
    done(running.ask("POST", "/api/repos/create", "ann", json={"name": "m", "organization": "lab"}))
    running.put_large("lab/m", "ann", "a.bin", os.urandom(QUOTA))
    assert used(running) < 10_000
    allow(running, "lab", QUOTA)
    assert offered(running, "ann", bytes(10_000), "lab/m").status_code == 413
    move = {"fromRepo": "lab/m", "toRepo": "ann/moved"}
    answer = running.ask("POST", "/api/repos/move", "ann", json=move)
    assert (answer.status_code, "no room for lab/m" in answer.text) == (413, True)
    allow(running, "ann", 2 * QUOTA)
    done(running.ask("POST", "/api/repos/move", "ann", json=move))


def test_there_is_one_for_all_who_have_none() -> None:
    with site(owner_bytes=500_000) as running:
        running.add("ann", "bob")
        allow(running, "bob", QUOTA)
        for name, status in (("ann", 413), ("bob", 200)):
            running.create(f"{name}/m", name)
            assert offered(running, name, bytes(600_000), f"{name}/m").status_code == status


def test_a_browser_s_upload_is_refused(running: Site) -> None:
    session = begin_session(running.hub, running.tokens["ann"])[0]
    fields = {FIELD: token_of(running.hub, session), "parent": done(running.get("/api/models/ann/m")).json()["sha"]}
    headers = {"Cookie": f"{SESSION_COOKIE}={session}", "Origin": running.url}
    for name, size, status in (("a.txt", 10, 303), ("model.safetensors", QUOTA, 413)):
        fields["parent"] = done(running.get("/api/models/ann/m")).json()["sha"]
        sent: list[tuple[str, tuple[str | None, str | bytes]]] = [(key, (None, text)) for key, text in fields.items()]
        sent.append(("file", (name, bytes(size))))
        answer = running.ask("POST", "/ann/m/upload/main", files=sent, headers=headers, follow_redirects=False)
        assert answer.status_code == status, answer.text
    assert used(running) < 10_000


def test_a_file_from_a_browser_stops_at_the_quota(running: Site) -> None:
    """Nobody says before how large it is; it would fill the disk before it is refused."""
    repo = running.hub.catalog.repositories.find("ann/m")
    assert repo is not None
    with Arrival(running.hub, running.caller("bob"), repo, "a.bin") as arrival:
        arrival.write(bytes(QUOTA))
        with pytest.raises(QuotaError, match=r"has no room for 'a\.bin'"):
            arrival.write(b"1")
        assert arrival.size == QUOTA


@pytest.mark.parametrize("who", ["bob", "ann, for ann/m"])
def test_room_tells_nobody_what_lies_in_others_repositories(running: Site, who: str) -> None:
    """Who may not see a private model could else ask whether it holds a file that they know, or one of a size."""
    running.create("ann/private", "ann", private=True)
    data = os.urandom(400_000)
    running.put_large("ann/private", "ann", "a.bin", data)
    running.put_large("ann/m", "ann", "b.bin", b"1" * 300_000)
    only = Wish(role="write", repositories=["ann/m"])
    running.tokens["ann, for ann/m"] = create_own_token(running.hub, running.caller("ann"), only)
    allow(running, "ann", 800_000)
    assert offered(running, "ann", data).status_code == 200
    assert [offered(running, who, each).status_code for each in (data, bytes(400_000))] == [413, 413]
    assert offered(running, who, b"1" * 300_000).status_code == 200, "this one they may know of"
    said = [
        running.ask("POST", "/api/models/ann/m/preupload/main?create_pr=1", who, json={"files": [_file(size)]})
        for size in (400_000, 400_001)
    ]
    assert [each.status_code for each in said] == [200, 200]


def _file(size: int) -> dict[str, str | int]:
    return {"path": "x.bin", "sample": "", "size": size}


_PUSH = """
import sys
from huggingface_hub import HfApi
try:
    HfApi().upload_file(path_or_fileobj=sys.argv[1], path_in_repo="model.safetensors", repo_id="ann/m")
except Exception as error:
    print(f"{type(error).__name__}: {error}")
else:
    print("done")
"""


@pytest.mark.parametrize("more", [{}, {"HF_HUB_DISABLE_XET": "1"}], ids=["xet", "lfs"])
def test_the_stock_client_says_so(running: Site, tmp_path: Path, more: dict[str, str]) -> None:
    """Also for a file of a size that is known, which is found out late."""
    said = []
    environment = {
        **os.environ,
        "HF_ENDPOINT": running.url,
        "HF_TOKEN": running.tokens["ann"],
        "HF_HOME": str(tmp_path),
    }
    for number, size in enumerate((600_000, 600_000, QUOTA)):
        file = tmp_path / f"{number}"
        file.write_bytes(os.urandom(size))
        command = [sys.executable, "-c", _PUSH, str(file)]
        run = subprocess.run(command, env=environment | more, capture_output=True, text=True, check=True, timeout=180)
        said.append(run.stdout.strip())
    assert said[0] == "done"
    for text in said[1:]:
        assert "ann keeps" in text
        assert "remove a repository, or ask whoever runs the hub" in text
