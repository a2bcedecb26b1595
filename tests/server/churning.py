"""Push, remove, squash and begin again without end, as a process of its own: ``python churning.py NAME SEED JOURNAL``.

Every step is written down as a line of JSON: what it was, and what it came to, "done" or the error. Another client does
the same in the repository that both share, and housekeeping frees what it finds with next to no grace.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pushing
from huggingface_hub import HfApi


class Churner:
    """One client and its repositories."""

    def __init__(self, name: str, seed: int) -> None:
        self.api, self.chance = HfApi(), random.Random(seed)  # noqa: S311
        self.own, self.shared = f"owner/{name}", "owner/shared"
        self.steps: list[Callable[[], object]] = [
            *[self.push] * 6,
            *[self.push_to_shared] * 2,
            *[self.push_to_branch] * 2,
            self.push_the_same,
            self.propose,
            self.drop_branches,
            self.squash,
            self.begin_again,
        ]

    def step(self) -> dict[str, str]:
        step = self.chance.choice(self.steps)
        try:
            self.api.create_repo(self.own, exist_ok=True)
            step()
        except Exception as error:
            return {"step": step.__name__, "outcome": _said(error)}
        return {"step": step.__name__, "outcome": "done"}

    def push(self) -> None:
        self._push(self.own, "main")

    def push_to_shared(self) -> None:
        self._push(self.shared, "main")

    def push_the_same(self) -> None:
        """What was there before, and may have been freed: the client remembers its chunks."""
        data = random.Random(99).randbytes(700_000)  # noqa: S311
        self._commit(self.own, "main", [pushing.CommitOperationAdd("same.safetensors", data)])
        self._commit(self.own, "main", [pushing.CommitOperationDelete("same.safetensors")])

    def push_to_branch(self) -> None:
        branch = f"b{self.chance.randrange(4)}"
        self.api.create_branch(self.own, branch=branch, exist_ok=True)
        self._push(self.own, branch)

    def propose(self) -> None:
        operations, _ = pushing._operations(self.chance, {})
        self.api.create_commit(self.own, operations, commit_message="propose", create_pr=True)

    def drop_branches(self) -> None:
        for branch in self.api.list_repo_refs(self.own).branches:
            if branch.name != "main":
                self.api.delete_branch(self.own, branch=branch.name)

    def squash(self) -> None:
        self.api.super_squash_history(self.own)

    def begin_again(self) -> None:
        self.api.delete_repo(self.own)
        self.api.create_repo(self.own)

    def _push(self, repo: str, branch: str) -> None:
        there = {
            entry.path: ""
            for entry in self.api.list_repo_tree(repo, revision=branch, recursive=True)
            if _is_file(entry)
        }
        self._commit(repo, branch, pushing._operations(self.chance, {} if repo == self.shared else there)[0])

    def _commit(self, repo: str, branch: str, operations: list[object]) -> None:
        self.api.create_commit(repo, operations, revision=branch, commit_message=f"push {self.chance.random()}")


def _said(error: BaseException) -> str:
    """The error and what led to it: some clients put the hub's own words into the cause alone."""
    cause = error.__cause__ or error.__context__
    said = f"{type(error).__name__}: {error}"
    return f"{said} <- {_said(cause)}" if cause else said


def _is_file(entry: object) -> bool:
    return bool(getattr(entry, "blob_id", None)) and getattr(entry, "path", "") != ".gitattributes"


def main() -> None:
    churner, journal = Churner(sys.argv[1], int(sys.argv[2])), Path(sys.argv[3])
    churner.api.create_repo(churner.shared, exist_ok=True)
    parent = os.getppid()
    with journal.open("a") as lines:
        while os.getppid() == parent:
            lines.write(json.dumps(churner.step()) + "\n")
            lines.flush()


if __name__ == "__main__":
    main()
