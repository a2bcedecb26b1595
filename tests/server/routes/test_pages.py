"""Pages show what strangers wrote, and none of it runs."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from tests.server.running import Site, done, small

BAD = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;"
ELEMENTS = set(
    "html head meta title style body h1 h2 p table tr td a pre code form input button ul li span div".split()
)


def elements(page: str) -> set[str]:
    return {name.lower() for name in re.findall(r"<\s*([A-Za-z][^\s>/]*)", page)} - {"!doctype"}


def attributes(page: str) -> set[str]:
    return {
        name.lower() for tag in re.findall(r"<[A-Za-z][^>]*>", page) for name in re.findall(r"\s([a-zA-Z-]+)=", tag)
    }


@pytest.fixture(scope="module")
def repo(shared: Site) -> str:
    name = shared.create("ann/pages", "ann")
    card = f"---\ntags: ['{BAD.replace(chr(39), '')}']\npipeline_tag: '<b>x'\n---\n# {BAD}\n</pre></body>"
    paths = ["README.md", "<script>alert(3)<", "script>/\"'><img src=x>.txt", "a&b?c#d e.txt", "javascript:alert(4)"]
    done(shared.commit(name, "ann", *(small(path, card.encode()) for path in paths), summary=BAD, description=BAD))
    for branch in ("x'\"<b>$(id);`id`", "side"):
        from urllib.parse import quote

        done(shared.ask("POST", f"/api/models/{name}/branch/{quote(branch, safe='')}", "ann", json={}))
    return name


@pytest.mark.parametrize(
    "path",
    ["", "/tree/main", "/commit/main", "/tree/side", "/tree/x'%22%3Cb%3E$(id);%60id%60", "?x=<script>"],
)
def test_nothing_of_it_is_markup(shared: Site, repo: str, path: str) -> None:
    answer = shared.get(f"/{repo}{path}")
    page = done(answer).text
    assert answer.headers["Content-Type"].startswith("text/html")
    assert elements(page) <= ELEMENTS
    assert not [name for name in attributes(page) if name.startswith("on") or name in ("src", "srcset", "srcdoc")]
    assert "alert(1)" in unescape(page)
    links = [unescape(link) for link in re.findall(r'href="([^"]*)"', page)]
    assert links
    assert all(re.match(r"/|https?://127\.0\.0\.1", link) for link in links), links
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_list(shared: Site, repo: str) -> None:
    answer = done(shared.get("/"))
    assert elements(answer.text) <= ELEMENTS
    assert f'href="/{repo}"' in answer.text


def test_every_link_to_a_file_works(shared: Site, repo: str) -> None:
    page = done(shared.get(f"/{repo}")).text
    links = [unescape(link) for link in re.findall(r'href="([^"]*)"', page) if "/resolve/" in link]
    assert len(links) == 6
    assert all(done(shared.get(link)).content for link in links)


def test_the_command_to_pull_runs_no_other(shared: Site, repo: str) -> None:
    """Branches may have names that a shell would run."""
    page = unescape(done(shared.get(f"/{repo}/tree/x'%22%3Cb%3E$(id);%60id%60")).text)
    [command] = re.findall(r"hf download (.*?)</pre>", page)
    import shlex

    assert shlex.split(command) == [repo, "--revision", "x'\"<b>$(id);`id`"]


@pytest.mark.parametrize(
    "path", ["/none/none", "/ann/pages/tree/none", "/ann/pages/tree/%3Cscript%3E", "/<script>/x", "/x"]
)
def test_what_is_not_there_is_no_page(shared: Site, repo: str, path: str) -> None:
    assert repo
    answer: Any = shared.get(path)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/json"
