"""Bytes that are kept, and how they are put together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Content:
    """A content that is kept, whole and verified.

    Attributes:
        plain: whether the blobs have it as one piece.
        xet: the Xet hash of the recipe by which it is put together from xorbs; empty without one.
    """

    sha256: str
    size: int
    plain: bool
    xet: str


@dataclass(frozen=True, kw_only=True)
class Xorb:
    """A xorb that is kept; `chunks` is a packed table of what lies in it."""

    hash: str
    size: int
    unpacked_size: int
    chunks: bytes


@dataclass(frozen=True, kw_only=True)
class Term:
    """A run of chunks, `start` up to and without `end`, of one xorb."""

    xorb: str
    start: int
    end: int
    unpacked_size: int


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a file is put together from xorbs; `hash` is its Xet hash.

    Attributes:
        packed_size: bytes that are moved to get the whole of it as the xorbs hold it, each run once.
    """

    hash: str
    sha256: str
    size: int
    packed_size: int
    terms: tuple[Term, ...]
