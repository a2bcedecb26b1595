"""Contents: kept by their SHA-256, whole or as a recipe of chunks, and read back by ranges."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing

from tars_hub.server.blobs.interface import Key, Reading
from tars_hub.server.errors import HubError, NotFoundError
from tars_hub.server.gitobjects import blob_oid
from tars_hub.server.hub import Hub
from tars_hub.server.records import Content, File, Recipe, Term
from tars_hub.server.xet.chunks import ChunkTable
from tars_hub.server.xet.xorb import decode_chunks

PIECE_BYTES = 1 << 20
_WELL_PACKED = 0.9
_PLAIN_BYTES = 50 * 10**9  # the most that clients fetch without Xet
_CHUNKS_AT_ONCE = 16  # of 64 KiB on the average


def keep_small(hub: Hub, data: bytes) -> File:
    """Keep a file that git holds as it is."""
    sha256 = hashlib.sha256(data).hexdigest()
    if hub.blobs.size(Key("file", sha256)) != len(data):
        with hub.blobs.writing() as writing:
            writing.write(data)
            writing.seal(Key("file", sha256))
    hub.catalog.contents.add_plain(sha256, len(data))
    return File(oid=blob_oid(data), sha256=sha256, size=len(data), lfs=False)


def content_of(hub: Hub, sha256: str) -> Content:
    """What is kept under this name.

    Raises:
        NotFoundError: nothing.
    """
    content = hub.catalog.contents.get([sha256]).get(sha256)
    if content is None:
        raise NotFoundError(f"the hub holds no content {sha256}")
    return content


def xet_where_it_helps(hub: Hub, sha256: str) -> str:
    """The Xet hash by which clients had better download a content; empty where plain HTTP is as good.

    It moves fewer bytes where chunks are packed well or repeat themselves, and it is the one way that clients
    take for the largest files. Elsewhere it costs them three requests more and gains nothing.
    """
    content = content_of(hub, sha256)
    recipe = hub.catalog.contents.recipe(content.xet) if content.xet else None
    if recipe is None:
        return ""
    helps = recipe.packed_size < _WELL_PACKED * recipe.size or recipe.size > _PLAIN_BYTES
    return recipe.hash if helps else ""


def read(hub: Hub, sha256: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """The bytes of a content from `start` up to and without `end`, a piece at a time."""
    content = content_of(hub, sha256)
    end = content.size if end is None else min(end, content.size)
    if content.plain:
        yield from read_blob(hub, Key("file", content.sha256), start, end)
    else:
        yield from read_recipe(hub, recipe_of(hub, content.xet), start, end)


def read_all(hub: Hub, sha256: str, *, limit: int) -> bytes:
    """A whole content, which must be no larger than `limit` bytes."""
    content = content_of(hub, sha256)
    if content.size > limit:
        raise HubError(f"a file of {content.size} bytes is too large to be read for this; {limit} would be the most")
    return b"".join(read(hub, sha256))


def recipe_of(hub: Hub, xet: str) -> Recipe:
    """Raises NotFoundError."""
    recipe = hub.catalog.contents.recipe(xet)
    if recipe is None:
        raise NotFoundError(f"the hub has no recipe for {xet}")
    return recipe


def read_blob(hub: Hub, key: Key, start: int, end: int) -> Iterator[bytes]:
    """The bytes of a blob from `start` up to and without `end`, a piece at a time."""
    with closing(hub.blobs.open(key)) as reading:
        for at in range(start, end, PIECE_BYTES):
            yield _exactly(reading, at, min(PIECE_BYTES, end - at))


def read_recipe(hub: Hub, recipe: Recipe, start: int, end: int) -> Iterator[bytes]:
    """Put a file together from its xorbs, from byte `start` up to and without `end`."""
    begins = 0
    name, table = "", None
    for term in recipe.terms:
        ends = begins + term.unpacked_size
        if begins < end and start < ends:
            if table is None or name != term.xorb:  # runs of the same xorb often follow each other
                name, table = term.xorb, chunk_table(hub, term.xorb)
            yield from _read_term(hub, term, table, max(start - begins, 0), min(end, ends) - begins)
        begins = ends


def _read_term(hub: Hub, term: Term, table: ChunkTable, start: int, end: int) -> Iterator[bytes]:
    chunk, skip = table.chunk_at(start, term.start)
    left = end - start
    with closing(hub.blobs.open(Key("xorb", term.xorb))) as reading:
        while left > 0:
            after = min(chunk + _CHUNKS_AT_ONCE, term.end)
            first, last = table.packed_range(chunk, after)
            piece = b"".join(decode_chunks(_exactly(reading, first, last - first)))[skip : skip + left]
            yield piece
            left -= len(piece)
            chunk, skip = after, 0


def chunk_table(hub: Hub, xorb: str) -> ChunkTable:
    """What lies where in a xorb. Raises NotFoundError."""
    found = hub.catalog.contents.xorbs([xorb]).get(xorb)
    if found is None:
        raise NotFoundError(f"the hub holds no xorb {xorb}")
    return ChunkTable.unpack(found.chunks)


def _exactly(reading: Reading, offset: int, length: int) -> bytes:
    data = reading.read_at(offset, length)
    if len(data) != length:
        raise OSError(f"a blob ends before byte {offset + length}; `tars hub check` says which are damaged")
    return data
