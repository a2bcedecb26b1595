"""A hub beside the page, asked over HTTP with a visitor's own credentials: what it refuses them, the page does too."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from tars_hub.config import shown_name
from tars_hub.errors import DownloadError, ModelError, ModelNotFoundError
from tars_hub.exhibits import SESSION_COOKIE, Credentials, Offer
from tars_hub.hub_answers import OFFERED, OFFERS, Place, is_model, is_revision, offers_in, place_in, revisions_in

_TIMEOUT_S = 30.0  # for each piece of an answer
_PIECE_BYTES = 1 << 20
_ANSWER_BYTES = 2 << 20
_REFUSALS = (401, 403, 404)
_SEARCHED = 200  # letters; no model's id has as many
_SENDABLE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]{1,4096}")  # as RFC 6265 has cookies' values


class HubDoor:
    """The hub at an address of this machine."""

    def __init__(self, url: str) -> None:
        """
        Args:
            url: http, without a slash at its end.
        """
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port

    def find(self, model: str, revision: str, credentials: Credentials) -> Place:
        """Where a visitor's model lies, if they may download it now.

        Raises:
            ModelNotFoundError: there is none or they may not, which look the same; it has no such revision.
            DownloadError: the hub does not answer.
        """
        place = self.known(model, revision, credentials) or self.place(model, revision, credentials)
        if place.model.lower() != model.lower():
            raise ModelNotFoundError(f"{model} is called {place.model} now.")
        return place

    def known(self, _model: str, _revision: str, _credentials: Credentials) -> Place | None:
        """What `find` returns, where it is certain without waiting; None where the hub has to be asked."""
        return None

    def place(self, model: str, revision: str, credentials: Credentials) -> Place:
        """As `find`; of a model that was moved it is where that lies now."""
        self._require_open(model, credentials)
        if not is_revision(revision):
            raise no_revision(model, revision)
        # Also of a commit's id: a repository may have gone and another taken its name, without that commit.
        path = f"/api/models/{model}/revision/{quote(revision, safe='')}?expand=sha"
        status, body = self._ask(path, credentials)
        if status in _REFUSALS:
            raise no_revision(model, revision)
        return place_in(body)

    def offers(self, search: str, credentials: Credentials) -> list[Offer]:
        """The models of this library that a visitor may download, changed last first.

        Args:
            search: part of a model's id, in any case.

        Raises:
            ModelError: the hub does not take the visitor's credentials any more.
            DownloadError: the hub does not answer.
        """
        wanted = {
            "search": search.encode(errors="replace").decode()[:_SEARCHED],
            "filter": "tars-hub,safetensors",
            "downloadable": "true",
            "sort": "lastModified",
            "limit": OFFERS,
            "expand": ",".join(OFFERED),
        }
        status, body = self._ask(f"/api/models?{urlencode(wanted)}", credentials)
        if status in _REFUSALS:
            raise ModelError("The hub does not know your token any more; log in again.")
        return offers_in(body)

    def revisions(self, model: str, credentials: Credentials) -> list[str]:
        """The names of a model's branches and tags, if a visitor may download it now. Raises as `find`."""
        self._require_open(model, credentials)
        status, body = self._ask(f"/api/models/{model}/refs", credentials)
        if status in _REFUSALS:
            raise closed(model)
        return revisions_in(body)

    def knows(self, credentials: Credentials) -> bool:
        """Whether the hub takes these for somebody; one that does not answer knows nobody."""
        try:
            return bool(_headers(credentials)) and self._ask("/api/whoami-v2", credentials)[0] == 200
        except DownloadError:
            return False

    def fetch(self, place: Place, name: str, target: Path, credentials: Credentials, *, most: int) -> int:
        """Write a file of the model to `target`; its size in bytes, 0 and nothing written where it has none.

        Raises:
            ModelError: it has more than `most` bytes; nothing of it is kept.
            DownloadError: it did not come, or not whole.
        """
        with self._answer(f"/{place.model}/resolve/{place.commit}/{quote(name)}", credentials) as answer:
            if answer.status in _REFUSALS:
                return 0
            _check_status(answer.status)
            if (answer.length or 0) > most:
                raise _too_large(name, most)
            size = _write(answer, target, most)
            if size > most:
                raise _too_large(name, most)
            return size

    def _require_open(self, model: str, credentials: Credentials) -> None:
        if not is_model(model) or self._ask(f"/api/models/{model}/auth-check", credentials)[0] in _REFUSALS:
            raise closed(model)

    def _ask(self, path: str, credentials: Credentials) -> tuple[int, bytes]:
        with self._answer(path, credentials) as answer:
            body = answer.read(_ANSWER_BYTES + 1)
            if len(body) > _ANSWER_BYTES:
                raise DownloadError("The hub's answer is too long to be read.")
            if answer.status not in _REFUSALS:
                _check_status(answer.status)
            return answer.status, body

    @contextmanager
    def _answer(self, path: str, credentials: Credentials) -> Iterator[http.client.HTTPResponse]:
        # No proxy is asked and no redirection followed: credentials go to this hub and nowhere else.
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT_S)
        try:
            connection.request("GET", path, headers=_headers(credentials))
            with connection.getresponse() as answer:
                yield answer
        except (OSError, http.client.HTTPException) as error:
            raise DownloadError("The hub does not answer; try again in a moment.") from error
        finally:
            connection.close()


def sendable(credentials: Credentials) -> Credentials:
    """Those of them that a request can carry; the rest are nobody's."""
    kept = {name: text for name, text in vars(credentials).items() if _SENDABLE.fullmatch(text)}
    return Credentials(**kept)


def _headers(credentials: Credentials) -> dict[str, str]:
    carried, headers = sendable(credentials), {}
    if carried.token:
        headers["Authorization"] = f"Bearer {carried.token}"
    if carried.session:
        headers["Cookie"] = f"{SESSION_COOKIE}={carried.session}"
    return headers


def _write(answer: http.client.HTTPResponse, target: Path, most: int) -> int:
    """How much came, of which nothing beyond `most` is written."""
    size = 0
    with target.open("wb") as file:
        while size <= most and (piece := answer.read(_PIECE_BYTES)):
            size += len(piece)
            file.write(piece[: max(0, most - size + len(piece))])
    if size <= most and answer.length:
        raise DownloadError("The hub hung up in the middle of a file; try again in a moment.")
    return size


def _check_status(status: int) -> None:
    if status != 200:
        raise DownloadError(f"The hub answers with status {status}; try again in a moment.")


def closed(model: str) -> ModelNotFoundError:
    """One sentence for what is not there and what is somebody else's: nobody learns which."""
    return ModelNotFoundError(f"There is no model {shown_name(model)} here, or it is not open to you.")


def no_revision(model: str, revision: str) -> ModelNotFoundError:
    """A model that is open has nothing of this name."""
    return ModelNotFoundError(f"{model} has no revision {shown_name(revision)}.")


def _too_large(name: str, most: int) -> ModelError:
    return ModelError(f"{name} has more than the {most / (1 << 20):,.0f} MiB that are shown here")
