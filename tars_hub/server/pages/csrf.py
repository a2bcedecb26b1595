"""What shows that a form was sent from a page of this hub: its token, and the browser's own word.

A browser sends its cookie with whatever another site makes it send. So a cookie alone changes nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from starlette.responses import Response

from tars_hub.server.errors import ForbiddenError
from tars_hub.server.hub import Hub
from tars_hub.server.routes.web import Ask

FIELD = "csrf"
LOGIN_COOKIE = "tars_login"
_LOGIN_S = 3600
_LOGIN_PURPOSE = "login form"
_LONGEST = 200  # letters of a token or cookie; more is none of ours
_PORTS = {"http": 80, "https": 443}
_ASK_AGAIN = "go back, load the page again, and send it once more"


def csrf_of(ask: Ask) -> str:
    """The text that this caller's forms carry; empty for nobody in particular."""
    return token_of(ask.hub, ask.session) if ask.session else ""


def token_of(hub: Hub, session: str) -> str:
    """The text that the forms of a session carry: 64 hex digits."""
    return hmac.new(hub.catalog.secret, b"tars-hub form\0" + session.encode(), hashlib.sha256).hexdigest()


def require_session(ask: Ask) -> None:
    """Raises ForbiddenError where no session says who asks."""
    if not ask.session:
        raise ForbiddenError("you are not logged in, or your session has ended; log in, and try again")


def check_token(ask: Ask, sent: str) -> None:
    """Raises ForbiddenError unless a form of this very session was sent."""
    require_session(ask)
    if not _equal(sent, csrf_of(ask)):
        raise ForbiddenError(f"this form is not of your session, and nothing was changed; {_ASK_AGAIN}")


def check_origin(ask: Ask) -> None:
    """Check what the browser says of the page that sends a form: it must be one of this hub's.

    Raises:
        ForbiddenError: it is another site's, or the browser does not say.
    """
    headers = ask.request.headers
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise ForbiddenError("another site sent this form, and nothing was changed")
    sent = headers.get("origin") or headers.get("referer") or ""
    if not sent:
        raise ForbiddenError("the browser does not say which page sent this form (no Origin), and nothing was changed")
    here = _origin(ask.base)
    if here is None or _origin(sent) != here:
        raise ForbiddenError(
            f"this form was sent from {sent[:100]!r}, and the hub is {ask.base} here, so nothing was changed; "
            "open it at that address, or name another to the hub with --public-url"
        )


def _origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port, as browsers tell sites apart; None where these are not to be made out."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme]


def _equal(first: str, second: str) -> bool:
    return hmac.compare_digest(first.encode(errors="replace"), second.encode(errors="replace"))


def login_form(ask: Ask) -> tuple[str, str]:
    """For a form that no session is there for yet: its token, and the cookie that must come back with it."""
    cookie = ask.request.cookies.get(LOGIN_COOKIE, "")
    if not 20 <= len(cookie) <= _LONGEST:  # one that is there is kept: another tab may show a form of it
        cookie = secrets.token_urlsafe(32)
    return ask.hub.signer.sign(_LOGIN_PURPOSE, _digest(cookie)), cookie


def check_login_form(ask: Ask, sent: str) -> None:
    """Raises ForbiddenError unless the form and its cookie belong together, and are not old."""
    cookie = ask.request.cookies.get(LOGIN_COOKIE, "")
    try:
        signed = ask.hub.signer.read(_LOGIN_PURPOSE, sent[:1000], max_age_s=_LOGIN_S)
    except ForbiddenError:
        raise ForbiddenError(f"this form is too old, or not of this hub; {_ASK_AGAIN}") from None
    if not cookie or not _equal(str(signed), _digest(cookie)):
        raise ForbiddenError(f"the browser did not send the form's cookie, which it must take; {_ASK_AGAIN}")


def keep_login_cookie(ask: Ask, answer: Response, cookie: str) -> None:
    """Give the browser the cookie of a login form."""
    answer.set_cookie(
        LOGIN_COOKIE,
        cookie,
        max_age=_LOGIN_S,
        path="/login",
        httponly=True,
        samesite="strict",
        secure=is_secure(ask),
    )


def is_secure(ask: Ask) -> bool:
    """Whether the hub is reached by https, so that its cookies may go no other way."""
    return ask.base.startswith("https:")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
