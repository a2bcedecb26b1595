"""From "a folder or a repository id" to a folder on this machine, and back; the only code here that asks a hub."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from tars_hub.config import CARD_NAME, CONFIG_NAME, WEIGHTS_NAME
from tars_hub.errors import DownloadError, ModelNotFoundError, UsageError
from tars_hub.refusals import reason_of, status_of

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo

ModelSource = str | os.PathLike[str]

_REPO_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)?")
_FILES = (CONFIG_NAME, WEIGHTS_NAME, CARD_NAME)
_TIMEOUT_S = 10.0  # for the first answer, as the client allows itself


def model_folder(
    source: ModelSource,
    *,
    revision: str | None = None,
    endpoint: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    force_download: bool = False,
    local_files_only: bool = False,
) -> Path:
    """The folder itself, or the cached snapshot of a repository's config, weights and card.

    Args:
        revision: branch, tag or commit; only for repositories.
        endpoint: a hub's address; without it HF_ENDPOINT or https://huggingface.co.
        token: access token; without it the one of `hf auth login`.
        local_files_only: ask no hub; the cache goes by names, so it is the hub's that was asked last.

    Raises:
        ModelNotFoundError: neither a folder nor a repository that can be read.
        DownloadError: the hub did not answer and nothing is cached.
    """
    path = Path(source)
    if path.is_dir():
        return path
    if path.is_file():
        raise ModelNotFoundError(f"{source} is a file and no model folder; `tars import` makes one of a checkpoint")
    if not _looks_like_repository(source):
        raise ModelNotFoundError(f"{source}: no such model folder; give a folder or a repository id such as user/name")
    from huggingface_hub import snapshot_download  # here, for it takes longer than reading a model does
    from huggingface_hub.errors import LocalEntryNotFoundError

    repository = str(source)
    silence, there = ("", None) if local_files_only else _ask(repository, revision, endpoint, token)
    if there and not force_download and (cached := _cached(repository, revision, cache_dir, there)):
        return cached
    try:
        return Path(
            snapshot_download(
                repository,
                revision=revision,
                endpoint=endpoint,
                token=token,
                cache_dir=cache_dir,
                force_download=force_download,
                local_files_only=local_files_only or bool(silence),
                allow_patterns=list(_FILES),
            )
        )
    except LocalEntryNotFoundError as error:
        if local_files_only:
            raise DownloadError(_not_here(repository, revision)) from error
        raise DownloadError(f"{source}: no such folder here, not in the cache, and {silence}") from error
    except Exception as error:  # the client's own kinds, its HTTP library's and those of odd answers
        raise DownloadError(f"{source} could not be fetched from {_address(endpoint)}: {reason_of(error)}") from error


def push_folder(
    folder: Path,
    repo_id: str,
    *,
    endpoint: str | None,
    token: str | bool | None,
    private: bool | None,
    branch: str | None,
    create_pr: bool | None,
    commit_message: str,
    replaces: Collection[str] = (),
) -> str:
    """Create the repository where missing, push the folder in one commit; the commit's address.

    Args:
        replaces: files of the repository that go where the folder has none of that name.

    Raises:
        UsageError: the id cannot be one, or this token may not write there.
        ModelNotFoundError: the repository has no such branch.
        DownloadError: the hub did not answer, or not as a hub does.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError, RevisionNotFoundError

    api = HfApi(endpoint=endpoint, token=token)
    try:
        repository = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
        commit = api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            revision=branch,
            create_pr=create_pr,
            commit_message=commit_message,
            delete_patterns=list(replaces) or None,
        )
    except HFValidationError as error:
        raise UsageError(f"{repo_id!r} is no repository id, such as user/name: {reason_of(error)}") from error
    except RevisionNotFoundError as error:
        raise ModelNotFoundError(f"{repo_id} has no branch {branch!r}") from error
    except Exception as error:  # as above
        if status_of(error) in (401, 403):
            raise UsageError(
                f"{_address(endpoint)} does not let you write {repo_id} ({reason_of(error)}); give a token that may"
            ) from error
        raise DownloadError(f"{repo_id} could not be pushed to {_address(endpoint)}: {reason_of(error)}") from error
    return str(commit)


def _ask(
    repository: str, revision: str | None, endpoint: str | None, token: str | bool | None
) -> tuple[str, ModelInfo | None]:
    """Ask the hub for this revision: why it does not answer, or what is there.

    The download would not tell: where a hub says no, the client takes, without a word, what an earlier
    download left in its cache, perhaps with another token or from another hub.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    address = _address(endpoint)
    try:
        found = HfApi(endpoint=endpoint, token=token).model_info(repository, revision=revision, timeout=_TIMEOUT_S)
    except RevisionNotFoundError as error:
        raise ModelNotFoundError(f"{repository} has no revision {revision!r}") from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ModelNotFoundError(
            f"{repository}: no such folder here, and no such repository at {address} (or no right to read it)"
        ) from error
    except Exception as error:  # as above
        if 400 <= status_of(error) < 500:
            raise DownloadError(f"{address} refuses {repository}: {reason_of(error)}") from error
        return f"{address} does not answer ({reason_of(error)})", None
    return "", found


def _cached(repository: str, revision: str | None, cache_dir: str | Path | None, there: ModelInfo) -> Path | None:
    """The snapshot in the cache, where it is of the hub's commit and whole: nothing more need be asked."""
    folder = _in_cache(repository, revision, cache_dir)
    wanted = {file.rfilename for file in there.siblings or ()} & set(_FILES)
    if folder is None or folder.name != there.sha or not all((folder / name).is_file() for name in wanted):
        return None
    return folder


def _in_cache(repository: str, revision: str | None, cache_dir: str | Path | None) -> Path | None:
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(
            repository, revision=revision, cache_dir=cache_dir, local_files_only=True, allow_patterns=list(_FILES)
        )
    except Exception:  # nothing there, or nothing that the client makes sense of
        return None
    return Path(folder)


def _not_here(repository: str, revision: str | None) -> str:
    wanted = f"{repository}@{revision}" if revision else repository
    hint = f"; `tars mirror {wanted}` fetches it" if "/" in repository else ""
    return f"{wanted} is not here, and the network was not to be used{hint}"


def _looks_like_repository(source: ModelSource) -> bool:
    return isinstance(source, str) and _REPO_ID.fullmatch(source) is not None


def _address(endpoint: str | None) -> str:
    from huggingface_hub import constants

    return endpoint or constants.ENDPOINT
