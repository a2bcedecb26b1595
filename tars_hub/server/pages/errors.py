"""What went wrong, as a page for people; programs get what they always got."""

from __future__ import annotations

from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from tars_hub.server.errors import HubError, NotFoundError, RepoNotFoundError, UnauthorizedError
from tars_hub.server.hub import Hub
from tars_hub.server.pages.forms import login_address
from tars_hub.server.pages.look import page
from tars_hub.server.records import Caller
from tars_hub.server.routes.web import Ask, answer_error, ask_of, one_line

_TITLES = {
    401: "Please log in",
    403: "Not allowed",
    404: "Nothing here",
    409: "It has changed meanwhile",
    412: "It has changed meanwhile",
    413: "Too large",
}
_FOR_PROGRAMS = ("/api/", "/cas/", "/static/")
_KINDS = ("text/html", "application/json")


def answer(request: Request, error: Exception) -> Response:
    """A page where a person asks, with the status and headers that a program would get."""
    plain = answer_error(request, error)
    if not isinstance(error, HubError) or not for_people(request):
        return plain
    shown = page(
        _ask(request),
        "error.html",
        status=error.status,
        title=_TITLES.get(error.status, "This cannot be done"),
        message=one_line(error),
        login=login_address(request) if error.status in (401, 403, 404) else "",
        model=_model(request, error),
    )
    for name in ("X-Error-Message", "X-Error-Code", "X-Repo-Commit", "WWW-Authenticate"):
        if name in plain.headers:
            shown.headers[name] = plain.headers[name]
    return shown


def _model(request: Request, error: HubError) -> str:
    """The full name of the model that the address is about, which the caller may see; empty for none."""
    if isinstance(error, RepoNotFoundError | UnauthorizedError):
        return ""
    parts = [unquote(str(request.path_params.get(name, ""))) for name in ("namespace", "name")]
    return "/".join(parts) if all(parts) else ""


def for_people(request: Request) -> bool:
    """Whether a browser asks for something to look at: it names HTML before JSON, which no client does."""
    if request.scope["path"].startswith(_FOR_PROGRAMS):
        return False
    wanted = [_wish(part) for part in request.headers.get("accept", "")[:1000].split(",")]
    weights = {kind: max((weight for name, weight in wanted if name == kind), default=0.0) for kind in _KINDS}
    return weights["text/html"] > weights["application/json"]


def _wish(part: str) -> tuple[str, float]:
    kind, *options = (text.strip().lower() for text in part.split(";"))
    weight = next((option[2:] for option in options if option.startswith("q=")), "1")
    try:
        return kind, float(weight)
    except ValueError:
        return kind, 0.0


def _ask(request: Request) -> Ask:
    """Who asks, as far as that can be said at all."""
    hub: Hub = request.app.state.hub
    try:
        return ask_of(request, by_token=True, by_cookie=True)
    except HubError:  # this may be the error that is to be shown
        return Ask(hub, request, Caller(), hub.settings.public_url)


def unknown(request: Request) -> Response:
    """An address that nobody knows, or that does not do this."""
    return answer(request, NotFoundError(f"nothing at {request.method} {request.scope['path'][:200]}"))
