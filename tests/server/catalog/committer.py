"""Commits until it is killed, and prints each name once it is kept: `python -m tests.server.catalog.committer URL`."""

from __future__ import annotations

import secrets
import sys

from tars_hub.server.catalog.sql import SqlCatalog
from tests.server.catalog.samples import commit, file, keep, step


def main(url: str) -> None:
    catalog = SqlCatalog.open(url)
    parent = f"first {secrets.token_hex(8)}"
    repo = catalog.repositories.add("ann", parent.replace(" ", "-"), private=False, first=commit(parent))
    while True:
        name = secrets.token_hex(8)
        files = tuple(file(f"{name} {number}") for number in range(20))
        keep(catalog, *files)
        catalog.history.commit(repo.id, commit(name, parent, files=files), [step(parent, name)])
        sys.stdout.write(f"{repo.id} {name}\n")
        sys.stdout.flush()
        parent = name


if __name__ == "__main__":
    main(*sys.argv[1:])
