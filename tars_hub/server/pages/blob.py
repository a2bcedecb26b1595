"""One file of a revision, shown as what it is; large ones by their beginning or their header alone."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from tars_hub.server.gitobjects import pointer
from tars_hub.server.pages.addresses import commit_asked, crumbs, is_writable, resolve_address
from tars_hub.server.pages.look import page
from tars_hub.server.pages.text_files import TABLES, table_of, text_of
from tars_hub.server.records import File
from tars_hub.server.routes.web import Ask, route
from tars_hub.server.rules import contents, revisions
from tars_hub.server.rules.access import Action, find_repo
from tars_hub.server.rules.tensor_files import SUFFIX, open_tensors
from tars_hub.server.rules.turns import turn
from tars_hub.server.tensors import TensorError, parameters_by_type, reading_order
from tars_hub.server.wire.pictures import PICTURES

_BEGINNING = 512 << 10
_TENSORS = 1000
_METADATA, _METADATA_LETTERS = 50, 500
_BUSY = "the hub is reading other files just now; load the page again in a moment"


def routes() -> list[BaseRoute]:
    return [route("/{namespace}/{name}/blob/{revision:revision}/{path:rest}", "GET", _blob, by_cookie=True)]


def _blob(ask: Ask) -> Response:
    repo = find_repo(ask.hub, ask.caller, ask.repo_name, Action.DOWNLOAD)
    revision, commit = commit_asked(ask, repo)
    path = ask.part("path")
    file = revisions.file_at(ask.hub, commit, path)
    return page(
        ask,
        "blob.html",
        repo=repo,
        revision=revision,
        commit=commit,
        tab="Files",
        path=path,
        file=file,
        crumbs=crumbs(repo, revision, path),
        download=resolve_address(repo, commit, path),
        writable=is_writable(ask, repo, revision),
        facts=_facts(ask, file),
        **_view(ask, file, path),
    )


def _facts(ask: Ask, file: File) -> dict[str, str]:
    """How a large file is kept, by what that is called."""
    if not file.lfs:
        return {"Git id": file.oid}
    found = {"SHA-256": file.sha256, "Pointer": f"{len(pointer(file.sha256, file.size))} bytes, Git id {file.oid}"}
    xet = contents.content_of(ask.hub, file.sha256).xet
    return found | ({"Xet hash": xet} if xet else {})


def _view(ask: Ask, file: File, path: str) -> dict[str, Any]:
    """What the template shows: a kind and what goes with it."""
    name = path.lower()
    if name.endswith(tuple(PICTURES)) and file.size:
        return {"kind": "picture"}
    if name.endswith(SUFFIX):
        return _tensors(ask, file)
    data = b"".join(contents.read(ask.hub, file.sha256, 0, _BEGINNING))
    text = text_of(data, whole=len(data) == file.size)
    if text is None:
        return {"kind": "other", "trouble": ""}
    table = table_of(text, TABLES[name[-4:]]) if name[-4:] in TABLES else None
    if table is not None and "raw" not in ask.request.query_params:
        return {"kind": "table", "table": table, "text": text}
    return {"kind": "text", "text": text, "is_card": path == "README.md", "is_table": table is not None}


def _tensors(ask: Ask, file: File) -> dict[str, Any]:
    with turn(ask.hub) as mine:
        if not mine:
            return {"kind": "other", "trouble": _BUSY}
        try:
            header = open_tensors(ask.hub, file).header
        except TensorError as error:
            return {"kind": "other", "trouble": f"This is no sound safetensors file: {error}."}
    number = ask.page
    ordered = sorted(header.tensors, key=reading_order)
    metadata = [(key, value[:_METADATA_LETTERS]) for key, value in list(header.metadata.items())[:_METADATA]]
    return {
        "kind": "tensors",
        "tensors": ordered[number * _TENSORS : (number + 1) * _TENSORS],
        "count": len(ordered),
        "types": sorted(parameters_by_type([header]).items()),
        "metadata": metadata,
        "number": number,
        "pages": -(-len(ordered) // _TENSORS),
    }
