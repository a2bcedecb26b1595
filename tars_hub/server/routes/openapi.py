"""What the hub tells of itself: that it is there, and its API as OpenAPI 3.1, out of what stands beside the routes."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from tars_hub.server.additions import Addition
from tars_hub.server.routes.about import JSON, About, Token
from tars_hub.server.routes.web import SESSION_COOKIE, ApiRoute, Ask, route

_PART = re.compile(r"\{(\w+)(?::\w+)?\}")
# What stands in braces, in whatever address.
PARTS = {
    "namespace": "a user or an organisation",
    "name": "the model's name",
    "revision": "a branch, a tag or a commit's id; a slash within it is quoted, as %2F",
    "path": "a path within the repository, with its slashes as they are",
    "branch": "a branch's name",
    "user": "a user's name",
    "organisation": "an organisation's name",
    "number": "a number, from 1",
    "event": "a comment's id",
    "status": "pending, accepted or rejected",
    "ticket": "what the address was signed with",
    "topic": "anything",
    "instance": "the store's own name, as the addresses of Xet tokens give it",
    "prefix": "default",
    "xorb": "a block's hash",
    "chunk": "a chunk's hash",
    "file": "a content's hash",
}
_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token, made at /settings/tokens."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": SESSION_COOKIE,
        "description": "A browser that is logged in. It reads, and changes nothing.",
    },
    "chunks": {"type": "http", "scheme": "bearer", "description": "What the addresses of Xet tokens give."},
}
_ERROR = {
    "type": "object",
    "properties": {"error": {"type": "string", "description": "what is wrong, and what would work"}},
    "required": ["error"],
}
# Of the modules whose names say little to others.
_TITLES = {
    "audience": "likes and access",
    "cas": "chunks",
    "lfs": "large files",
    "openapi": "hub",
    "proposals": "discussions",
    "repos": "repositories",
}
_DESCRIPTION = "What clients of Hugging Face's hub ask, and its answers. What goes wrong is JSON with one sentence."


def routes() -> list[BaseRoute]:
    return [
        route("/health", "GET", _health, by_token=False, about=_HEALTH),
        route("/openapi.json", "GET", _openapi, by_token=False, about=_OPENAPI),
    ]


_HEALTH = About(says="Say that the hub answers", token=Token.NONE, gives="A word")
_OPENAPI = About(says="Describe this API as OpenAPI 3.1", token=Token.NONE, gives="The description")


def _health(_: Ask) -> Response:
    return JSONResponse({"status": "ok"})


def _openapi(ask: Ask) -> Response:
    return JSONResponse(described(ask))


def described(ask: Ask) -> dict[str, Any]:
    """The API of the hub that is asked, with what others add to it."""
    app = ask.request.app
    return document(app.routes, app.state.additions, base=ask.base)


def document(routes: Iterable[BaseRoute], additions: Iterable[Addition], *, base: str) -> dict[str, Any]:
    """The description of all routes that have one, and of what is answered beside them.

    Args:
        base: the hub's address as the caller knows it.
    """
    paths: dict[str, dict[str, Any]] = {each.path: dict(each.operations) for each in additions}
    tags = {tag: "" for path in paths.values() for operation in path.values() for tag in operation["tags"]}
    for each in routes:
        if not isinstance(each, ApiRoute) or each.about is None:
            continue
        module = each.module.rpartition(".")[2]
        tag = _TITLES.get(module, module)
        tags[tag] = _first_line(each.module)
        paths.setdefault(_PART.sub(r"{\1}", each.path), {})[each.method.lower()] = {
            "tags": [tag],
            **_operation(each, each.about),
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tars Hub", "version": "1", "description": _DESCRIPTION},
        "servers": [{"url": base}],
        "tags": [{"name": name, "description": said} for name, said in tags.items()],
        "paths": paths,
        "components": {"securitySchemes": _SCHEMES, "schemas": {"Error": _ERROR}},
    }


def _first_line(module: str) -> str:
    return (sys.modules[module].__doc__ or "").partition("\n")[0]


def _operation(each: ApiRoute, about: About) -> dict[str, Any]:
    found: dict[str, Any] = {
        "summary": about.says,
        "description": about.more,
        "parameters": [*_parts(each.path), *_query(about)],
        "security": _security(about.token, each.by_cookie),
        "responses": _responses(each, about),
    }
    if about.fields or about.takes:
        found["requestBody"] = {"content": _taken(about), "required": True}
    return found


def _parts(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "description": PARTS[name], "schema": {"type": "string"}}
        for name in _PART.findall(path)
    ]


def _query(about: About) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "query", "description": said, "schema": {"type": "string"}}
        for name, said in about.query.items()
    ]


def _security(token: Token, by_cookie: bool) -> list[dict[str, list[str]]]:
    """Any one of these will do; an empty one is no credentials at all."""
    if token is Token.NONE:
        return []
    if token is Token.CHUNKS:
        return [{"chunks": []}]
    names = ["token", "session"] if by_cookie else ["token"]
    ways: list[dict[str, list[str]]] = [{name: []} for name in names]
    return [{}, *ways] if token is Token.MAY else ways


def _taken(about: About) -> dict[str, Any]:
    if about.takes:
        return {about.takes: {}}
    properties = {name.removesuffix("?"): {"description": said} for name, said in about.fields.items()}
    needed = [name for name in about.fields if not name.endswith("?")]
    return {JSON: {"schema": {"type": "object", "properties": properties, "required": needed}}}


def _responses(each: ApiRoute, about: About) -> dict[str, Any]:
    good: dict[str, Any] = {"description": about.gives}
    if about.status != 204:
        good["content"] = {about.kind: {}}
    bad = {**_usual(each, about), **about.refuses}
    error = {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        str(about.status): good,
        **{str(status): {"description": said, "content": error} for status, said in sorted(bad.items())},
    }


def _usual(each: ApiRoute, about: About) -> dict[int, str]:
    """What may go wrong wherever there are such parts, a token, or a body."""
    found: dict[int, str] = {}
    if about.query or about.fields or about.takes:
        found[400] = "It makes no sense as it was asked"
    if about.token is not Token.NONE:
        found[401] = "No token, or one that is not valid" if about.token is not Token.MAY else "The token is not valid"
    if about.token in (Token.MUST, Token.CHUNKS):
        found[403] = "You may not do this"
    if _PART.search(each.path) and about.status != 204:
        found[404] = "There is none, or you may not see it"
    if about.fields:
        found[413] = "The request is too long"
    return found
