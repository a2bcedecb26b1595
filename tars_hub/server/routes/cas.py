"""The store of chunks, as clients with Xet speak to it: https://huggingface.co/docs/xet/api.

Its address holds the catalogue's own id, and a word that is drawn anew whenever chunks are freed: clients remember by
address which chunks a store has, and one that was restored, begun anew or tidied must not be taken for the old one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from time import monotonic
from typing import Any
from urllib.parse import quote

from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute

from tars_hub.server.blobs.interface import Key
from tars_hub.server.errors import HubError, NotFoundError, TooLargeError
from tars_hub.server.routes import about_cas
from tars_hub.server.routes.commits import write_action
from tars_hub.server.routes.files import byte_range
from tars_hub.server.routes.lfs import pour
from tars_hub.server.routes.repos import MODEL
from tars_hub.server.routes.streams import Streamed
from tars_hub.server.routes.web import Ask, bearer, route, spooled_body, streaming_route
from tars_hub.server.rules import contents, dedup, reconstruction, revisions, xet
from tars_hub.server.rules.access import Action, find_repo
from tars_hub.server.rules.reconstruction import Fetch, Plan
from tars_hub.server.xet.hashes import XetFormatError, from_text
from tars_hub.server.xet.shard import Shard, parse_shard

_CAS = "/cas/{instance}"
_WORD_EVERY_S = 1.0


def routes() -> list[BaseRoute]:
    found: list[BaseRoute] = [
        route(f"{MODEL}/xet-write-token/{{revision:revision}}", "GET", _write_token, about=about_cas.WRITE),
        route(f"{MODEL}/xet-read-token/{{revision:revision}}", "GET", _read_token, about=about_cas.READ),
        route(_CAS + "/blocks/{xorb}", "GET", _block, by_token=False, about=about_cas.BLOCK),
        streaming_route(_CAS + "/v2/shards", "POST", _shard_v2, by_token=False, about=about_cas.SHARD_V2),
        route(_CAS + "/v2/reconstructions/{file}", "GET", _reconstruction_v2, by_token=False, about=about_cas.WAY),
        route(_CAS + "/v1/files/{file}", "GET", _file, by_token=False, about=about_cas.THERE),
        route(_CAS + "/v1/telemetry", "POST", _telemetry, by_token=False, about=about_cas.TOLD),
    ]
    for cas in (f"{_CAS}/v1", _CAS):  # the oldest clients name no version
        found += [
            streaming_route(cas + "/xorbs/{prefix}/{xorb}", "POST", _xorb, by_token=False, about=about_cas.XORB),
            streaming_route(cas + "/shards", "POST", _shard, by_token=False, about=about_cas.SHARD),
            route(cas + "/chunks/{prefix}/{chunk}", "GET", _chunk, by_token=False, about=about_cas.CHUNK),
            route(cas + "/reconstructions/{file}", "GET", _reconstruction, by_token=False, about=about_cas.WAY),
            route(cas + "/reconstructions", "POST", _reconstructions, by_token=False, about=about_cas.WAYS),
        ]
    return found


def cas_url(ask: Ask) -> str:
    return f"{ask.base}/cas/{ask.hub.catalog.store}"


def _write_token(ask: Ask) -> Response:
    return _token(ask, writes=True)


def _read_token(ask: Ask) -> Response:
    return _token(ask, writes=False)


def _token(ask: Ask, *, writes: bool) -> Response:
    repo = find_repo(ask.hub, ask.caller, ask.repo_name, write_action(ask) if writes else Action.DOWNLOAD)
    if ask.part("revision") != "None":  # what some clients say for a pull request that is yet to be
        revisions.commit_at(ask.hub, repo, ask.part("revision"))
    token, ends = xet.open_session(ask.hub, ask.caller, repo, writes=writes)
    url = cas_url(ask)
    headers = {
        "X-Xet-Access-Token": token,
        "X-Xet-Token-Expiration": str(ends),
        "X-Xet-Cas-Url": url,
        "Cache-Control": "no-store",
    }
    return JSONResponse({"accessToken": token, "exp": ends, "casUrl": url}, headers=headers)


def _session(ask: Ask, *, writes: bool) -> xet.Session:
    # What follows the instance changes when chunks are freed; who began before that goes on.
    if ask.part("instance").partition("-")[0] != ask.hub.catalog.instance:
        raise NotFoundError("this store of chunks is not the one that was asked for; begin the upload again")
    return xet.session_of(ask.hub, bearer(ask.request), writes=writes)


def _hash(ask: Ask, name: str) -> str:
    """A hash of the path; only the one prefix that clients use goes with it."""
    text = ask.part(name)
    from_text(text)
    if ask.request.path_params.get("prefix", "default") not in ("default", "default-merkledb"):
        raise HubError("the prefix of a hash is 'default'")
    return text


async def _xorb(ask: Ask) -> Response:
    await run_in_threadpool(lambda: _session(ask, writes=True))
    with xet.ReceivingXorb(ask.hub, _hash(ask, "xorb")) as receiving:
        await pour(ask, receiving)
        await run_in_threadpool(receiving.finish)
    # Whether it was there already is nobody's business: the bytes may be somebody else's secret, guessed.
    return JSONResponse({"was_inserted": True})


async def _shard(ask: Ask) -> Response:
    session, shard = await _read_shard(ask)
    async with _turns(ask):
        async for _ in iterate_in_threadpool(xet.add_shard(ask.hub, session, shard)):
            if await ask.request.is_disconnected():
                raise ClientDisconnect  # nobody waits for the rest of the work
    return JSONResponse({"result": 1})


async def _read_shard(ask: Ask) -> tuple[xet.Session, Shard]:
    session = await run_in_threadpool(lambda: _session(ask, writes=True))
    async with spooled_body(ask, ask.hub.limits.shard_bytes) as body, _turns(ask):
        return session, await run_in_threadpool(lambda: parse_shard(body.read()))


def _turns(ask: Ask) -> asyncio.Semaphore:
    """The few turns for shards; who waits for one holds no thread and little memory."""
    turns: asyncio.Semaphore = ask.request.app.state.shards
    return turns


async def _shard_v2(ask: Ask) -> Response:
    session, shard = await _read_shard(ask)

    async def events() -> AsyncIterator[str]:
        turns = _turns(ask)
        while turns.locked():
            yield _event(type="validating", verified=0, total=1)  # clients take long silence for an end
            await asyncio.sleep(_WORD_EVERY_S)
        async with turns:
            async for event in answers():
                yield event

    async def answers() -> AsyncIterator[str]:
        said = 0.0
        try:
            async for done, total in iterate_in_threadpool(xet.add_shard(ask.hub, session, shard)):
                if monotonic() - said >= _WORD_EVERY_S:
                    said = monotonic()
                    yield _event(type="validating", verified=done, total=total)
            yield _event(type="result", result=1)
        except (HubError, XetFormatError) as error:
            yield _event(type="error", message=" ".join(str(error).split()))
        except OSError:
            yield _event(type="error", message="the hub could not keep it; its owner finds the reason in its log")
            raise

    return StreamingResponse(events(), media_type="application/x-ndjson", headers={"Cache-Control": "no-cache"})


def _event(**facts: object) -> str:
    return json.dumps(facts, separators=(",", ":")) + "\n"


def _chunk(ask: Ask) -> Response:
    session = _session(ask, writes=True)
    upload = ask.request.headers.get("x-xet-session-id", "")[:100]
    shard = dedup.chunks_near(ask.hub, session, _hash(ask, "chunk"), upload=upload)
    if shard is None:
        raise NotFoundError("no such chunk")
    return Response(shard, media_type="application/octet-stream")


def _plan(ask: Ask) -> Plan:
    session, name = _session(ask, writes=False), _hash(ask, "file")
    size = reconstruction.size_of(ask.hub, session, name)
    start, end = byte_range(ask.request, size) or (0, size)
    return reconstruction.plan(ask.hub, session, name, start, end)


def _terms(plan: Plan) -> list[dict[str, Any]]:
    return [
        {"hash": term.xorb, "unpacked_length": term.unpacked_size, "range": {"start": term.start, "end": term.end}}
        for term in plan.terms
    ]


def _link(ask: Ask, fetch: Fetch) -> str:
    ticket = reconstruction.fetch_ticket(ask.hub, fetch)
    return f"{ask.base}/cas/{ask.hub.catalog.instance}/blocks/{fetch.xorb}?ticket={quote(ticket)}"


def _fetch_info(ask: Ask, plan: Plan) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for fetch in plan.fetches:
        info = {
            "range": {"start": fetch.start, "end": fetch.end},
            "url": _link(ask, fetch),
            "url_range": {"start": fetch.first, "end": fetch.last},
        }
        found.setdefault(fetch.xorb, []).append(info)
    return found


def _reconstruction(ask: Ask) -> Response:
    plan = _plan(ask)
    facts = {"offset_into_first_range": plan.offset, "terms": _terms(plan), "fetch_info": _fetch_info(ask, plan)}
    return JSONResponse(facts)


def _reconstruction_v2(ask: Ask) -> Response:
    plan = _plan(ask)
    xorbs: dict[str, list[dict[str, Any]]] = {}
    for fetch in plan.fetches:
        # One range a link: with several, clients ask for all at once and want them back in parts.
        chunks, span = {"start": fetch.start, "end": fetch.end}, {"start": fetch.first, "end": fetch.last}
        xorbs.setdefault(fetch.xorb, []).append(
            {"url": _link(ask, fetch), "ranges": [{"chunks": chunks, "bytes": span}]}
        )
    return JSONResponse({"offset_into_first_range": plan.offset, "terms": _terms(plan), "xorbs": xorbs})


def _reconstructions(ask: Ask) -> Response:
    session = _session(ask, writes=False)
    try:
        keys = json.loads(ask.body)
        names = list(dict.fromkeys(key["hash"] for key in keys))
        _ = [from_text(name) for name in names]
    except (ValueError, RecursionError, TypeError, KeyError):
        raise HubError("the body must be a list of objects with a 'hash'") from None
    if len(names) > about_cas.FILES_AT_ONCE:
        raise TooLargeError(f"up to {about_cas.FILES_AT_ONCE} files can be asked for at once")
    files, fetches = dict[str, Any](), dict[str, list[dict[str, Any]]]()
    for name in names:
        plan = reconstruction.plan(ask.hub, session, name)
        files[name] = _terms(plan)
        for xorb, info in _fetch_info(ask, plan).items():
            fetches.setdefault(xorb, []).extend(info)
    return JSONResponse({"files": files, "fetch_info": fetches})


def _file(ask: Ask) -> Response:
    """Whether a file is there; only HEAD makes sense."""
    size = reconstruction.size_of(ask.hub, _session(ask, writes=False), _hash(ask, "file"))
    if ask.request.method != "HEAD":
        raise NotFoundError("a file's content comes by its reconstruction")
    return Response(headers={"Content-Length": str(size)})


def _block(ask: Ask) -> Response:
    """Bytes of a xorb, to whoever has a link that was signed for them."""
    fetch = reconstruction.read_ticket(ask.hub, ask.request.query_params.get("ticket", ""))
    size = ask.hub.blobs.size(Key("xorb", fetch.xorb))
    if size is None:
        raise NotFoundError("no such xorb")
    span = byte_range(ask.request, size)
    if span is None:
        raise HubError("say which bytes, in a Range header")
    start, end = span
    reconstruction.check_fetch(fetch, ask.part("xorb"), start, end - 1)
    headers = {"Content-Length": str(end - start), "Content-Range": f"bytes {start}-{end - 1}/{size}"}
    body = contents.give_blob(ask.hub, Key("xorb", fetch.xorb), start, end)
    return Streamed(body, 206, headers, media_type="application/octet-stream")


def _telemetry(_: Ask) -> Response:
    """Taken and thrown away."""
    return PlainTextResponse("")
