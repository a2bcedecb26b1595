"""Push without end, as a process of its own: ``python pushing.py REPO SEED JOURNAL``.

Every commit that the hub has answered for is written down as a line of JSON: its id, and the files there are then:
large ones by the SHA-256 of their content, others by their git id. What fails is tried again with other files; the hub
is killed all the time.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

_sleep = time.sleep
time.sleep = lambda seconds: _sleep(min(seconds, 0.2))  # the client's own tries wait long for a hub that is soon back


def _weights(chance: random.Random) -> bytes:
    """A common base with a head of its own, as models that were tuned have."""
    base = random.Random(7).randbytes(1_500_000)  # noqa: S311
    return base + chance.randbytes(chance.randrange(1, 600_000))


def _id(name: str, data: bytes) -> str:
    if name.endswith(".safetensors"):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0%s" % (len(data), data)).hexdigest()  # noqa: S324  # git's


def _operations(chance: random.Random, files: dict[str, str]) -> tuple[list[Any], dict[str, str]]:
    """What to commit, and the files there are after it."""
    after, operations = dict(files), list[Any]()
    for _ in range(chance.randrange(1, 4)):
        folder = chance.choice(["", "a/", "a/b/"])
        name, data = chance.choice(
            [
                (f"{folder}model-{chance.randrange(3)}.safetensors", _weights(chance)),
                (f"{folder}note-{chance.randrange(5)}.txt", chance.randbytes(chance.randrange(1, 400)).hex().encode()),
                ("config.json", json.dumps({"at": chance.random()}).encode()),
            ]
        )
        if name in {operation.path_in_repo for operation in operations}:
            continue
        operations.append(CommitOperationAdd(name, data))
        after[name] = _id(name, data)
    untouched = sorted(files.keys() - {operation.path_in_repo for operation in operations})
    if untouched and chance.random() < 0.3:
        operations.append(CommitOperationDelete(untouched[0]))
        del after[untouched[0]]
    return operations, after


def _now(api: HfApi, repo: str) -> dict[str, str]:
    """The files there are: a commit whose answer was lost may have come to be."""
    found = {}
    for entry in api.list_repo_tree(repo, recursive=True):
        if getattr(entry, "blob_id", None):
            found[entry.path] = entry.lfs.sha256 if entry.lfs else entry.blob_id
    return found


def main() -> None:
    repo, seed, journal = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    chance, api = random.Random(seed), HfApi()  # noqa: S311
    parent = os.getppid()
    with journal.open("a") as lines:
        while os.getppid() == parent:
            try:
                api.create_repo(repo, exist_ok=True)
                for _ in range(5):
                    operations, after = _operations(chance, _now(api, repo))
                    made = api.create_commit(repo, operations, commit_message=f"push {chance.random()}")
                    lines.write(json.dumps({"repo": repo, "oid": made.oid, "files": after}) + "\n")
                    lines.flush()
            except Exception as error:  # whatever it is, the hub was killed in the midst of it
                sys.stderr.write(f"{type(error).__name__}: {error}"[:300].replace("\n", " ") + "\n")
                sys.stderr.flush()
                _sleep(0.05)


if __name__ == "__main__":
    main()
