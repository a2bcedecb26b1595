"""What a safetensors file of a revision holds, from its header alone."""

from __future__ import annotations

from dataclasses import dataclass

from tars_hub.server.hub import Hub
from tars_hub.server.records import File
from tars_hub.server.rules.contents import read
from tars_hub.server.tensors import LENGTH_BYTES, TensorError, TensorFile, header_length, read_header

SUFFIX = ".safetensors"
# Python objects of a header take ten times its room. The longest that was seen has 5 MB.
_HEADER_BYTES = 8 << 20


@dataclass(frozen=True)
class Opened:
    """A file's header, and where in the file the first tensor begins."""

    header: TensorFile
    begins: int


def open_tensors(hub: Hub, file: File) -> Opened:
    """Read the header of a file.

    Raises:
        TensorError: there is none, it is too long to be read here, or the file ends elsewhere than it says.
        NotFoundError, OSError: the bytes are lost.
    """
    length = header_length(b"".join(read(hub, file.sha256, 0, LENGTH_BYTES)))
    if length > _HEADER_BYTES:
        raise TensorError(f"a header of {length:,} bytes is too long to be shown; {_HEADER_BYTES:,} would be the most")
    begins = LENGTH_BYTES + length
    header = read_header(b"".join(read(hub, file.sha256, LENGTH_BYTES, begins)))
    end = begins + max((tensor.last for tensor in header.tensors), default=0)
    if end != file.size:
        raise TensorError(f"the header speaks of a file of {end:,} bytes, this one has {file.size:,}")
    return Opened(header, begins)
