"""One file over a line that may break: what is there already is kept, and only the rest is asked for."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from huggingface_hub import get_session
from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined]  # its way of exporting

from tars_hub.errors import DownloadError
from tars_hub.mirror.content import Digests, File, Names
from tars_hub.refusals import reason_of, status_of

OnBytes = Callable[[int], object]

_TRIES = 5  # in a row that bring nothing
_WAIT_S = 0.5  # before the second try; doubles
_TIMEOUT_S = 30.0  # between two pieces
_PIECE = 1 << 20
_FOR_NOW = {0, 408, 425, 429, 500, 502, 503, 504}  # 0: no answer at all
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


def fetch(url: str, part: Path, file: File, *, token: str | None, on_bytes: OnBytes) -> Names:
    """Make `part` hold the whole file, whatever it holds now, and say what the content is called.

    Args:
        on_bytes: is told how many bytes came; a negative number takes back what turned out to be useless.

    Raises:
        DownloadError: the hub stopped answering, and the part stays; or it sent what it did not announce, and it goes.
    """
    spoiled = False
    tries = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            names = _go_on(url, part, file, token=token, on_bytes=on_bytes)
        except Exception as error:  # of the HTTP library, whose name changes between versions of the client
            if _is_final(error):
                raise
            tries = 1 if part.exists() and part.stat().st_size > before else tries + 1
            if tries >= _TRIES:
                raise DownloadError(f"{file.path}: the download broke off ({reason_of(error)})") from error
            time.sleep(_WAIT_S * 2 ** (tries - 1))
            continue
        if names.fits(file.key):
            return names
        on_bytes(-part.stat().st_size)
        part.unlink()
        if spoiled:
            raise DownloadError(f"{file.path}: what {url} sends is not what it announced; try again later")
        spoiled = True


def _is_final(error: Exception) -> bool:
    """Whether another try cannot help: a refusal, or a trouble of this machine's, such as a full disk."""
    ours = isinstance(error, OSError) and error.errno is not None and not isinstance(error, ConnectionError)
    return ours or status_of(error) not in _FOR_NOW


def _go_on(url: str, part: Path, file: File, *, token: str | None, on_bytes: OnBytes) -> Names:
    with part.open("a+b") as stream:
        if stream.tell() > file.size:
            on_bytes(-stream.tell())
            _empty(stream)
        digests = _read(stream, file.size)
        if stream.tell() < file.size:
            digests = _receive(url, stream, file, digests, token=token, on_bytes=on_bytes)
        stream.flush()
        os.fsync(stream.fileno())
    return digests.names


def _read(stream: IO[bytes], size: int) -> Digests:
    """What is there already; leaves the stream at its end."""
    digests = Digests(size)
    stream.seek(0)
    while piece := stream.read(_PIECE):
        digests.update(piece)
    return digests


def _receive(
    url: str, stream: IO[bytes], file: File, digests: Digests, *, token: str | None, on_bytes: OnBytes
) -> Digests:
    have = stream.tell()
    # Compressed on the way, bytes would not be those that are counted.
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    with get_session().stream("GET", url, headers=headers, timeout=_TIMEOUT_S) as answer:
        if have and not _is_the_rest(answer, have, file.size):
            on_bytes(-have)
            _empty(stream)
            digests = Digests(file.size)
            if answer.status_code != 200:
                raise ConnectionError("the hub cannot go on where the download broke off")
        hf_raise_for_status(answer)
        for piece in answer.iter_bytes():
            stream.write(piece)
            digests.update(piece)
            on_bytes(len(piece))
            if stream.tell() > file.size:
                break  # more than announced: the digests will not fit either
    if stream.tell() < file.size:
        raise ConnectionError(f"{stream.tell():,} of {file.size:,} bytes came")
    return digests


def _is_the_rest(answer: Any, have: int, size: int) -> bool:  # noqa: ANN401  # its library's name changes
    """Whether the answer goes on where the part ends; of a refusal, which says nothing of the part, it is true too."""
    if answer.status_code != 206:
        return answer.status_code not in (200, 416)
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    return found is not None and int(found[1]) == have and found[2] in (str(size), "*")


def _empty(stream: IO[bytes]) -> None:
    stream.seek(0)
    stream.truncate()
