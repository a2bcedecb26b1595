"""Make xorbs and shards by hand, right and wrong ones: the hub itself only ever reads them."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import lz4.frame  # type: ignore[import-untyped]
import numpy as np

from tars_hub.server.xet.xorb import ReceivedXorb, XorbReceiver

TAG = bytes.fromhex("48465265706f4d65746144617461") + bytes.fromhex("00556967456a7b815783a5bdd95ccdd14aa9")
BOOKEND = b"\xff" * 32 + bytes(16)


def some_chunks(seed: int, lengths: Iterable[int]) -> list[bytes]:
    """Return chunks of bytes that pack to about half: noise, but for every second run of 32."""
    rng = np.random.default_rng(seed)
    return [b"".join(rng.bytes(32) + bytes(32) for _ in range(length // 64 + 1))[:length] for length in lengths]


def noise(seed: int, length: int) -> bytes:
    """Return bytes that do not pack."""
    return np.random.default_rng(seed).bytes(length)


def grouped(data: bytes) -> bytes:
    """Put all first bytes of the 4-byte groups before all second ones, and so on."""
    return b"".join(data[place::4] for place in range(4))


def packed_chunk(data: bytes, scheme: int, *, says: int | None = None, version: int = 0) -> bytes:
    """Pack one chunk; `says` overrides the unpacked length in its header."""
    packed: bytes = data if scheme == 0 else lz4.frame.compress(grouped(data) if scheme == 2 else data)
    return raw_chunk(packed, scheme, len(data) if says is None else says, version=version)


def raw_chunk(packed: bytes, scheme: int, unpacked: int, *, version: int = 0) -> bytes:
    """Put any header before any bytes."""
    lengths = len(packed).to_bytes(3, "little"), unpacked.to_bytes(3, "little")
    return bytes([version]) + lengths[0] + bytes([scheme]) + lengths[1] + packed


def xorb_of(chunks: Iterable[bytes], schemes: Iterable[int]) -> bytes:
    """Serialize a xorb without a footer."""
    return b"".join(packed_chunk(chunk, scheme) for chunk, scheme in zip(chunks, schemes, strict=True))


def footer_of(count: int) -> bytes:
    """Make a footer as long as that of xet-core for so many chunks."""
    hashes = b"XBLBHSH\0" + struct.pack("<I", count) + bytes(32 * count)
    bounds = b"XBLBBND\x01" + struct.pack("<I", count) + bytes(8 * count)
    return b"XETBLOB\x01" + bytes(32) + hashes + bounds + bytes(4 + 4 + 4 + 16) + struct.pack("<I", 92 + 40 * count)


def received(data: bytes, slice_bytes: int = 1 << 20) -> tuple[ReceivedXorb, bytes]:
    """Feed a receiver slice by slice; return what it found and what it would have stored."""
    receiver = XorbReceiver()
    stored = b"".join(receiver.feed(data[at : at + slice_bytes]) for at in range(0, len(data), slice_bytes))
    return receiver.finish(), stored


def record(raw: bytes, *numbers: int) -> bytes:
    """Make one shard record of 48 bytes."""
    return struct.pack("<32s4I", raw, *numbers, *[0] * (4 - len(numbers)))


def shard_of(*records: bytes, footer_bytes: int = 0) -> bytes:
    """Make a shard of file records; it describes no xorbs."""
    return struct.pack("<32sQQ", TAG, 2, footer_bytes) + b"".join(records) + BOOKEND + BOOKEND
