"""A hub with the page below /demo, in this process, as it is together with `python app.py`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tars_hub.demo import Options, page_builder
from tars_hub.hub_models import HubModels
from tars_hub.listening import address_of, listening, serving
from tars_hub.model import TarsClassifier
from tars_hub.predict import Predictor
from tars_hub.server.app import create_app
from tars_hub.ui.mount import PageMount
from tars_hub.ui.serve import page_environment
from tests.server.running import Site, done, memory_hub
from tests.ui import pictures


@dataclass
class House:
    """A hub with the page below /demo.

    Attributes:
        colours: the default model, for drawings too.
    """

    site: Site
    colours: Predictor
    pictures: Path

    @property
    def page(self) -> str:
        return f"{self.site.url}/demo/"

    def push(self, name: str, model: TarsClassifier, *, private: bool = False) -> str:
        token = self.site.tokens[name.partition("/")[0]]
        model.push_to_hub(name, endpoint=self.site.url, token=token, private=private)
        return str(done(self.site.get(f"/api/models/{name}", name.partition("/")[0])).json()["sha"])

    def change(self, name: str, **settings: Any) -> None:
        done(self.site.ask("PUT", f"/api/models/{name}/settings", "ann", json=settings))

    def remove(self, name: str) -> None:
        done(self.site.ask("DELETE", "/api/repos/delete", "ann", json={"name": name}))


@contextmanager
def house_with(examples: Path, uploads: Path, *, mcp: bool = False) -> Iterator[House]:
    """With ann, bob, and the default model ann/colours."""
    mount = PageMount("/demo")
    with ExitStack() as stack:
        hub = stack.enter_context(memory_hub())
        stack.enter_context(page_environment(uploads=uploads))
        listener = stack.enter_context(listening("127.0.0.1", 0))
        loop = stack.enter_context(serving(create_app(hub, mounts=[("/demo", mount)]), listener))
        client = stack.enter_context(httpx.Client(timeout=60, trust_env=False))
        house = House(Site(hub, address_of(listener), client), pictures.train_on_colours(), examples)
        house.site.add("ann", "bob")
        house.push("ann/colours", house.colours.model)
        models = HubModels(house.site.url, "ann/colours", device="cpu")
        build = page_builder(Options(model="", examples=examples, mcp=mcp), models)
        stack.enter_context(mount.showing(build, loop, models=models, mcp=mcp))
        yield house
