"""Beside a hub in this very process: its door without a request, and its address where pictures are answered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tars_hub.admission import Admission
from tars_hub.errors import DownloadError
from tars_hub.exhibits import Credentials, Models
from tars_hub.http import Predicting
from tars_hub.http_described import OPERATIONS, PATH
from tars_hub.hub_answers import Place, is_model, is_revision
from tars_hub.hub_door import HubDoor, closed, no_revision, sendable
from tars_hub.server.additions import Addition
from tars_hub.server.errors import (
    ForbiddenError,
    HubError,
    NotFoundError,
    RevisionNotFoundError,
    UnauthorizedError,
)
from tars_hub.server.hub import Hub
from tars_hub.server.recent import Recent
from tars_hub.server.records import Caller
from tars_hub.server.rules.access import Action, find_repo
from tars_hub.server.rules.revisions import commit_at
from tars_hub.server.rules.tokens import caller_of, caller_of_session

_KNOWN = 1000  # places, by who asks


def predicting(models: Models, admission: Admission | None = None) -> Addition:
    """The address of answers, for `create_app`; arguments as `Predicting` takes them."""
    return Addition(path=PATH, app=Predicting(models, admission=admission), operations=OPERATIONS)


class NearDoor(HubDoor):
    """The door of a hub that this process runs: for each picture its own rules say who may open what.

    What they said is taken again while nothing at all was written into the hub, by whichever process: then they would
    say the same. Files and lists come over HTTP, as everybody's do.
    """

    def __init__(self, hub: Hub, url: str) -> None:
        """
        Args:
            url: the hub's, as `HubDoor` takes it.
        """
        super().__init__(url)
        self._hub = hub
        self._known: Recent[tuple[int, str, str, Credentials], Place] = Recent(_KNOWN)

    def known(self, model: str, revision: str, credentials: Credentials) -> Place | None:
        """As `HubDoor.known`; of this very moment."""
        version = self._hub.catalog.version
        if version is None:
            return None
        place = self._known.latest((version, model, revision, credentials))
        return place if place and place.model.lower() == model.lower() else None

    def place(self, model: str, revision: str, credentials: Credentials) -> Place:
        """As `HubDoor.place`; two requests took longer than a small network does."""
        version = self._hub.catalog.version  # before anything is read: what is written meanwhile counts as unknown
        if not is_model(model):
            raise closed(model)
        with _refusals(model, revision):
            caller = self._caller(credentials)
            repo = find_repo(self._hub, caller, model, Action.DOWNLOAD)
            if not is_revision(revision):
                raise no_revision(model, revision)
            place = Place(repo.full_name, commit_at(self._hub, repo, revision).oid)
        if version is not None and not _ends(caller, credentials):
            self._known.is_new((version, model, revision, credentials), place)
        return place

    def knows(self, credentials: Credentials) -> bool:
        """As `HubDoor.knows`."""
        try:
            return self._caller(credentials).token is not None
        except UnauthorizedError:
            return False

    def _caller(self, credentials: Credentials) -> Caller:
        """A token counts before a session, as at the hub's own addresses."""
        carried = sendable(credentials)
        if carried.token:
            return caller_of(self._hub, carried.token)
        return caller_of_session(self._hub, carried.session) if carried.session else Caller()


def _ends(caller: Caller, credentials: Credentials) -> bool:
    """Whether the hub might say something else later, although nothing was written."""
    return bool(credentials.session) or (caller.token is not None and caller.token.expires_at is not None)


@contextmanager
def _refusals(model: str, revision: str) -> Iterator[None]:
    """What the hub's rules raise, as the door does."""
    try:
        yield
    except RevisionNotFoundError:
        raise no_revision(model, revision) from None
    except (UnauthorizedError, ForbiddenError, NotFoundError):
        raise closed(model) from None
    except HubError as error:
        raise DownloadError("The hub does not answer; try again in a moment.") from error
