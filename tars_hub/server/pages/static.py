"""Styles, one small script and the icon: all that pages load besides pictures, from this package."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from starlette.responses import Response
from starlette.routing import BaseRoute

from tars_hub.server.errors import NotFoundError
from tars_hub.server.routes.web import Ask, route

_FOLDER = Path(__file__).with_name("static")
_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_YEAR_S = 365 * 86_400


def routes() -> list[BaseRoute]:
    return [
        route("/static/{file}", "GET", _static, by_token=False),
        route("/favicon.ico", "GET", _icon, by_token=False),
    ]


def address(name: str) -> str:
    """Where a file is; the address changes with it, so that browsers may keep it for long.

    Raises:
        KeyError: there is no such file.
    """
    return f"/static/{name}?v={_version(_files()[name])}"


@cache
def _files() -> Mapping[str, bytes]:
    return {path.name: path.read_bytes() for path in _FOLDER.iterdir() if path.suffix in _KINDS}


@cache
def _version(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def _static(ask: Ask) -> Response:
    name = ask.part("file")
    data = _files().get(name)
    if data is None:
        raise NotFoundError(f"there is no {name[:100]!r} among the hub's own files")
    lasting = ask.request.query_params.get("v") == _version(data)
    return _answer(name, data, f"public, max-age={_YEAR_S}, immutable" if lasting else "no-cache")


def _icon(_: Ask) -> Response:
    return _answer("icon.svg", _files()["icon.svg"], "public, max-age=86400")


def _answer(name: str, data: bytes, keeping: str) -> Response:
    headers = {"Cache-Control": keeping, "X-Content-Type-Options": "nosniff"}
    return Response(data, media_type=_KINDS[Path(name).suffix], headers=headers)
