"""A hub with small models, and what its visitors ask for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from tars_hub.exhibits import Credentials, Exhibit, Wanted
from tars_hub.hub_models import HubModels
from tests.server.running import Site, site
from tests.small_model import CLASSES, held, small

NOBODY = Credentials()


@contextmanager
def hub_of_two() -> Iterator[Site]:
    """Of ann and bob."""
    with site() as running:
        running.add("ann", "bob")
        yield running


@contextmanager
def two_models(hub: Site) -> Iterator[None]:
    """An open model of ann's and a private one."""
    push(hub, "ann/animals", CLASSES)
    push(hub, "ann/secret", ("x", "y"), private=True)
    yield
    hub.clear()


def push(hub: Site, name: str, classes: tuple[str, ...], *, private: bool = False, to: str = "main") -> str:
    """A small model of these classes; its commit."""
    owner = name.partition("/")[0]
    if hub.get(f"/api/models/{name}", owner).json().get("id") != name:
        hub.create(name, owner, private=private)
    with TemporaryDirectory() as folder:
        small(classes).save_pretrained(folder)
        return hub.put(name, owner, held(Path(folder)), quote(to, safe=""))


def by_token(hub: Site, who: str) -> Credentials:
    return Credentials(token=hub.tokens.get(who, who))


def ask(models: HubModels, key: str, credentials: Credentials = NOBODY) -> Exhibit:
    return models.exhibit(Wanted.parse(key), credentials)
