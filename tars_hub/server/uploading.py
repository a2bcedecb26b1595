"""Which files of a commit travel within it, which apart from it as large ones, and which not at all.

Knows names, sizes and beginnings alone. Patterns are git's own, of .gitattributes and .gitignore.
"""

from __future__ import annotations

from itertools import islice

from tars_hub.server.patterns import Patience, Pattern, parse_pattern

# What travels apart whatever its size: tensors, archives and pictures change as a whole, and no text tool reads them.
_LARGE = (
    "*.7z *.arrow *.avif *.bin *.bmp *.bz2 *.ckpt *.engine *.ftz *.gguf *.gif *.gz *.h5 *.joblib *.jpeg *.jpg *.lz4 "
    "*.mlmodel *.model *.mp4 *.msgpack *.npy *.npz *.onnx *.onnx_data *.ot *.parquet *.pb *.pdf *.pickle *.pkl *.png "
    "*.pt *.pt2 *.pth *.rar *.safetensors *.tar *.tar.* *.tflite *.tgz *.tif *.tiff *.wasm *.webp *.xz *.zip *.zst "
    "*tfevents*"
).split()

GITATTRIBUTES = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in _LARGE)

# Of each file, which is a stranger's: reading a pattern takes up to 1 ms, and every path is held against all of them.
_MOST_LINES, _MOST_PATTERNS = 2000, 500
_SWITCHES = {"filter=lfs": True, "-filter": False, "!filter": False}


class Attributes:
    """A .gitattributes, as far as it says which files are large; for one request, as its patience ends."""

    def __init__(self, text: str) -> None:
        self._patience = Patience()
        self._lines: list[tuple[Pattern, bool]] = []
        for line in text.splitlines()[:_MOST_LINES]:
            if len(self._lines) == _MOST_PATTERNS:
                break
            written, *words = line.split() or [""]
            switches = [_SWITCHES[word] for word in words if word in _SWITCHES]
            pattern = parse_pattern(written) if switches else None
            if pattern is not None:
                self._lines.append((pattern, switches[-1]))

    def is_large(self, path: str) -> bool:
        """What the last line that fits says."""
        names = path.split("/")
        return next((large for pattern, large in reversed(self._lines) if pattern.fits(names, self._patience)), False)


class Ignored:
    """A .gitignore; for one request, as its patience ends."""

    def __init__(self, text: str) -> None:
        self._patience = Patience()
        found = (parse_pattern(line.rstrip()) for line in text.splitlines()[:_MOST_LINES])
        self._patterns = list(islice((pattern for pattern in found if pattern is not None), _MOST_PATTERNS))

    def has(self, path: str) -> bool:
        """Whether a file is to be left out: the last pattern that fits it, or a folder above it, decides."""
        names = path.split("/")
        for pattern in reversed(self._patterns):
            if pattern.fits_or_holds(names, self._patience):
                return not pattern.negated
        return False


def is_large(path: str, size: int, sample: bytes, attributes: Attributes, *, regular_bytes: int) -> bool:
    """Whether a file travels apart from its commit.

    Args:
        size: in bytes.
        sample: how it begins, up to 512 bytes.
        regular_bytes: the size of the largest file that may travel within a commit.
    """
    if size == 0:
        return False  # the client does so whatever it is told
    if size > regular_bytes:
        return True
    if path in (".gitattributes", ".gitignore", "README.md"):
        return False  # the hub itself reads them
    return attributes.is_large(path) or b"\0" in sample
