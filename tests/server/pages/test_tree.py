"""Folders in the browser."""

from __future__ import annotations

import pytest

from tests.server.pages.looking import BAD, check, links, look, text
from tests.server.running import Site, done, small

ODD = ["a&b?c#d e.txt", "é/日本.txt", "javascript:alert(4)", "<script>.html", "x/..y/z", "100%.txt"]


@pytest.fixture(scope="module")
def repo(shared: Site) -> str:
    name = shared.create("ann/tree", "ann")
    done(shared.commit(name, "ann", *(small(path, b"odd") for path in ODD), summary=BAD))
    shared.put(name, "ann", {"deep/er/file.txt": b"12345", "README.md": b"# hi"})
    return name


def test_a_folder(shared: Site, repo: str) -> None:
    page = look(shared, f"/{repo}/tree/main")
    shown = text(page)
    assert shown.index("deep/") < shown.index("README.md")  # folders first
    assert "a change, just now" in shown
    assert f'href="/{repo}/tree/main/deep"' in page
    inner = look(shared, f"/{repo}/tree/main/deep/er")
    assert "5 bytes" in text(inner)
    assert [f"/{repo}/tree/main", f"/{repo}/tree/main/deep"] == links(
        inner.split('class="crumbs')[1].split("</nav>")[0], ""
    )


def test_all_its_links_lead_somewhere(shared: Site, repo: str) -> None:
    page = look(shared, f"/{repo}/tree/main")
    for link in links(page, f"/{repo}/blob/"):
        look(shared, link)
    files = links(page, "/resolve/")
    assert len(files) == 6
    assert {done(shared.get(link)).content for link in files} <= {b"odd", b"# hi", done(shared.get(files[0])).content}
    for link in links(page, f"/{repo}/tree/main/"):
        look(shared, link)


def test_what_only_writers_see(shared: Site, repo: str) -> None:
    for who, there in (("ann", True), ("ann:read", False), ("bob", False), ("", False)):
        page = look(shared, f"/{repo}/tree/main/deep/er", who)
        assert bool(links(page, f"/{repo}/upload/main/deep/er")) is there
        assert bool(links(page, f"/{repo}/delete/main/deep/er/file.txt")) is there
    oid = shared.get(f"/api/models/{repo}").json()["sha"]
    assert not links(look(shared, f"/{repo}/tree/{oid}", "ann"), "/upload/")  # nobody commits to a commit


def test_branches_with_a_slash(shared: Site, repo: str) -> None:
    done(shared.ask("POST", f"/api/models/{repo}/branch/feature%2Fx", "ann", json={}))
    page = look(shared, f"/{repo}/tree/feature%2Fx/deep")
    [link] = links(page, "/tree/feature%2Fx/deep/er")
    assert "file.txt" in look(shared, link)


@pytest.mark.parametrize("path", ["main/none", "main/README.md", "none", "main/deep/%2E%2E", "main/%00", "%2E%2E"])
def test_what_is_not_there(shared: Site, repo: str, path: str) -> None:
    answer = shared.get(f"/{repo}/tree/{path}", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    check(answer)


def test_3000_files(shared: Site) -> None:
    repo = shared.create("ann/tree-many", "ann")
    done(shared.commit(repo, "ann", *(small(f"d/f {at:04}", b"x") for at in range(3000))))
    page = look(shared, f"/{repo}/tree/main/d")
    assert len(links(page, "/resolve/")) == 100
    assert len(page) < 200_000
    assert "3,000 entries, 30 pages" in text(page)
    last = look(shared, f"/{repo}/tree/main/d?p=29")
    assert "f 2999" in last
    assert 'rel="next"' not in last
    assert "No files here" in look(shared, f"/{repo}/tree/main/d?p=30")
    assert shared.get(f"/{repo}/tree/main/d?p=x").status_code == 400


def test_a_gated_folder_shows_names_and_no_downloads(shared: Site) -> None:
    repo = shared.create("ann/tree-gated", "ann", gated=True)
    shared.put(repo, "ann", {"README.md": b"secret"})
    page = look(shared, f"/{repo}/tree/main", "bob")
    assert "README.md" in page
    assert not links(page, "/resolve/")
    assert links(look(shared, f"/{repo}/tree/main", "ann"), "/resolve/")
