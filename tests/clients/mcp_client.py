"""A language model's side of the Model Context Protocol: runs in an environment of its own, with the real client.

On standard input is what to do, as JSON: `url`, `token` or nothing, and `calls`, each the arguments of one call. On
standard output is what came of it: the protocol's version, the server's name, its tools, and an answer for each call.
"""

from __future__ import annotations

import asyncio
import json
import sys
from importlib.metadata import version
from typing import Any

IS_FIRST = version("mcp").startswith("1.")


async def visit(url: str, token: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
    if IS_FIRST:
        import httpx
        from mcp import ClientSession
    else:
        import httpx2 as httpx
        from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(headers=headers, trust_env=False, timeout=60) as http:
        transport = streamable_http_client(url, http_client=http)
        if IS_FIRST:
            async with transport as (read, write, _), ClientSession(read, write) as session:
                begun = await session.initialize()
                return await told(session, calls, begun.protocolVersion, begun.serverInfo.name)
        async with Client(transport) as client:
            return await told(client, calls, client.protocol_version, client.server_info.name)


async def told(session: Any, calls: list[dict[str, Any]], protocol: str, server: str) -> dict[str, Any]:
    tools = (await session.list_tools()).tools
    return {
        "protocol": protocol,
        "server": server,
        "tools": [tool.model_dump(by_alias=True, mode="json") for tool in tools],
        "answers": [await asked(session, call) for call in calls],
    }


async def asked(session: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """The result, or the protocol's error as a text."""
    try:
        answer = await session.call_tool("classify", arguments)
    except Exception as error:  # this client's own kind, which has another name in each version
        return {"refused": str(error)}
    return answer.model_dump(by_alias=True, mode="json", exclude_none=True)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(visit(**json.load(sys.stdin)))))  # noqa: T201  # this is how it tells
