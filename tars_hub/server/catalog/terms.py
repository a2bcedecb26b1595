"""A recipe's terms as bytes: 48 for each, so that the 100,000 of a large file are a few megabytes."""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct

from tars_hub.server.records import Term

_TERM = Struct("<32sIIQ")  # hash of the xorb, first chunk, the one after the last, bytes unpacked


def pack(terms: Iterable[Term]) -> bytes:
    """Write terms one after the other."""
    return b"".join(_TERM.pack(bytes.fromhex(term.xorb), term.start, term.end, term.unpacked_size) for term in terms)


def unpack(packed: bytes) -> tuple[Term, ...]:
    """Read what `pack` wrote."""
    return tuple(
        Term(xorb=xorb.hex(), start=start, end=end, unpacked_size=size)
        for xorb, start, end, size in _TERM.iter_unpack(packed)
    )
