"""Downloads are counted by one file of a revision, its query file, which whoever uses a model gets once.

That is `config.json` at the top; where there is none, the first of the weights there by name, else README.md. A
download is a GET of it that is answered with the whole file, whichever program asks: to ask whether it has changed is
none, and neither is a part of it. What a client has in its own cache it does not ask for, and so does not count again.
Weights that a client fetches by Xet pass this by; the config.json beside them does not.
"""

from __future__ import annotations

import logging

from tars_hub.server.hub import Hub
from tars_hub.server.records import Commit, Repo
from tars_hub.server.trees import walk

_CONFIG, _CARD = "config.json", "README.md"
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".onnx", ".h5", ".gguf", ".msgpack")
_log = logging.getLogger(__name__)


def may_count(path: str) -> bool:
    """Whether a file of this name could be a query file; no look at the revision is needed for most."""
    return path in (_CONFIG, _CARD) or ("/" not in path and path.endswith(_WEIGHTS))


def count(hub: Hub, repo: Repo, commit: Commit, path: str) -> None:
    """Count a download if this is the revision's query file; for after the answer, so it raises nothing."""
    try:
        if path == _CONFIG or path == _query_file(hub, commit):
            hub.catalog.audience.count_download(repo.id)
    except Exception:  # the client has its file; whatever is wrong with the catalogue, the next request tells
        _log.exception("a download of %s was not counted", repo.full_name)


def _query_file(hub: Hub, commit: Commit) -> str:
    places = walk(hub.catalog.history.trees, commit.tree, recursive=False)
    names = {place.path for place in places if not place.is_tree}
    return _CONFIG if _CONFIG in names else min((each for each in names if each.endswith(_WEIGHTS)), default=_CARD)
