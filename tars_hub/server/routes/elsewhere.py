"""What this hub does not keep: datasets, spaces, models that are nobody's, and the rest get a plain answer."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from tars_hub.server.errors import NotFoundError, RepoNotFoundError
from tars_hub.server.routes.web import Ask, route, streaming_route

_KINDS = ("datasets", "spaces", "kernels", "buckets", "collections", "papers")


def routes() -> list[BaseRoute]:
    found: list[BaseRoute] = [
        route("/api/models/{name}", "GET", _without_namespace),
        route("/api/models/{name}/revision/{rest:rest}", "GET", _without_namespace),
        route("/{name}/resolve/{rest:rest}", "GET", _without_namespace),
        streaming_route("/api/models/{owner}/{model}/predict", "POST", _no_predictions, by_token=False),
    ]
    for kind in _KINDS:
        for path in (f"/api/{kind}", f"/api/{kind}/{{rest:rest}}", f"/{kind}/{{rest:rest}}"):
            found += [route(path, method, _models_only) for method in ("GET", "POST", "PUT", "DELETE")]
    return found


def _without_namespace(ask: Ask) -> Response:
    raise RepoNotFoundError(f"models are called user/model here; there is no {ask.part('name')[:100]!r}")


def _models_only(ask: Ask) -> Response:
    kind = ask.request.scope["path"].removeprefix("/api").split("/")[1]
    raise RepoNotFoundError(f"this hub keeps models only, no {kind}")


async def _no_predictions(_: Ask) -> Response:
    """Where nobody is added who does; without a look at the picture that comes."""
    raise NotFoundError("this hub answers no pictures; `tars hub serve --predict` starts one that does")
