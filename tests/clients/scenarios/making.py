"""Files of many kinds for the scripts to push, the same at every run."""

from __future__ import annotations

import hashlib
import json
import random
import struct


def noise(count: int, seed: int) -> bytes:
    """`count` bytes that nothing compresses."""
    return random.Random(seed).randbytes(count)  # noqa: S311  # content, not a secret


def floats(count: int, seed: int) -> bytes:
    """`count` float32 below 1, as weights are: only the bytes of their signs and exponents compress."""
    content = bytearray(noise(4 * count, seed))
    content[3::4] = bytes(content[3::4]).translate(bytes(0x3C + code % 4 + (code & 0x80) for code in range(256)))
    return bytes(content)


def safetensors(classes: int = 10, *, body_bytes: int = 4 << 20, seed: int = 1, head_seed: int = 2) -> bytes:
    """A valid file: a head of `classes` in the midst of `body_bytes` of other weights, and metadata."""
    parts = {"conv1": noise(body_bytes // 4, seed), "fc": noise(classes * 2048, head_seed)}
    parts["layer4"] = noise(body_bytes - body_bytes // 4, seed + 100)
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, content in parts.items():
        shape = [classes, 512] if name == "fc" else [len(content) // 4]
        header |= {name: {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + len(content)]}}
        offset += len(content)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(parts.values())


def blob_id(content: bytes) -> str:
    """What git calls these bytes."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()  # noqa: S324  # git's own choice


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def pointer(content: bytes) -> bytes:
    """The text that stands in a git tree for a large file."""
    return b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n" % (
        sha256(content).encode(),
        len(content),
    )
