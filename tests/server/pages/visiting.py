"""Visitors of the pages: browsers' sessions, with the forms that they send."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx

from tars_hub.server.pages import csrf
from tars_hub.server.rules.tokens import begin_session
from tests.server.running import Site


@dataclass
class Visit:
    """A browser that holds a session, by its cookie alone.

    Attributes:
        session: the cookie's text; empty for a browser without one.
    """

    site: Site
    session: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def csrf(self) -> str:
        """What this session's forms carry."""
        return csrf.token_of(self.site.hub, self.session)

    def get(self, path: str) -> httpx.Response:
        return self._send("GET", path)

    def post(self, path: str, fields: dict[str, str] | None = None, **options: Any) -> httpx.Response:
        """Send a form as a page of the hub does; `headers` come on top, where None leaves one out."""
        return self.raw_post(path, {"csrf": self.csrf} | (fields or {}), **options)

    def raw_post(self, path: str, fields: dict[str, str], **options: Any) -> httpx.Response:
        """Send a form with these fields alone."""
        return self._send("POST", path, data=fields, **options)

    def upload(self, path: str, files: list[tuple[str, bytes]], fields: dict[str, str], **options: Any) -> Any:
        """Send a form with files, its other fields first, as browsers do."""
        sent = [("files", (name, data, "application/octet-stream")) for name, data in files]
        return self._send("POST", path, data={"csrf": self.csrf} | fields, files=sent, **options)

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers: dict[str, str | None] = {"Accept": "text/html,*/*;q=0.8", "Cookie": f"tars_session={self.session}"}
        if method == "POST":
            headers |= {"Origin": self.site.url, "Sec-Fetch-Site": "same-origin"}
        headers |= options.pop("headers", {})
        kept = {name: value for name, value in headers.items() if value is not None}
        return self.site.client.request(method, self.site.url + path, headers=kept, **options)


def visit(site: Site, who: str = "") -> Visit:
    """A browser in which the holder of this token has logged in; without one, nobody has."""
    return Visit(site, begin_session(site.hub, site.tokens[who])[0] if who else "")
