"""Log in with a token, and out again. There are no passwords.

A session may exactly what its token may, and ends with it.
"""

from __future__ import annotations

from datetime import datetime, timezone

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import BaseRoute

from tars_hub.server.errors import UnauthorizedError
from tars_hub.server.pages import csrf
from tars_hub.server.pages.forms import Form, form_route, go, local_path, read_form, sent_from_here
from tars_hub.server.pages.look import page
from tars_hub.server.routes.web import SESSION_COOKIE, Ask, route
from tars_hub.server.rules.tokens import begin_session, end_session

_LONGEST_TOKEN = 200
_WRONG = "nobody here has this token, or it has ended or was revoked; a token begins with hf_"


def routes() -> list[BaseRoute]:
    return [
        route("/login", "GET", _show, by_cookie=True),
        sent_from_here("/login", _log_in),
        form_route("/logout", _log_out),
    ]


def _show(ask: Ask) -> Response:
    return _form(ask, local_path(ask.request.query_params.get("next", "")))


def _form(ask: Ask, after: str, *, error: str = "", status: int = 200) -> Response:
    token, cookie = csrf.login_form(ask)
    answer = page(ask, "login.html", status=status, form_token=token, after=after, error=error)
    csrf.keep_login_cookie(ask, answer, cookie)
    return answer


async def _log_in(ask: Ask) -> Response:
    form = await read_form(ask)
    csrf.check_login_form(ask, form.text(csrf.FIELD))
    return await run_in_threadpool(_begin, ask, form)


def _begin(ask: Ask, form: Form) -> Response:
    """A new session, whatever the browser had before: nobody can give it one that they know."""
    token, after = form.text("token"), local_path(form.text("next"))
    try:
        if len(token) > _LONGEST_TOKEN:
            raise UnauthorizedError("no token is as long as this")
        text, ends = begin_session(ask.hub, token)
    except UnauthorizedError:
        return _form(ask, after, error=_WRONG, status=401)
    if ask.session:
        end_session(ask.hub, ask.session)
    answer = go(after)
    _keep_session(ask, answer, text, ends)
    answer.delete_cookie(csrf.LOGIN_COOKIE, path="/login", httponly=True, samesite="strict", secure=csrf.is_secure(ask))
    return answer


def _keep_session(ask: Ask, answer: Response, text: str, ends: datetime) -> None:
    left_s = int((ends - datetime.now(timezone.utc)).total_seconds())
    answer.set_cookie(
        SESSION_COOKIE,
        text,
        max_age=max(left_s, 0),
        path="/",
        httponly=True,
        samesite="lax",
        secure=csrf.is_secure(ask),
    )


def _log_out(ask: Ask, _: Form) -> Response:
    end_session(ask.hub, ask.session)
    answer = go("/")
    answer.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="lax", secure=csrf.is_secure(ask))
    return answer
