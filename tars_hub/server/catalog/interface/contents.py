"""What is kept, and in which form."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from tars_hub.server.records import Content, Recipe, Xorb


class Contents(Protocol):
    """What is kept, in which form, and which repository may name it.

    A content is linked to a repository when it was uploaded for it, and committed when a commit names it there.
    Whatever comes in, or is offered to a client, is kept for a while from then on, also where nothing names it.
    """

    def add_plain(
        self, sizes: Mapping[str, int], *, is_there: Callable[[str], bool] | None = None, repo_id: int | None = None
    ) -> None:
        """The blobs have these contents, each as one piece; their sizes by SHA-256.

        Args:
            is_there: whether the blobs still have one; asked where nobody can remove it any more.
            repo_id: link them to this repository at once.

        Raises:
            GoneError: one is not there; some of the others may have been added.
        """
        ...

    def add_xorb(self, xorb: Xorb, *, is_there: Callable[[str], bool] | None = None) -> None:
        """Raises GoneError as `add_plain` does."""
        ...

    def xorbs(self, hashes: Collection[str]) -> dict[str, Xorb]: ...

    def add_recipe(self, recipe: Recipe, *, chunks: Collection[str], repo_id: int | None = None) -> None:
        """Keep a recipe, and the hashes of those of its chunks by which others may find it.

        Args:
            repo_id: link its content to this repository at once.

        Raises:
            GoneError: a xorb of it is not kept.
        """
        ...

    def offer(self, *, contents: Collection[str] = (), xorbs: Collection[str] = ()) -> None:
        """A client is about to be told that these are there, or named them: those that are stay for a while."""
        ...

    def recipe(self, xet: str) -> Recipe | None: ...

    def recipes_with(self, chunk: str) -> list[tuple[str, tuple[int, ...]]]:
        """Xet hashes of recipes that hold this chunk, each with the repositories where a commit names its content.

        At most 20, newest first.
        """
        ...

    def get(self, sha256s: Collection[str]) -> dict[str, Content]: ...

    def link(self, repo_id: int, sha256s: Collection[str]) -> None:
        """Uploaded for this repository, and not committed yet where it was not. Raises GoneError."""
        ...

    def linked(self, repo_id: int, sha256s: Collection[str]) -> Mapping[str, bool]:
        """Those that are linked to the repository, with whether a commit there names them."""
        ...

    def used_bytes(self, namespace: str, *, also: int | None = None) -> int:
        """What the repositories of a namespace hold, each content once; `also` is one more, by its id.

        Held is what is linked, committed or not. Sizes are those of whole contents, however they are kept.
        """
        ...

    def used_by(self, repo_ids: Collection[int]) -> dict[int, int]:
        """What each of these repositories holds, in bytes."""
        ...

    def held(self, namespace: str, sha256s: Collection[str]) -> set[str]:
        """Those that a repository of the namespace holds."""
        ...

    def sizes_held(self, namespace: str, sizes: Collection[int]) -> set[int]:
        """Those of these sizes, in bytes, that a content has that a repository of the namespace holds."""
        ...

    def all_plain(self, after: str, limit: int) -> list[Content]:
        """Contents kept as one piece, in the order of their SHA-256, those after this one."""
        ...

    def all_recipes(self, after: str, limit: int) -> list[Recipe]: ...

    def all_xorbs(self, after: str, limit: int) -> list[Xorb]: ...
