"""Contents: kept by their SHA-256, whole or as a recipe of chunks, and read back by ranges."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing

from tars_hub.server.blobs.interface import Key, Kind, Reading, Writing
from tars_hub.server.errors import BusyError, HubError, NotFoundError
from tars_hub.server.gitobjects import blob_oid
from tars_hub.server.hub import Hub
from tars_hub.server.records import Content, File, Recipe, Term
from tars_hub.server.rules.freed import arriving
from tars_hub.server.xet.chunks import ChunkTable
from tars_hub.server.xet.xorb import decode_chunks

PIECE_BYTES = 1 << 20
ANSWER_BYTES = 256 << 10  # each client that reads slowly has a few of these waiting for it
_WELL_PACKED = 0.9
_PLAIN_BYTES = 50 * 10**9  # the most that clients fetch without Xet
_TRIES = 5  # against housekeeping that frees the very bytes that come again
_CHUNKS_AT_ONCE, _CHUNKS_AN_ANSWER = 16, 4  # of 64 KiB on the average


def keep_small(hub: Hub, data: bytes) -> File:
    """Keep a file that git holds as it is."""
    for _ in range(_TRIES):
        file = store_small(hub, data)
        try:
            note_small(hub, [file])
        except BusyError:
            continue
        return file
    raise BusyError("housekeeping frees what is sent; send it again")


def store_small(hub: Hub, data: bytes) -> File:
    """Its bytes alone; `note_small` makes it known, for many at once."""
    sha256 = hashlib.sha256(data).hexdigest()
    if hub.blobs.size(Key("file", sha256)) != len(data):
        with hub.blobs.writing() as writing:
            writing.write(data)
            seal_file(hub, writing, sha256)
    return File(oid=blob_oid(data), sha256=sha256, size=len(data), lfs=False)


def note_small(hub: Hub, files: Iterable[File]) -> None:
    """Make files known whose bytes were stored. Raises BusyError where some were freed since."""
    with arriving():
        hub.catalog.contents.add_plain({file.sha256: file.size for file in files}, is_there=is_there(hub, "file"))


def is_there(hub: Hub, kind: Kind) -> Callable[[str], bool]:
    """Whether the blobs have one of this name."""
    return lambda name: hub.blobs.size(Key(kind, name)) is not None


def seal_file(hub: Hub, writing: Writing, sha256: str) -> None:
    """Seal a content of one piece; where its bytes are new, it is whole again, whatever was found before."""
    if writing.seal(Key("file", sha256)):
        hub.damaged.forget(sha256)


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


def give(hub: Hub, sha256: str, start: int, end: int) -> Generator[bytes, None, None]:
    """What `read` reads, for an answer: in small pieces, and what is lost is noticed here, before the first of them.

    Blobs are open from here on; close it where it is not read to its end. What is read whole is hashed on the way,
    and its last piece is held back where it turns out to be damaged: the client then sees that it did not come whole.

    Raises:
        NotFoundError: there is no such content, its bytes are not all there, or it was found to be damaged.
    """
    if sha256 in hub.damaged:
        raise _lost(f"content {sha256}")
    pieces = _given(hub, sha256, start, end)
    next(pieces)
    return _checked(hub, sha256, pieces) if start == 0 and end == content_of(hub, sha256).size else pieces


def _checked(hub: Hub, sha256: str, pieces: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    hasher, held = hashlib.sha256(), b""
    with closing(pieces):
        for piece in pieces:
            hasher.update(piece)
            if held:
                yield held
            held = piece
        if hasher.hexdigest() != sha256:
            hub.damaged.is_new(sha256, None)  # clients ask for the rest at once, and must not get it
            raise OSError(f"content {sha256} is damaged; `tars hub check` says what else is")
        if held:
            yield held


def _given(hub: Hub, sha256: str, start: int, end: int) -> Generator[bytes, None, None]:
    """An empty piece once all is found that will be read, then the bytes."""
    content = content_of(hub, sha256)
    if content.plain:
        with closing(_open(hub, Key("file", sha256))) as reading:
            if reading.size != content.size:
                raise _lost(f"content {sha256}")
            yield b""
            yield from _pieces(reading, start, end, ANSWER_BYTES)
    else:
        recipe = recipe_of(hub, content.xet)
        _check_xorbs(hub, recipe, start, end)
        yield b""
        yield from read_recipe(hub, recipe, start, end, chunks_at_once=_CHUNKS_AN_ANSWER)


def give_blob(hub: Hub, key: Key, start: int, end: int) -> Generator[bytes, None, None]:
    """What `read_blob` reads, for an answer as `give` makes them. Raises NotFoundError."""
    pieces = _given_blob(hub, key, start, end)
    next(pieces)
    return pieces


def _given_blob(hub: Hub, key: Key, start: int, end: int) -> Generator[bytes, None, None]:
    with closing(_open(hub, key)) as reading:
        if reading.size < end:
            raise _lost(f"{key.kind} {key.name}")
        yield b""
        yield from _pieces(reading, start, end, ANSWER_BYTES)


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
    with closing(_open(hub, key)) as reading:
        yield from _pieces(reading, start, end, PIECE_BYTES)


def _pieces(reading: Reading, start: int, end: int, size: int) -> Iterator[bytes]:
    for at in range(start, end, size):
        yield _exactly(reading, at, min(size, end - at))


def read_recipe(
    hub: Hub, recipe: Recipe, start: int, end: int, *, chunks_at_once: int = _CHUNKS_AT_ONCE
) -> Iterator[bytes]:
    """Put a file together from its xorbs, from byte `start` up to and without `end`."""
    name, table = "", None
    for term, first, after in _terms_within(recipe, start, end):
        if table is None or name != term.xorb:  # runs of the same xorb often follow each other
            name, table = term.xorb, chunk_table(hub, term.xorb)
        yield from _read_term(hub, term, table, first, after, chunks_at_once)


def _terms_within(recipe: Recipe, start: int, end: int) -> Iterator[tuple[Term, int, int]]:
    """The terms that the bytes from `start` up to and without `end` touch, and which bytes of each."""
    begins = 0
    for term in recipe.terms:
        ends = begins + term.unpacked_size
        if begins < end and start < ends:
            yield term, max(start - begins, 0), min(end, ends) - begins
        begins = ends


def _read_term(hub: Hub, term: Term, table: ChunkTable, start: int, end: int, chunks_at_once: int) -> Iterator[bytes]:
    chunk, skip = table.chunk_at(start, term.start)
    left = end - start
    with closing(_open(hub, Key("xorb", term.xorb))) as reading:
        while left > 0:
            after = min(chunk + chunks_at_once, term.end)
            first, last = table.packed_range(chunk, after)
            packed = _exactly(reading, first, last - first)
            whole = b"".join(decode_chunks(packed))
            piece = whole[skip : skip + left]
            del packed, whole  # while the client makes up its mind
            yield piece
            left -= len(piece)
            chunk, skip = after, 0


def _check_xorbs(hub: Hub, recipe: Recipe, start: int, end: int) -> None:
    """Raises NotFoundError where one that these bytes are in is not there, or not to its end."""
    for xorb in dict.fromkeys(term.xorb for term, _, _ in _terms_within(recipe, start, end)):
        table = chunk_table(hub, xorb)
        if (hub.blobs.size(Key("xorb", xorb)) or 0) < table.packed_range(0, len(table))[1]:
            raise _lost(f"xorb {xorb}")


def chunk_table(hub: Hub, xorb: str) -> ChunkTable:
    """What lies where in a xorb. Raises NotFoundError."""
    found = hub.catalog.contents.xorbs([xorb]).get(xorb)
    if found is None:
        raise NotFoundError(f"the hub holds no xorb {xorb}")
    return ChunkTable.unpack(found.chunks)


def _open(hub: Hub, key: Key) -> Reading:
    try:
        return hub.blobs.open(key)
    except KeyError:
        raise _lost(f"{'content' if key.kind == 'file' else key.kind} {key.name}") from None


def _lost(what: str) -> NotFoundError:
    return NotFoundError(f"the hub has lost {what}, or a part of it; `tars hub check` tells its owner what else")


def _exactly(reading: Reading, offset: int, length: int) -> bytes:
    data = reading.read_at(offset, length)
    if len(data) != length:
        raise OSError(f"a blob ends before byte {offset + length}; `tars hub check` says which are damaged")
    return data
