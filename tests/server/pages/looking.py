"""What a test looks for in a page."""

from __future__ import annotations

import re
from html import unescape

import httpx

from tests.server.running import Site, done

BAD = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;"
_ELEMENT = re.compile(r"<\s*([A-Za-z][^\s>/]*)((?:[^>\"']|\"[^\"]*\"|'[^']*')*)>")


def look(site: Site, path: str, who: str = "") -> str:
    """A page that is there, after the checks that every page must pass."""
    answer = done(site.get(path, who, headers={"Accept": "text/html"}))
    check(answer)
    return answer.text


def check(answer: httpx.Response) -> None:
    """That nothing in a page runs but the hub's own script, and that nothing comes from elsewhere."""
    assert answer.headers["Content-Type"].startswith("text/html")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for name, attributes in _ELEMENT.findall(answer.text):
        assert not re.search(r"\s(on\w+|style|srcdoc|srcset)\s*=", attributes, re.IGNORECASE), attributes
        assert name not in ("style", "iframe", "object", "embed", "base", "svg")
        if name == "script":
            assert 'src="/static/hub.js' in attributes
        for link in re.findall(r'(?:href|src|action)="([^"]*)"', attributes):
            assert re.match(r"/(?!/)|[?#]", unescape(link)), link


def text(page: str) -> str:
    """What a page says, without its elements, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())


def links(page: str, within: str) -> list[str]:
    return [unescape(link) for link in re.findall(r'href="([^"]*)"', page) if within in link]
