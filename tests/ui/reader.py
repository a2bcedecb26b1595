"""HTML as a browser would read it, for what is written without one."""

from __future__ import annotations

from html.parser import HTMLParser

HOSTILE = "<img src=x onerror=\"alert('1')\">&amp;${1+1}{{2}}"


class Reader(HTMLParser):
    """What a browser would make of it: the tags and their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data
