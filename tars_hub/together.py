"""Hub and page in one process, on one port: where the model side and the server side meet, over HTTP.

The default model is pushed to the hub with the stock client. The page shows it, and any other model of the hub, by
asking the hub for it with its visitor's own credentials: the page knows nothing that a visitor may not.
"""

from __future__ import annotations

import logging
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from huggingface_hub.utils import logging as client_logging
from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

from tars_hub.admission import Admission
from tars_hub.beside import NearDoor, predicting
from tars_hub.demo import Options, Say, digits_model, page_builder
from tars_hub.errors import ModelError, UsageError
from tars_hub.exhibits import Credentials, Wanted
from tars_hub.hub_models import HubModels
from tars_hub.hub_models import Limits as PageLimits
from tars_hub.listening import address_of, free_port, listening, serving
from tars_hub.model import TarsClassifier
from tars_hub.server.app import create_app
from tars_hub.server.hub import Hub
from tars_hub.server.serve import names_of, owner_lines, owner_name, tell
from tars_hub.server.settings import Limits, Settings
from tars_hub.server.start import OWNER_TOKEN, first_owner, opened, owner_token
from tars_hub.ui.mount import PageMount
from tars_hub.ui.serve import page_environment, wait_until_interrupted

PAGE = "/demo"
_MODEL = "digits"


def show(options: Options, data: Path, *, say: Say) -> int:
    """Serve both until interrupted; returns the process's exit code.

    Args:
        options: without a model, which is the hub's.
        data: the hub's folder.

    Raises:
        UsageError: another hub serves this folder, its owner's token is gone, or a limit is no number.
    """
    shown = PageLimits.from_environment()
    with opened(Settings(data=data, limits=Limits.from_environment()), serving=True) as hub:
        trained = digits_model(options.home, say)  # after the lock: no training for nothing
        port = free_port(options.host, options.port)
        if port != options.port:
            say(f"port {options.port} is taken; using {port}")
        _serve(hub, trained, replace(options, port=port), shown, say)
    return 0


def _serve(hub: Hub, trained: Path, options: Options, shown: PageLimits, say: Say) -> None:
    mount = PageMount(PAGE)
    with ExitStack() as stack:
        stack.enter_context(page_environment(host=options.host))
        listener = stack.enter_context(listening(options.host, options.port))
        name, token = _owners(hub, say)
        url, model = address_of(listener), f"{name}/{_MODEL}"
        models = HubModels(NearDoor(hub, url), model, device=options.device, limits=shown)
        admission = Admission()
        app = create_app(
            hub,
            mounts=[(PAGE, mount)],
            additions=[predicting(models, admission)],
            names=names_of(hub, listener, options.host),
        )
        loop = stack.enter_context(serving(app, listener))
        push(trained, model, url, token)
        with suppress(ModelError):  # who renamed it will be told so on the page
            models.exhibit(Wanted(), Credentials(token=token))  # so that the first visitor need not wait
        build = page_builder(options, models)
        stack.enter_context(mount.showing(build, loop, models=models, mcp=options.mcp, admission=admission))
        say(f"{model} answers at {url}{PAGE}")
        tell(hub, listener, say=say)
        if options.open_browser:
            webbrowser.open(url + PAGE)
        wait_until_interrupted()


def _owners(hub: Hub, say: Say) -> tuple[str, str]:
    """The owner's name and token; at the first start, made now and said."""
    kept = hub.settings.data / OWNER_TOKEN
    new = first_owner(hub)
    name = owner_name(hub)
    token = owner_token(hub.settings)
    if not name or token is None:
        raise UsageError(
            f"{kept} holds no token of this hub; `tars hub token create USER --write` makes one to put there"
        )
    if new:
        for line in owner_lines(name, new, kept):
            say(line)
    return name, token


def push(folder: Path, repo_id: str, url: str, token: str) -> None:
    """Push a model folder to a hub, for everybody to see; where nothing changed, it has no new commit."""
    with _quiet_client():
        TarsClassifier.from_pretrained(folder).push_to_hub(repo_id, endpoint=url, token=token, private=False)


@contextmanager
def _quiet_client() -> Iterator[None]:
    """No bars, nor a warning that nothing has changed since the last start."""
    verbosity, bars = client_logging.get_verbosity(), not are_progress_bars_disabled()
    client_logging.set_verbosity(logging.ERROR)
    disable_progress_bars()
    try:
        yield
    finally:
        client_logging.set_verbosity(verbosity)
        if bars:
            enable_progress_bars()
