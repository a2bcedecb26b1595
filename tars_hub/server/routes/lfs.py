"""Large files by the protocol of Git LFS, for clients without Xet."""

from __future__ import annotations

import re
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute

from tars_hub.server.errors import HubError, NotFoundError
from tars_hub.server.routes.about import BYTES, TEXT, About, Token
from tars_hub.server.routes.web import Ask, objects_of, route, streaming_route, text_of
from tars_hub.server.rules import uploads
from tars_hub.server.rules.access import Action, find_repo
from tars_hub.server.rules.quotas import check_contents
from tars_hub.server.rules.uploads import Answer, Wanted
from tars_hub.server.wire.reading import read_number

MEDIA_TYPE = "application/vnd.git-lfs+json"
_AT_ONCE = 1000
_WRITE_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


def routes() -> list[BaseRoute]:
    return [
        route("/{namespace}/{name}.git/info/lfs/objects/batch", "POST", _batch, about=_BATCH),
        streaming_route("/api/lfs/whole/{ticket}", "PUT", _put_whole, by_token=False, about=_WHOLE),
        streaming_route("/api/lfs/parts/{ticket}/{number}", "PUT", _put_part, by_token=False, about=_PART),
        route("/api/lfs/parts/{ticket}", "POST", _complete, by_token=False, about=_COMPLETE),
        route("/api/lfs/verify/{namespace}/{name}", "POST", _verify, about=_VERIFY),
    ]


_BATCH = About(
    says="Ask where the contents of large files are to be sent",
    token=Token.MUST,
    fields={
        "operation": "upload, which is all that goes this way",
        "objects": f"up to {_AT_ONCE} objects of oid, a SHA-256, and size",
        "transfers?": "of basic, multipart and xet, those that the client knows",
        "hash_algo?": "sha256",
    },
    gives="For each content that is not here yet, the addresses to send it to",
    kind=MEDIA_TYPE,
    refuses={413: "A content is too large, or the owner has no room left"},
)
_WHOLE = About(
    says="Send a content in one piece",
    more="The ticket stands for whoever asked for it.",
    token=Token.NONE,
    takes=BYTES,
    kind=TEXT,
)
_PART = About(
    says="Send a part of a content",
    token=Token.NONE,
    takes=BYTES,
    gives="Done; the header ETag names the part",
    kind=TEXT,
)
_COMPLETE = About(says="Put the parts of a content together", token=Token.NONE, kind=TEXT)
_VERIFY = About(
    says="Say whether a content came whole",
    token=Token.MUST,
    fields={"oid": "its SHA-256", "size": "in bytes"},
    kind=TEXT,
)


def _batch(ask: Ask) -> Response:
    repo = find_repo(ask.hub, ask.caller, ask.repo_name, Action.PROPOSE)
    asked = ask.json()
    if asked.get("operation") != "upload":
        raise HubError("large files are downloaded from their resolve addresses; this one is for uploads")
    if asked.get("hash_algo", "sha256") != "sha256":
        raise HubError("large files are named by their SHA-256 here")
    wanted = [_wanted(each) for each in objects_of(asked, "objects", most=_AT_ONCE)]
    offered = asked.get("transfers") or ["basic"]
    if not isinstance(offered, list):
        raise HubError("'transfers' must be a list")
    if "xet" in offered:
        check_contents(ask.hub, repo, {each.sha256: each.size for each in wanted}, caller=ask.caller)
        # Older clients leave the choice to the hub. By Xet they send only what is new.
        return _answer("xet", [_facts(each) for each in wanted])
    answers = uploads.offer(ask.hub, ask.caller, repo, wanted, in_parts="multipart" in offered)
    transfer = "multipart" if any(answer.parts for answer in answers) else "basic"
    return _answer(transfer, [_object(ask, answer) for answer in answers])


def _answer(transfer: str, objects: list[dict[str, Any]]) -> Response:
    facts = {"transfer": transfer, "objects": objects, "hash_algo": "sha256"}
    return JSONResponse(facts, media_type=MEDIA_TYPE)


def _facts(wanted: Wanted) -> dict[str, Any]:
    return {"oid": wanted.sha256, "size": wanted.size, "authenticated": True}


def _wanted(found: dict[str, Any]) -> Wanted:
    sha256, size = text_of(found, "oid"), found.get("size")
    if not _SHA256.fullmatch(sha256):
        raise HubError("'oid' must be a SHA-256 of 64 lowercase hex digits")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise HubError("'size' must be a whole number of bytes")
    return Wanted(sha256, size)


def _object(ask: Ask, answer: Answer) -> dict[str, Any]:
    found = _facts(answer.wanted)
    if not answer.ticket:
        return found
    upload: dict[str, Any] = {"href": f"{ask.base}/api/lfs/whole/{answer.ticket}"}
    if answer.parts:
        parts = f"{ask.base}/api/lfs/parts/{answer.ticket}"
        links = {f"{number:05}": f"{parts}/{number}" for number in range(1, answer.parts + 1)}
        upload = {"href": parts, "header": {"chunk_size": str(ask.hub.limits.part_bytes), **links}}
    verify = {"href": f"{ask.base}/api/lfs/verify/{ask.repo_name}"}
    return found | {"actions": {"upload": upload, "verify": verify}}


async def _put_whole(ask: Ask) -> Response:
    with await run_in_threadpool(lambda: uploads.receive_whole(ask.hub, ask.part("ticket"))) as receiving:
        await pour(ask, receiving)
        await run_in_threadpool(receiving.finish)
    return PlainTextResponse("OK")


async def _put_part(ask: Ask) -> Response:
    number = read_number(ask.part("number"), digits=5)
    if number is None:
        raise HubError("a part has a number")
    with await run_in_threadpool(lambda: uploads.receive_part(ask.hub, ask.part("ticket"), number)) as receiving:
        await pour(ask, receiving)
        tag = await run_in_threadpool(receiving.finish)
    return PlainTextResponse("OK", headers={"ETag": f'"{tag}"'})


class Sink(Protocol):
    """Something that takes bytes, in a thread."""

    def write(self, data: bytes) -> None: ...


async def pour(ask: Ask, sink: Sink) -> None:
    """Lead a request's body into a sink, a mebibyte at a time; what comes faster waits in the network."""
    pending = bytearray()
    async for piece in ask.request.stream():
        pending += piece
        if len(pending) >= _WRITE_BYTES:
            await run_in_threadpool(sink.write, bytes(pending))
            pending.clear()
    if pending:
        await run_in_threadpool(sink.write, bytes(pending))


def _complete(ask: Ask) -> Response:
    uploads.put_together(ask.hub, ask.part("ticket"))
    return PlainTextResponse("OK")


def _verify(ask: Ask) -> Response:
    repo = find_repo(ask.hub, ask.caller, ask.repo_name, Action.PROPOSE)
    wanted = _wanted(ask.json())
    found = ask.hub.catalog.contents.get([wanted.sha256]).get(wanted.sha256)
    linked = wanted.sha256 in ask.hub.catalog.contents.linked(repo.id, [wanted.sha256])
    if found is None or not linked or found.size != wanted.size:
        raise NotFoundError(
            f"{wanted.sha256} with {wanted.size} bytes is not here for {repo.full_name}; upload it again"
        )
    return PlainTextResponse("OK")
