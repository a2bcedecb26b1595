"""One side of a copy: a hub's address, the token for it, and what went wrong there in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from huggingface_hub import HfApi
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile

from tars_hub.errors import DownloadError, ModelNotFoundError, TarsError, UsageError
from tars_hub.mirror.content import File
from tars_hub.refusals import reason_of, status_of


@dataclass(frozen=True)
class Hub:
    """
    Attributes:
        address: as `names.address_of` writes it.
        variable: the environment's name of the token for this side, for messages.
    """

    address: str
    token: str | None
    variable: str

    @property
    def api(self) -> HfApi:
        # False, not None: with None the client takes the stored token, which may be another hub's.
        return HfApi(endpoint=self.address, token=self.token or False)

    @contextmanager
    def asked(self, what: str) -> Iterator[None]:
        """Turn what the client raises within the block into the project's errors.

        Args:
            what: the repository, or repository@revision, that this is about.

        Raises:
            ModelNotFoundError, UsageError, DownloadError: with the address in the message.
        """
        try:
            yield
        except TarsError:
            raise
        except GatedRepoError as error:
            raise UsageError(f"{what} is gated: ask for access at {self.address}/{what.partition('@')[0]}") from error
        except RevisionNotFoundError as error:
            raise ModelNotFoundError(f"{self.address} has no such revision: {what}") from error
        except RepositoryNotFoundError as error:
            raise ModelNotFoundError(f"{self.address} has no {what}, or {self._doubt}") from error
        except HFValidationError as error:
            raise UsageError(f"{what} is no repository id: {reason_of(error)}") from error
        except Exception as error:  # the client's own kinds, its HTTP library's and those of odd answers
            if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ConnectionError):
                raise  # of this machine: a full disk, a folder that may not be written
            if status_of(error) in (401, 403):
                raise UsageError(f"{self.address} refuses {what} ({reason_of(error)}): {self._doubt}") from error
            raise DownloadError(f"{what} at {self.address}: {reason_of(error)}") from error

    @property
    def _doubt(self) -> str:
        return "the token for it has no right to it" if self.token else f"wants a token, which {self.variable} may hold"

    def files(self, repo: str, sha: str) -> tuple[File, ...]:
        """All files of a commit."""
        listed = self.api.list_repo_tree(repo, revision=sha, recursive=True)
        return tuple(
            File(path=each.path, size=each.size, key=each.lfs.sha256 if each.lfs else each.blob_id)
            for each in listed
            if isinstance(each, RepoFile)
        )
