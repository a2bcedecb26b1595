"""The cache of huggingface_hub's client as the target, where `--offline` finds models.

Its layout (`blobs/KEY`, `refs/REVISION`) is documented: https://huggingface.co/docs/huggingface_hub/guides/manage-cache.
It goes by repositories' names, not by hubs: of two of the same name, the one that came last is found.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError
from huggingface_hub.file_download import repo_folder_name
from tqdm import tqdm

from tars_hub.files import replacing
from tars_hub.mirror.content import Difference, File
from tars_hub.mirror.reading import Source
from tars_hub.mirror.staging import Staged


def missing(source: Source) -> Difference:
    """What the cache lacks of it."""
    return Difference(changed=tuple(file for file in source.files if not _is_here(source, file)), gone=())


def is_complete(source: Source) -> bool:
    """Whether the client would find it without a network."""
    try:
        snapshot_download(source.wanted.repo, revision=source.wanted.revision, local_files_only=True)
    except LocalEntryNotFoundError:
        return False
    return _read_ref(source) == source.sha and not missing(source)


def keep(source: Source, staged: Mapping[str, Staged]) -> None:
    """Put staged files into the cache, let the client lay them out, and only then name the revision.

    Raises:
        DownloadError, UsageError: the hub did not answer; the revision stands for what it did before.
    """
    blobs = _folder(source) / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    for key, each in staged.items():
        _move(each.path, blobs / key)
    with source.hub.asked(str(source.wanted)):
        snapshot_download(
            source.wanted.repo,
            revision=source.sha,
            endpoint=source.hub.address,
            token=source.hub.token or False,
            tqdm_class=_Silent,
        )
    if source.kind != "commit":
        ref = _ref(source)
        ref.parent.mkdir(parents=True, exist_ok=True)
        with replacing(ref, encoding="ascii") as stream:
            stream.write(source.sha)


class _Silent(tqdm):  # type: ignore[misc]  # it carries no types
    """The client's bars: nothing is left to move when it is asked."""

    def __init__(self, *args: object, **options: object) -> None:
        options.pop("name", None)  # of the client's own kind of bar
        super().__init__(*args, **{**options, "disable": True})


def _move(file: Path, blob: Path) -> None:
    """Rename, or copy to another disk under a name that nobody looks for; what was there was damaged."""
    fresh = blob.with_name(f".{blob.name}.mirrored")
    shutil.move(file, fresh)
    os.replace(fresh, blob)  # noqa: PTH105  # as the client does


def _is_here(source: Source, file: File) -> bool:
    blob = _folder(source) / "blobs" / file.key
    if blob.is_file():
        return blob.stat().st_size == file.size
    laid = _folder(source) / "snapshots" / source.sha / file.path  # without links it is moved there
    return laid.is_file() and laid.stat().st_size == file.size


def _read_ref(source: Source) -> str:
    if source.kind == "commit":
        return source.sha
    try:
        return _ref(source).read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""


def _ref(source: Source) -> Path:
    return _folder(source) / "refs" / source.wanted.revision


def _folder(source: Source) -> Path:
    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=source.wanted.repo, repo_type="model")
