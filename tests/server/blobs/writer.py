"""Writes blobs until killed, and prints each name once it is sealed: `python -m tests.server.blobs.writer FOLDER`."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from tars_hub.server.blobs.local import LocalBlobs
from tests.server.blobs.samples import key_of


def main(folder: str) -> None:
    blobs = LocalBlobs(Path(folder))
    while True:
        data = random.randbytes(random.randrange(1, 2_000_000))  # noqa: S311
        with blobs.writing() as writing:
            for start in range(0, len(data), 100_000):
                writing.write(data[start : start + 100_000])
            writing.seal(key_of(data))
        sys.stdout.write(key_of(data).name + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
