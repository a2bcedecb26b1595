"""Blobs to keep."""

from __future__ import annotations

import hashlib

from tars_hub.server.blobs.interface import BlobStore, Key, Kind


def key_of(data: bytes, kind: Kind = "file") -> Key:
    return Key(kind, hashlib.sha256(data).hexdigest())


def keep(blobs: BlobStore, data: bytes, key: Key | None = None) -> bool:
    """Write it in one go; whether it was new."""
    with blobs.writing() as writing:
        writing.write(data)
        return writing.seal(key or key_of(data))


def read(blobs: BlobStore, key: Key) -> bytes:
    """The whole of it."""
    reading = blobs.open(key)
    try:
        return reading.read_at(0, reading.size)
    finally:
        reading.close()
