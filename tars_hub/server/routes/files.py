"""Files of a revision: listed, described, and given away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from tars_hub.server.errors import EntryNotFoundError, HubError, RangeError
from tars_hub.server.gitobjects import pointer
from tars_hub.server.records import Commit, File, Repo
from tars_hub.server.routes.about import BYTES, PAGES, About
from tars_hub.server.routes.repos import MODEL
from tars_hub.server.routes.streams import Streamed
from tars_hub.server.routes.web import Ask, next_link, route
from tars_hub.server.rules import contents, downloads, revisions
from tars_hub.server.rules.access import Action, find_repo
from tars_hub.server.rules.lastly import last_commits
from tars_hub.server.rules.revisions import Entry
from tars_hub.server.wire.pictures import PICTURES, RASTER
from tars_hub.server.wire.times import stamp

_PAGE, _EXPANDED_PAGE = 1000, 50
_PATHS_AT_ONCE = 1000


def routes() -> list[BaseRoute]:
    resolve = "/{namespace}/{name}/resolve/{revision:revision}/{path:rest}"
    return [
        route(f"{MODEL}/tree/{{revision:revision}}", "GET", _tree, about=_TOP),
        route(f"{MODEL}/tree/{{revision:revision}}/{{path:rest}}", "GET", _tree, about=_FOLDER),
        route(f"{MODEL}/paths-info/{{revision:revision}}", "POST", _paths_info, about=_PATHS),
        route(resolve, "GET", _resolve, by_cookie=True, about=_FILE),  # HEAD as well
        route("/models" + resolve, "GET", _resolve, about=_FILE),
    ]


_LISTING = {
    **PAGES,
    "recursive": "true lists what is in folders, too",
    "expand": "true adds the last commit of each, for fewer of them",
}
_LINES = "A list: type, path, size and git id of each, and the SHA-256 of large files"
_TOP = About(says="List the files at the top of a revision", query=_LISTING, gives=_LINES)
_FOLDER = About(says="List the files in a folder of a revision", query=_LISTING, gives=_LINES)
_PATHS = About(
    says="Describe files and folders of a revision by their paths",
    more="A form of these names is taken as well.",
    fields={"paths": f"up to {_PATHS_AT_ONCE} of them", "expand?": "true adds the last commit of each"},
    gives=_LINES,
)
_FILE = About(
    says="Download a file",
    more="HEAD describes it alone; a Range gets a part of it, with status 206, and If-None-Match may spare it.",
    gives="The file's bytes; X-Repo-Commit is the commit, ETag the content",
    kind=BYTES,
    refuses={403: "It is gated, and you were not let in", 416: "The range begins behind the end"},
)


def _tree(ask: Ask) -> Response:
    repo = find_repo(ask.hub, ask.caller, ask.repo_name)
    commit = revisions.commit_at(ask.hub, repo, ask.part("revision"))
    path = ask.part("path").strip("/") if "path" in ask.request.path_params else ""
    found = revisions.entries(ask.hub, commit, path, recursive=ask.flag("recursive"))
    most = _EXPANDED_PAGE if ask.flag("expand") else _PAGE
    start, limit = ask.rows(most=most)
    page = found[start : start + limit]
    headers = next_link(ask, cursor=start + limit) if len(found) > start + limit else {}
    return JSONResponse(_lines(ask, repo.id, commit, page), headers=headers)


def _paths_info(ask: Ask) -> Response:
    repo = find_repo(ask.hub, ask.caller, ask.repo_name)
    commit = revisions.commit_at(ask.hub, repo, ask.part("revision"))
    paths, expand = _paths_wanted(ask)
    wanted = [path for path in dict.fromkeys(paths) if path]
    found = revisions.entries_at(ask.hub, commit, wanted)
    there = [found[path] for path in wanted if path in found]
    return JSONResponse(_lines(ask, repo.id, commit, there, expand=expand))


def _paths_wanted(ask: Ask) -> tuple[list[str], bool]:
    """The paths of a form or of a JSON object, and whether more is to be said of each."""
    if ask.request.headers.get("content-type", "").startswith("application/json"):
        wanted = ask.json()
        paths, expand = wanted.get("paths"), wanted.get("expand") is True
    else:
        try:
            pairs = parse_qsl(ask.body.decode(), keep_blank_values=True, max_num_fields=_PATHS_AT_ONCE + 10)
        except ValueError:
            raise HubError(f"up to {_PATHS_AT_ONCE} paths can be asked for at once, in UTF-8") from None
        paths = [value for key, value in pairs if key in ("paths", "paths[]")]
        expand = any(key == "expand" and value.lower() == "true" for key, value in pairs)
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths) or len(paths) > _PATHS_AT_ONCE:
        raise HubError(f"'paths' must be a list of up to {_PATHS_AT_ONCE} texts")
    return [path.strip("/") for path in paths], expand


def _lines(
    ask: Ask, repo_id: int, commit: Commit, found: list[Entry], *, expand: bool | None = None
) -> list[dict[str, Any]]:
    lines = [_line(entry) for entry in found]
    if expand if expand is not None else ask.flag("expand"):
        last = last_commits(ask.hub, repo_id, commit, [entry.path for entry in found])
        for line in lines:
            line.update(_expanded(last[line["path"]], is_file=line["type"] == "file"))
    return lines


def _line(entry: Entry) -> dict[str, Any]:
    file = entry.file
    if file is None:
        return {"type": "directory", "oid": entry.oid, "size": 0, "path": entry.path}
    line: dict[str, Any] = {"type": "file", "oid": entry.oid, "size": file.size, "path": entry.path}
    if file.lfs:
        line["lfs"] = lfs_facts(file)
    return line


def lfs_facts(file: File) -> dict[str, Any]:
    """What a client is told of a large file besides."""
    return {"oid": file.sha256, "size": file.size, "pointerSize": len(pointer(file.sha256, file.size))}


def _expanded(last: Commit, *, is_file: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"lastCommit": {"id": last.oid, "title": last.title, "date": stamp(last.at)}}
    if is_file:
        # Nothing here scans files, and nobody should read that as "safe".
        found["securityFileStatus"] = {"status": "unscanned", "avScan": None, "pickleImportScan": None}
    return found


def _resolve(ask: Ask) -> Response:
    repo = find_repo(ask.hub, ask.caller, ask.repo_name, Action.DOWNLOAD)
    commit = revisions.commit_at(ask.hub, repo, ask.part("revision"))
    path = ask.part("path")
    try:
        file = revisions.file_at(ask.hub, commit, path)
    except EntryNotFoundError:
        raise EntryNotFoundError(f"Entry not found: {path[:200]!r} in {repo.full_name}", commit.oid) from None
    headers = _headers(commit, file, path) | _xet_headers(ask, repo, commit, file)
    if ask.request.headers.get("if-none-match", "") in (headers["ETag"], f"W/{headers['ETag']}"):
        return Response(status_code=304, headers=headers)
    # Who goes on with another version of the file begins anew.
    same = ask.request.headers.get("if-range", headers["ETag"]) == headers["ETag"]
    span = byte_range(ask.request, file.size) if same else None
    start, end = span or (0, file.size)
    headers["Content-Length"] = str(end - start)
    if span:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    status = 206 if span else 200
    if ask.request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    counting = BackgroundTask(downloads.count, ask.hub, repo, commit, path)
    counted = counting if span is None and downloads.may_count(path) else None
    return Streamed(contents.give(ask.hub, file.sha256, start, end), status, headers, background=counted)


def _headers(commit: Commit, file: File, path: str) -> dict[str, str]:
    name = path.rpartition("/")[2]
    headers = {
        "X-Repo-Commit": commit.oid,
        "ETag": f'"{file.sha256 if file.lfs else file.oid}"',
        "Accept-Ranges": "bytes",
        # What one caller may see is not for the next: ask again each time, by the ETag.
        "Cache-Control": "private, no-cache",
    } | _as_no_page(name)
    if file.lfs:
        headers |= {"X-Linked-Etag": headers["ETag"], "X-Linked-Size": str(file.size)}
    return headers


def _as_no_page(name: str) -> dict[str, str]:
    """A stranger's file is never a page of this hub: browsers keep it, and run nothing in it.

    Pictures are called what they claim to be, so that pages can show them. What is a text within, and could run as a
    page of its own, is never opened by its own address.
    """
    kind = PICTURES.get(f".{name.rpartition('.')[2].lower()}", "application/octet-stream")
    keeping = "inline" if kind in RASTER.values() else "attachment"
    return {
        "Content-Type": kind,
        "Content-Disposition": f"{keeping}; filename*=UTF-8''{quote(name, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }


def _xet_headers(ask: Ask, repo: Repo, commit: Commit, file: File) -> dict[str, str]:
    xet = contents.xet_where_it_helps(ask.hub, file.sha256) if file.lfs else ""
    if not xet:
        return {}
    address = f"{ask.base}/api/models/{repo.full_name}/xet-read-token/{commit.oid}"
    return {"X-Xet-Hash": xet, "Link": f'<{address}>; rel="xet-auth"'}


def byte_range(request: Request, size: int) -> tuple[int, int] | None:
    """The bytes that a request asks for, from the first up to and without the second; None is all of them.

    What is no single range is passed over, as https://www.rfc-editor.org/rfc/rfc9110#field.range lets a server do.

    Raises:
        RangeError: it begins behind the end.
    """
    headers: Mapping[str, str] = request.headers
    unit, _, text = headers.get("range", "").partition("=")
    first, dash, last = text.strip().partition("-")
    if unit.strip().lower() != "bytes" or not dash or not _is_number(first or last) or (last and not _is_number(last)):
        return None
    if not first:
        start, end = max(size - int(last), 0), size
        if int(last) == 0:
            raise RangeError(size)
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= size:
        raise RangeError(size)
    return start, end


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18
