"""Commits, and the question before them: how each file is to travel."""

from __future__ import annotations

import base64
import binascii
from contextlib import suppress
from typing import IO, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute

from tars_hub.server.cards import check_card
from tars_hub.server.errors import BusyError, EntryNotFoundError, FreedError, HubError, TooLargeError
from tars_hub.server.gitobjects import read_pointer
from tars_hub.server.names import check_path
from tars_hub.server.records import Commit, Repo
from tars_hub.server.routes.about import About, Token
from tars_hub.server.routes.repos import MODEL
from tars_hub.server.routes.web import Ask, objects_of, route, spooled_body, streaming_route, text_of
from tars_hub.server.rules import commits, contents, proposals, revisions
from tars_hub.server.rules.access import Action, find_repo
from tars_hub.server.rules.quotas import check_sizes
from tars_hub.server.rules.revisions import Entry
from tars_hub.server.uploading import Attributes, Ignored, is_large
from tars_hub.server.wire.commits import Gone, Header, Large, Regular, read_lines

_FILES_AT_ONCE = 256  # as clients ask; each is held against every pattern
_TEXT_BYTES = 1 << 20
_TRIES = 3  # against housekeeping, before the last


def routes() -> list[BaseRoute]:
    return [
        route("/api/validate-yaml", "POST", _validate, about=_VALIDATE),
        route(f"{MODEL}/preupload/{{revision:revision}}", "POST", _preupload, about=_PREUPLOAD),
        streaming_route(f"{MODEL}/commit/{{revision:revision}}", "POST", _commit, about=_COMMIT),
    ]


_PROPOSING = {"create_pr": "true proposes it as a pull request instead, which needs less than writing"}
_VALIDATE = About(
    says="Check the facts at the head of a model card",
    fields={"content": "the card's text"},
    gives="What is wrong: errors and warnings; with errors the status is 400",
)
_PREUPLOAD = About(
    says="Ask how each file of a commit is to travel",
    token=Token.MUST,
    query=_PROPOSING,
    fields={
        "files": f"up to {_FILES_AT_ONCE} objects of path, size and sample, the first bytes in base64",
        "gitIgnore?": "patterns of what is left out",
    },
    gives="For each file: within the commit (regular) or apart (lfs), and whether it is to be left out",
    refuses={413: "A file is too large, or the owner has no room left", 422: "A path cannot be one"},
)
_COMMIT = About(
    says="Commit files, small ones within it and large ones by their SHA-256",
    more="The first line is the header (summary, description, parentCommit); the others are file (path, content in "
    "base64), lfsFile (path, oid), deletedFile and deletedFolder (path).",
    token=Token.MUST,
    query=_PROPOSING,
    takes="application/x-ndjson",
    gives="The commit's id and address, and that of the pull request where one was made",
    refuses={
        409: "Somebody was faster, or a large file was not uploaded",
        412: "The branch is no longer at the parent that is named",
        413: "It is too large, or the owner has no room left",
        422: "A path cannot be one",
    },
)


def _validate(ask: Ask) -> Response:
    check = check_card(text_of(ask.json(), "content"))
    if ask.request.headers.get("accept", "").startswith("text/plain"):
        lines = [f"- Error: {each}" for each in check.errors] + [f"- Warning: {each}" for each in check.warnings]
        return PlainTextResponse("\n".join(lines), 400 if check.errors else 200)
    found = {"errors": check.errors, "warnings": check.warnings}
    shown = {kind: [{"message": each} for each in lines] for kind, lines in found.items()}
    return JSONResponse(shown, 400 if check.errors else 200)


def _preupload(ask: Ask) -> Response:
    repo = find_repo(ask.hub, ask.caller, ask.repo_name, write_action(ask))
    commit = revisions.commit_at(ask.hub, repo, ask.part("revision"))
    wanted = ask.json()
    files = objects_of(wanted, "files", most=_FILES_AT_ONCE)
    there = revisions.entries_at(ask.hub, commit, {_path(ask, file) for file in files})
    ignore = wanted.get("gitIgnore")
    ignored = Ignored(ignore if isinstance(ignore, str) else _text_file(ask, commit, ".gitignore"))
    attributes = Attributes(_text_file(ask, commit, ".gitattributes"))
    ask.hub.catalog.contents.offer(contents={entry.file.sha256 for entry in there.values() if entry.file})
    how = [_how(ask, file, there.get(_path(ask, file)), attributes, ignored) for file in files]
    sizes = [file.get("size", 0) for file, travels in zip(files, how, strict=True) if not travels["shouldIgnore"]]
    check_sizes(ask.hub, repo, sizes, caller=ask.caller)  # here clients show the reason, at the store of chunks few do
    return JSONResponse({"files": how})


def _path(ask: Ask, file: dict[str, Any]) -> str:
    path = text_of(file, "path")
    check_path(path, longest=ask.hub.limits.path_bytes)
    return path


def _how(
    ask: Ask, file: dict[str, Any], found: Entry | None, attributes: Attributes, ignored: Ignored
) -> dict[str, Any]:
    """How a file is to travel; `found` is what stands in its place now."""
    path, size = _path(ask, file), file.get("size", 0)
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise HubError(f"{path[:200]!r}: its size must be a whole number")
    if size > ask.hub.limits.file_bytes:
        raise TooLargeError(f"{path[:200]!r}: a file may have {ask.hub.limits.file_bytes:,} bytes")
    try:
        sample = base64.b64decode(text_of(file, "sample", ""))
    except (binascii.Error, ValueError):
        raise HubError(f"{path[:200]!r}: its sample is no base64") from None
    large = is_large(path, size, sample, attributes, regular_bytes=ask.hub.limits.regular_bytes)
    now = found.file if found else None
    return {
        "path": path,
        "uploadMode": "lfs" if large else "regular",
        "shouldIgnore": ignored.has(path),
        "oid": None if now is None else now.sha256 if now.lfs else now.oid,
    }


def _text_file(ask: Ask, commit: Commit, path: str) -> str:
    """A text at the top of a revision; empty where there is none that can be meant."""
    try:
        file = revisions.file_at(ask.hub, commit, path)
    except EntryNotFoundError:
        return ""
    if file.size > _TEXT_BYTES:
        return ""
    return contents.read_all(ask.hub, file.sha256, limit=_TEXT_BYTES).decode(errors="replace")


def write_action(ask: Ask) -> Action:
    """What must be allowed: a change that is only proposed needs less than one that is made."""
    proposed = ask.flag("create_pr") or ask.part("revision").startswith("refs/pr/")
    return Action.PROPOSE if proposed or ask.part("revision") == "None" else Action.WRITE


async def _commit(ask: Ask) -> Response:
    # Who may not write finds out before the hub reads 200 MiB.
    await run_in_threadpool(_target, ask)
    async with spooled_body(ask, ask.hub.limits.commit_bytes) as body:
        return await run_in_threadpool(_commit_body, ask, body)


def _target(ask: Ask) -> Repo:
    """The repository, if the caller may commit to this revision of it or propose a change to it."""
    repo = find_repo(ask.hub, ask.caller, ask.repo_name, write_action(ask))
    if not ask.flag("create_pr"):
        ref = revisions.branch_ref(ask.hub, repo, ask.part("revision"))
        proposals.require_pusher(ask.hub, ask.caller, repo, ref)
    return repo


def _commit_body(ask: Ask, body: IO[bytes]) -> Response:
    for _ in range(_TRIES):
        with suppress(BusyError, FreedError):
            return _commit_order(ask, _read_order(ask, body))
        body.seek(0)  # small files that were freed as they came are kept again
    return _commit_order(ask, _read_order(ask, body))


def _commit_order(ask: Ask, order: commits.Order) -> Response:
    repo = _target(ask)  # again: rights may have gone while the body came
    if ask.flag("create_pr"):
        start = "main" if ask.part("revision") == "None" else ask.part("revision")
        proposal, made = proposals.propose(ask.hub, ask.caller, repo, start, order)
        url = f"{ask.base}/{repo.full_name}/discussions/{proposal.number}"
        return JSONResponse(_committed(ask, repo, made) | {"pullRequestUrl": url})
    ref = revisions.branch_ref(ask.hub, repo, ask.part("revision"))
    return JSONResponse(_committed(ask, repo, commits.commit(ask.hub, ask.caller, repo, ref, order)))


def _committed(ask: Ask, repo: Repo, made: Commit) -> dict[str, Any]:
    url = f"{ask.base}/{repo.full_name}/commit/{made.oid}"
    return {"success": True, "commitUrl": url, "commitOid": made.oid, "hookOutput": ""}


def _read_order(ask: Ask, body: IO[bytes]) -> commits.Order:
    """Read a commit's body; contents within it are kept on the way, and count only once they are committed."""
    header: Header | None = None
    operations = list[commits.Operation]()
    for line in read_lines(body, regular_bytes=ask.hub.limits.regular_bytes):
        if len(operations) >= ask.hub.limits.commit_files:
            raise TooLargeError(f"a commit may change {ask.hub.limits.commit_files:,} files; make several")
        match line:
            case Header():
                header = line
            case Regular(path, content) if named := read_pointer(content):
                # What git holds for a large file stands for that file, which must have been uploaded here then.
                operations.append(Large(path, *named))
            case Regular(path, content):
                operations.append(commits.AddFile(path, contents.store_small(ask.hub, content)))
            case Large() | Gone():
                operations.append(line)
    if header is None:
        raise HubError("the commit has no header line")
    contents.note_small(ask.hub, [each.file for each in operations if isinstance(each, commits.AddFile)])
    return commits.Order(
        summary=header.summary, description=header.description, parent=header.parent, operations=operations
    )
