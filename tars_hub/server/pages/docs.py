"""The API, to be read: the page of what /openapi.json tells programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from tars_hub.server.pages.look import page
from tars_hub.server.routes.openapi import described
from tars_hub.server.routes.web import Ask, route

_TOKENS = {
    (): "no token",
    ("chunks",): "a token for chunks",
    ("token",): "a token",
    ("session", "token"): "a token, or a login",
    ("", "token"): "a token for what is private",
    ("", "session", "token"): "a token or a login for what is private",
}


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One thing to ask.

    Attributes:
        token: what has to come along.
        sent, answers: media types or numbers, and what each is; `fields` are those of a JSON object that is sent.
    """

    method: str
    path: str
    says: str
    more: str
    token: str
    parameters: tuple[tuple[str, str], ...]
    sent: tuple[str, ...]
    fields: tuple[tuple[str, str], ...]
    answers: tuple[tuple[str, str], ...]


def routes() -> list[BaseRoute]:
    return [route("/docs", "GET", _show, by_cookie=True)]


def _show(ask: Ask) -> Response:
    found = described(ask)
    groups = {tag["name"]: (tag["description"], list[Operation]()) for tag in found["tags"]}
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            groups[operation["tags"][0]][1].append(_operation(method, path, operation))
    return page(ask, "docs.html", about=found["info"]["description"], groups=groups)


def _operation(method: str, path: str, found: Mapping[str, Any]) -> Operation:
    content = found.get("requestBody", {}).get("content", {})
    properties = [each for kind in content.values() for each in kind.get("schema", {}).get("properties", {}).items()]
    return Operation(
        method=method.upper(),
        path=path,
        says=found["summary"],
        more=found.get("description", ""),
        token=_TOKENS[tuple(sorted(name for way in found["security"] for name in way or [""]))],
        parameters=tuple((each["name"], each.get("description", "")) for each in found["parameters"]),
        sent=tuple(content),
        fields=tuple((name, said.get("description", "")) for name, said in properties),
        answers=tuple((status, said["description"]) for status, said in found["responses"].items()),
    )
