"""The one table of all addresses, in the order they are tried."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from tars_hub.server.routes import (
    account,
    cas,
    commits,
    elsewhere,
    files,
    lfs,
    models,
    pages,
    paths,
    proposals,
    repos,
    revisions,
)
from tars_hub.server.routes.web import Ask, route


def table() -> list[BaseRoute]:
    """All routes. First words of addresses that stand here may not be namespaces: see `names.RESERVED`."""
    paths.register()
    return [
        route("/health", "GET", _health, by_token=False),
        *account.routes(),
        *repos.routes(),
        *revisions.routes(),
        *commits.routes(),
        *proposals.routes(),
        *lfs.routes(),
        *cas.routes(),
        *files.routes(),
        *models.routes(),
        *elsewhere.routes(),
        *pages.routes(),
    ]


def _health(_: Ask) -> Response:
    return JSONResponse({"status": "ok"})
