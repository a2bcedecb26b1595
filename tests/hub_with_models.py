"""A hub with small models, and what its visitors ask for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from tars_hub.exhibits import Credentials, Exhibit, Wanted
from tars_hub.hub_models import HubModels
from tars_hub.server.hub import Hub
from tars_hub.server.settings import Settings
from tars_hub.server.start import opened
from tests.server.running import Site, site
from tests.small_model import CLASSES, held, small

NOBODY = Credentials()
_COUNTED_S = 60


@contextmanager
def hub_in_folder() -> Iterator[Hub]:
    """As people have them: what is written into it shows in its catalogue's version, which one in memory has not."""
    with TemporaryDirectory() as folder, opened(Settings(data=Path(folder)), serving=True) as hub:
        yield hub


@contextmanager
def hub_of_two() -> Iterator[Site]:
    """Of ann and bob."""
    with hub_in_folder() as hub, site(hub) as running:
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


def wait_until_counted(hub: Site, name: str) -> None:
    """Until a model's first download is written, which is done behind the answer; then the hub is still."""
    ends = time.monotonic() + _COUNTED_S
    while not hub.get(f"/api/models/{name}?expand=downloads").json()["downloads"]:
        assert time.monotonic() < ends
        time.sleep(0.01)


def by_token(hub: Site, who: str) -> Credentials:
    return Credentials(token=hub.tokens.get(who, who))


def ask(models: HubModels, key: str, credentials: Credentials = NOBODY) -> Exhibit:
    return models.exhibit(Wanted.parse(key), credentials)
