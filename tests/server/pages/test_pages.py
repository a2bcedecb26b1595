"""Pages show what strangers wrote, and none of it runs."""

from __future__ import annotations

import re
import shlex
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest

from tests.server.pages.looking import BAD, check
from tests.server.running import Site, done, small

ELEMENTS = set(
    "html head meta title link script body header footer nav main a img h1 h2 h3 p div span section article aside "
    "details summary ul ol li dl dt dd pre code form input select option button label table thead tbody tr th td time "
    "b wbr strong em i".split()
)
BRANCH = "x'\"<b>$(id);`id`"


def elements(page: str) -> set[str]:
    return {name.lower() for name in re.findall(r"<\s*([A-Za-z][^\s>/]*)", page)} - {"!doctype"}


def attributes(page: str) -> set[str]:
    return {
        name.lower() for tag in re.findall(r"<[A-Za-z][^>]*>", page) for name in re.findall(r"\s([a-zA-Z-]+)=", tag)
    }


@pytest.fixture(scope="module")
def repo(shared: Site) -> str:
    name = shared.create("ann/pages", "ann")
    fields = f"tags: ['{BAD.replace(chr(39), '')}']\npipeline_tag: '<b>x'\nlibrary_name: '<u>lib'\nlicense: '<u>mit'"
    card = f"---\n{fields}\n---\n# {BAD}\n</pre></body>".encode()
    config = b'{"backbone": "<u>net", "num_classes": 2, "id2label": {"0": "<u>a", "1": "\\"onclick=alert(1)"}}'
    paths = ["README.md", "<script>alert(3)<", "script>/\"'><img src=x>.txt", "a&b?c#d e.txt", "javascript:alert(4)"]
    files = [*(small(path, card) for path in paths), small("config.json", config)]
    done(shared.commit(name, "ann", *files, summary=BAD, description=BAD))
    for branch in (BRANCH, "side"):
        done(shared.ask("POST", f"/api/models/{name}/branch/{quote(branch, safe='')}", "ann", json={}))
    return name


@pytest.mark.parametrize(
    "path",
    [
        "/{repo}",
        "/{repo}?rev=side",
        f"/{{repo}}?rev={quote(BRANCH)}",
        "/{repo}?x=<script>",
        "/{repo}/tree/main",
        "/{repo}/commit/main",
        "/{repo}/tree/side",
        f"/{{repo}}/tree/{quote(BRANCH, safe='')}",
    ],
)
def test_nothing_of_it_is_markup(shared: Site, repo: str, path: str) -> None:
    answer = done(shared.get(path.format(repo=repo)))
    page = answer.text
    check(answer)
    assert elements(page) <= ELEMENTS
    assert not [name for name in attributes(page) if name.startswith("on") or name in ("srcset", "srcdoc", "style")]
    assert "alert(1)" in unescape(page)
    links = [unescape(link) for link in re.findall(r'(?:href|src)="([^"]*)"', page)]
    assert links
    assert all(re.match(r"/(?!/)|\?|#", link) for link in links), links
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_scripts_are_the_hubs_own(shared: Site, repo: str) -> None:
    page = done(shared.get(f"/{repo}")).text
    assert re.findall(r"<script[^>]*>", page) == [re.search(r'<script src="/static/hub\.js\?v=\w+" defer>', page)[0]]  # type: ignore[index]
    assert re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL) == [""]


@pytest.mark.parametrize("query", ["", "?search=<script>alert(1)</script>", '?tag="><script>alert(1)</script>'])
def test_the_lists(shared: Site, repo: str, query: str) -> None:
    for path in ("/", "/ann"):
        answer = done(shared.get(f"{path}{query}"))
        check(answer)
        assert elements(answer.text) <= ELEMENTS
        assert (f'href="/{repo}"' in answer.text) is (not query)


def test_every_link_to_a_file_works(shared: Site, repo: str) -> None:
    page = done(shared.get(f"/{repo}/tree/main")).text
    links = {unescape(link) for link in re.findall(r'href="([^"]*)"', page) if "/resolve/" in link}
    assert len(links) >= 6
    assert all(done(shared.get(link)).content for link in links)


def test_the_command_to_pull_runs_no_other(shared: Site, repo: str) -> None:
    """Branches may have names that a shell would run."""
    page = unescape(done(shared.get(f"/{repo}?rev={quote(BRANCH)}")).text)
    [command] = re.findall(r"hf download (.*?)</pre>", page)
    assert shlex.split(command) == [repo, "--revision", BRANCH]


@pytest.mark.parametrize(
    "path",
    ["/none/none", "/ann/pages/tree/none", "/ann/pages/tree/%3Cscript%3E", "/<script>/x", "/x", "/ann/pages?rev=x"],
)
@pytest.mark.parametrize("accept", ["*/*", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"])
def test_what_is_not_there_is_no_page(shared: Site, repo: str, path: str, accept: str) -> None:
    assert repo
    answer: Any = shared.get(path, headers={"Accept": accept})
    assert answer.status_code == 404
    if accept == "*/*":
        assert answer.headers["Content-Type"] == "application/json"
    else:
        check(answer)
        assert elements(answer.text) <= ELEMENTS
