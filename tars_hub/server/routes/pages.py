"""What a browser sees: plain pages, made on the server, that need nothing from elsewhere."""

from __future__ import annotations

import shlex
from html import escape
from urllib.parse import quote

from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute

from tars_hub.server.records import Commit, Repo, Search
from tars_hub.server.routes.web import Ask, route
from tars_hub.server.rules import contents, revisions
from tars_hub.server.rules.access import Action, find_repo, permits
from tars_hub.server.rules.revisions import Entry

_MODELS_SHOWN = 200
_CARD_BYTES = 256 << 10
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem }
table { border-collapse: collapse; width: 100% }
td { padding: .25rem .5rem .25rem 0; border-top: 1px solid #8884; overflow-wrap: anywhere }
td:last-child { text-align: right; white-space: nowrap } a { color: LinkText }
pre { background: #8882; padding: .75rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere }
h1 { overflow-wrap: anywhere }
"""


def routes() -> list[BaseRoute]:
    repo = "/{namespace}/{name}"
    return [
        route("/", "GET", _all),
        route("/favicon.ico", "GET", _icon, by_token=False),
        route(repo, "GET", _repo),
        route(f"{repo}/tree/{{revision:revision}}", "GET", _repo),
        route(f"{repo}/commit/{{revision:revision}}", "GET", _repo),
    ]


_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="4" fill="#2b6e4f"/>'
    '<path d="M3 4h10v2H9v7H7V6H3z" fill="#fff"/></svg>'
)


def _icon(_: Ask) -> Response:
    return Response(_ICON, media_type="image/svg+xml", headers={"Cache-Control": "max-age=86400"})


def _page(title: str, body: str) -> Response:
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>{body}</body></html>",
        headers=_HEADERS,
    )


def _all(ask: Ask) -> Response:
    found = ask.hub.catalog.repositories.search(
        Search(namespaces=(ask.caller.name,) if ask.caller.user else (), limit=_MODELS_SHOWN)
    )
    rows = "".join(
        f'<tr><td><a href="/{escape(repo.full_name)}">{escape(repo.full_name)}</a></td>'
        f"<td>{escape(repo.facts.pipeline_tag)}</td><td>{repo.updated_at:%Y-%m-%d}</td></tr>"
        for repo in found
    )
    text = "Models that anybody may see. Private ones show to clients with a token."
    return _page("Tars Hub", f"<h1>Tars Hub</h1><p>{text}</p><table>{rows}</table>{_how_to_push(ask)}")


def _how_to_push(ask: Ask) -> str:
    lines = f"export HF_ENDPOINT={ask.base}\nexport HF_TOKEN=TOKEN\nhf upload USER/MODEL FOLDER"
    return f"<h2>Push a model</h2><pre>{escape(lines)}</pre>"


def _repo(ask: Ask) -> Response:
    repo = find_repo(ask.hub, ask.caller, ask.repo_name)
    revision = ask.part("revision") if "revision" in ask.request.path_params else "main"
    commit = revisions.commit_at(ask.hub, repo, revision)
    files = [entry for entry in revisions.entries(ask.hub, commit) if entry.file is not None]
    may_download = permits(ask.caller, repo, Action.DOWNLOAD)
    parts = [
        f"<h1>{escape(repo.full_name)}</h1>",
        f"<p>{escape(revision)} at {commit.oid[:12]}, {commit.at:%Y-%m-%d %H:%M} UTC: {escape(commit.title)}</p>",
        f"<pre>{escape(_how_to_pull(ask, repo, revision))}</pre>",
        f"<table>{''.join(_row(repo, commit, entry) for entry in files)}</table>" if may_download else "",
        _card(ask, files) if may_download else "<p>Its owner has not opened its files.</p>",
    ]
    return _page(repo.full_name, "".join(parts))


def _how_to_pull(ask: Ask, repo: Repo, revision: str) -> str:
    named = "" if revision == "main" else f" --revision {shlex.quote(revision)}"
    return f"export HF_ENDPOINT={ask.base}\nhf download {repo.full_name}{named}"


def _row(repo: Repo, commit: Commit, entry: Entry) -> str:
    size = entry.file.size if entry.file else 0
    address = f"/{repo.full_name}/resolve/{commit.oid}/{quote(entry.path)}"
    return f'<tr><td><a href="{escape(address)}">{escape(entry.path)}</a></td><td>{size:,} bytes</td></tr>'


def _card(ask: Ask, files: list[Entry]) -> str:
    card = next((entry.file for entry in files if entry.path == "README.md"), None)
    if card is None or card.size > _CARD_BYTES:
        return ""
    text = contents.read_all(ask.hub, card.sha256, limit=_CARD_BYTES).decode(errors="replace")
    return f"<pre>{escape(text)}</pre>"
