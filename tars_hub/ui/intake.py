"""What visitors send to Gradio, which takes it as it comes: any size, any shape, for as long as it lasts."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect, Request

from tars_hub.bodies import Bodies, RefusedError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MOST_PARTS = 1000  # of a question's JSON: a million empty lists in it hold up everybody for a second
_LONGEST_NAME = 100  # of a visitor's session
_LEFT_S = 300  # an upload that was not written to for so long has ended, for slower ones are not waited for


class Intake:
    """Gradio's app, with a door before it. Belongs to one event loop."""

    def __init__(self, app: ASGIApp, uploads: Path) -> None:
        """
        Args:
            uploads: the folder that Gradio writes what is uploaded to.
        """
        self._app = app
        self._folder = uploads
        self._bodies = Bodies()
        self._uploading = 0

    async def question(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Raises:
            RefusedError: it is none that a page would ask, or as `Bodies`.
        """
        with suppress(ClientDisconnect):
            async with self._bodies.read(Request(scope, receive)) as body:
                _check(body)
                await self._app(scope, _again(body, receive), send)

    async def upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises RefusedError as `Bodies`."""
        length = int(Request(scope).headers["content-length"])
        self._uploading += 1
        try:
            with suppress(ClientDisconnect), self._bodies.counting(receive, length) as counted:
                door = _Door(counted, send)
                await self._app(scope, door.receive, door.send)
        finally:
            self._uploading -= 1
            # At once, for nobody else's can begin meanwhile.
            _sweep(self._folder, time.time() - _LEFT_S if self._uploading else None)


class _Door:
    """Lets nothing out any more once what comes in was refused: of an error within, Gradio makes a failure."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._is_shut = False

    async def receive(self) -> Message:
        try:
            return await self._receive()
        except RefusedError:
            self._is_shut = True
            raise

    async def send(self, message: Message) -> None:
        if not self._is_shut:
            await self._send(message)


def _check(body: bytes) -> None:
    """Bytes are counted, not parsed: of a hostile one that alone would take seconds."""
    if sum(map(body.count, (b",", b"[", b"{"))) > _MOST_PARTS:
        raise _odd()
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        return  # Gradio says so
    if isinstance(asked, dict) and len(str(asked.get("session_hash"))) > _LONGEST_NAME:
        raise _odd()


def _odd() -> RefusedError:
    return RefusedError(400, "That is nothing this page would ask.")


def _again(body: bytes, receive: Receive) -> Receive:
    """A body that was read, to be read once more; then what comes, which is the end."""
    pieces: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return pieces.pop() if pieces else await receive()

    return receive_again


def _sweep(folder: Path, before: float | None) -> None:
    """Remove what uploads left that did not come whole: Gradio does not. Whole ones lie in folders of their own."""
    for file in folder.glob("tmp*"):
        with suppress(OSError):
            if file.is_file() and (before is None or file.stat().st_mtime < before):
                file.unlink()
