"""Real git, as the judge of ids."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from tars_hub.server.gitobjects import TreeEntry


class Git:
    """An empty repository of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        self._run("init", "--quiet", "--bare")

    def keep(self, kind: str, data: bytes) -> str:
        """Keep an object; its id. Git checks what it is given."""
        return self._run("hash-object", "-w", "-t", kind, "--stdin", given=data).decode().strip()

    def read(self, kind: str, oid: str) -> bytes:
        return self._run("cat-file", kind, oid)

    def make_tree(self, entries: Iterable[TreeEntry]) -> str:
        """The id of a tree, whose entries may come in any order."""
        lines = [
            f"{'040000 tree' if entry.is_tree else '100644 blob'} {entry.oid}\t{entry.name}\0" for entry in entries
        ]
        return self._run("mktree", "-z", "--missing", given="".join(lines).encode()).decode().strip()

    def write_tree(self, files: Mapping[str, str]) -> str:
        """The id of the tree of these blobs, by their paths."""
        (self._folder / "index").unlink(missing_ok=True)
        lines = "".join(f"100644 {oid}\t{path}\0" for path, oid in files.items())
        self._run("update-index", "-z", "--index-info", given=lines.encode())
        return self._run("write-tree", "--missing-ok").decode().strip()

    def commit(self, tree: str, parents: Iterable[str], author: str, at: datetime, message: str) -> str:
        when = f"{int(at.timestamp())} +0000"
        who = {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", author), ("EMAIL", f"{author}@users.noreply"), ("DATE", when))
        }
        words = [word for parent in parents for word in ("-p", parent)]
        return self._run("commit-tree", tree, *words, given=message.encode(), **who).decode().strip()

    def _run(self, *words: str, given: bytes = b"", **environment: str) -> bytes:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        env = {**inherited, "GIT_DIR": str(self._folder), "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(self._folder)}
        command = ["git", *words]
        done = subprocess.run(command, input=given, capture_output=True, check=False, env={**env, **environment})
        assert done.returncode == 0, f"{command}: {done.stderr.decode(errors='replace')}"
        return done.stdout
