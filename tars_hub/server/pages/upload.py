"""Upload files in the browser: all of them become one commit, or a pull request, or nothing."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from types import TracebackType

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import BaseRoute

from tars_hub.server.errors import BranchMovedError, HubError, TooLargeError, UnprocessableError
from tars_hub.server.names import check_path
from tars_hub.server.pages import csrf
from tars_hub.server.pages.forms import Form, go, sent_from_here
from tars_hub.server.pages.multipart import Parts
from tars_hub.server.pages.target import Target, carry_out, order_of, target_of, target_page
from tars_hub.server.routes.lfs import pour
from tars_hub.server.routes.web import Ask, route
from tars_hub.server.rules import commits
from tars_hub.server.rules.arrivals import Arrival, attributes_of
from tars_hub.server.rules.tokens import caller_of_session

_PAGE = "/{namespace}/{name}/upload/{revision:revision}"
_TEMPLATE = "upload.html"
_MOST_FILES = 1000
_DRAINED_BYTES = 64 << 20  # of a body that was refused: browsers show no answer before they have sent it


def routes() -> list[BaseRoute]:
    return [
        route(_PAGE, "GET", _show, by_cookie=True),
        route(f"{_PAGE}/{{folder:rest}}", "GET", _show, by_cookie=True),
        sent_from_here(_PAGE, _upload),
    ]


def _show(ask: Ask) -> Response:
    folder = ask.part("folder") if "folder" in ask.request.path_params else ""
    return target_page(ask, _TEMPLATE, target_of(ask), Form({"folder": [folder.strip("/")]}))


class Picked(AbstractContextManager["Picked"]):
    """The files of one form on their way in; whatever was not committed at the end is in no repository's files."""

    def __init__(self, ask: Ask, target: Target) -> None:
        self._ask, self._target, self._stack = ask, target, ExitStack()
        self._attributes = attributes_of(ask.hub, target.commit)
        self._arrival: Arrival | None = None
        self._paths = set[str]()
        self.operations: list[commits.Operation] = []

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, at)

    def begin(self, form: Form, name: str) -> None:
        """Raises HubError for a name that cannot be, before a byte of the file is taken."""
        csrf.check_token(self._ask, form.text(csrf.FIELD))
        if not name:
            self._arrival = None  # browsers send this for a field where no file was picked
            return
        folder = _folder(form)
        path = f"{folder}/{name}" if folder else name
        check_path(path, longest=self._ask.hub.limits.path_bytes)
        if path in self._paths:
            raise UnprocessableError(f"two of the files are called {path[:200]!r}; upload one of them")
        if len(self._paths) == _MOST_FILES:
            raise TooLargeError(f"{_MOST_FILES:,} files can be uploaded at once; upload these in several turns")
        self._paths.add(path)
        self._arrival = self._stack.enter_context(Arrival(self._ask.hub, self._ask.caller, self._target.repo, path))

    def take(self, data: bytes) -> None:
        """Raises HubError for bytes of a file without a name."""
        if self._arrival is None:
            raise UnprocessableError("one of the files has no name; a file's name is where it is to lie")
        self._arrival.write(data)

    def end(self) -> None:
        """Keep the file."""
        if self._arrival is not None:
            self.operations.append(self._arrival.settle(self._attributes))
            self._arrival = None
            self._stack.close()


class _Patient:
    """Takes a body to its end, or nearly, also where it is wrong: browsers show no answer before they have sent all."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._left = parts, _DRAINED_BYTES
        self.error: HubError | None = None

    def write(self, data: bytes) -> None:
        """Raises HubError where too much comes after what was wrong."""
        if self.error is None:
            try:
                self._parts.write(data)
            except HubError as error:
                self.error = error
            return
        self._left -= len(data)
        if self._left < 0:
            raise self.error


async def _upload(ask: Ask) -> Response:
    csrf.require_session(ask)
    target = await run_in_threadpool(target_of, ask)
    files = await run_in_threadpool(Picked, ask, target)
    parts = Parts(ask.request.headers.get("content-type", ""), files)
    body = _Patient(parts)
    try:
        with files:
            await pour(ask, body)
            return await run_in_threadpool(_finish, ask, parts, body.error, files.operations)
    except HubError as error:
        csrf.check_token(ask, parts.form.text(csrf.FIELD))  # a form of others gets no page to see
        return await run_in_threadpool(_refuse, ask, parts.form, error)


def _again(ask: Ask) -> Ask:
    """Who asks, by now: a session or its rights may have ended while files came."""
    return replace(ask, caller=caller_of_session(ask.hub, ask.session))


def _finish(ask: Ask, parts: Parts, error: HubError | None, operations: list[commits.Operation]) -> Response:
    if error is not None:
        raise error
    parts.finish()
    form = parts.form
    csrf.check_token(ask, form.text(csrf.FIELD))
    if not operations:
        raise HubError("no file was chosen; choose one or more, and upload again")
    order = order_of(form, operations, summary=_summary(operations))
    now = _again(ask)
    return go(carry_out(now, target_of(now), form, order, folder=_folder(form)))


def _folder(form: Form) -> str:
    """Where the files are to lie; empty for the top."""
    return form.text("folder").strip("/")


def _summary(operations: list[commits.Operation]) -> str:
    if len(operations) == 1:
        return f"Upload {operations[0].path}"
    return f"Upload {len(operations):,} files"


def _refuse(ask: Ask, form: Form, error: HubError) -> Response:
    """The form again, for the branch as it stands now. Nothing was committed."""
    message = str(error)
    if isinstance(error, BranchMovedError):
        message = (
            "Somebody else changed this branch after you opened this page, so nothing was uploaded. "
            "Look at what is new, then choose your files again to put them on top of it."
        )
    return target_page(ask, _TEMPLATE, target_of(_again(ask)), form, error=message, status=error.status)
