"""What the scripts of this folder stand on; it runs in every client's environment, so it imports nothing of ours.

A script is a row of functions `check_…(at)` that share one `World`. They run in the order they are written in; one that
fails is told with what it had in hand and what the hub had answered, and the next one runs all the same.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType
from typing import Any

from huggingface_hub import HfApi

FACTS: dict[str, Any] = json.loads(os.environ["TARS_SCENARIO"])


class World:
    """A client with a token, a folder to work in, and a repository per check that wants one."""

    def __init__(self) -> None:
        self.user: str = FACTS["user"]
        self.token: str = FACTS["token"]
        self.xet: bool = FACTS["xet"]
        self.folder = Path(FACTS.get("folder", "."))
        self.api = self.as_(self.token)
        self.kept: dict[str, Any] = {}

    def as_(self, token: str | bool) -> HfApi:
        """The client of somebody else; False is nobody."""
        return HfApi(endpoint=FACTS["url"], token=token)

    def new_repo(self, name: str, **options: Any) -> str:
        """Create a repository, and return its id."""
        return self.api.create_repo(f"{self.user}/{name}", **options).repo_id

    def file(self, name: str, content: str | bytes) -> Path:
        """Write a file below the working folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def read(self, repo: str, path: str, revision: str | None = None) -> bytes:
        """What a file of the hub holds, downloaded past every cache."""
        target = self.folder / "fresh" / str(len(list((self.folder / "fresh").glob("*"))))
        return Path(
            self.api.hf_hub_download(repo, path, revision=revision, local_dir=target, force_download=True)
        ).read_bytes()

    def head(self, repo: str, revision: str = "main") -> str:
        """The commit that a revision names now."""
        sha = self.api.repo_info(repo, revision=revision).sha
        assert sha
        return sha

    def files(self, repo: str, revision: str = "main") -> set[str]:
        """All paths but the one that the hub itself puts there."""
        return {*self.api.list_repo_files(repo, revision=revision)} - {".gitattributes"}


@contextmanager
def fails(kind: type[Exception], *words: str, status: int | None = None) -> Iterator[None]:
    """Demand an error of exactly this type, whose text has these words and whose answer had this status."""
    caught = Caught()
    with caught:
        yield
    error = caught.error
    assert error is not None, f"no {kind.__name__}"
    assert type(error) is kind, f"{type(error).__name__} instead of {kind.__name__}: {error}{_answered(error)}"
    missing = [word for word in words if word.lower() not in str(error).lower()]
    assert not missing, f"{missing} is not said in: {error}{_answered(error)}"
    assert status in {None, _status(error)}, f"{_status(error)} instead of {status}: {error}{_answered(error)}"


@contextmanager
def refused(what: object, *words: str, by: set[int] | None = None) -> Iterator[None]:
    """Demand that the hub refuses with one of these statuses, else any that blames the caller, or the client does."""
    caught = Caught()
    with caught:
        yield
    error = caught.error
    assert error is not None, f"not refused: {what!r}"
    ours = isinstance(error, ValueError) and _status(error) is None and by is None
    assert ours or (_status(error) or 0) in (by or range(400, 500)), f"{what!r}: {error}{_answered(error)}"
    missing = [word for word in words if word.lower() not in str(error).lower()]
    assert not missing, f"{missing} is not said in: {error}{_answered(error)}"


class Caught:
    """Keeps what is raised, to be looked at afterwards."""

    error: Exception | None = None

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, Exception):
            self.error = error
        return self.error is not None


def _status(error: Exception) -> int | None:
    response = getattr(error, "response", None)
    return None if response is None else int(response.status_code)


def run() -> None:
    """Run the checks of the script that was started, and tell how each ended, as one line of JSON."""
    at, script = World(), sys.modules["__main__"]
    checks = {name: item for name, item in vars(script).items() if name.startswith("check_")}
    tell({name: _outcome(check, at) for name, check in checks.items() if isinstance(check, FunctionType)})


def tell(facts: Any) -> None:
    """Say it to the test that started this script."""
    sys.stdout.write(f"\n{json.dumps(facts)}\n")


def _outcome(check: Callable[[World], None], at: World) -> str:
    try:
        check(at)
    except Exception as error:  # the test shows it
        return f"{_where(error)}{_in_hand(error)}{type(error).__name__}: {error}\n{_answered(error)}"
    return "ok"


def _where(error: Exception) -> str:
    """The lines of the scripts on the way to an error, without those of the client."""
    frames = traceback.extract_tb(error.__traceback__)[1:]
    return "".join(f"{Path(at.filename).name}:{at.lineno}: {at.line}\n" for at in frames if "scenarios" in at.filename)


def _in_hand(error: Exception) -> str:
    """The variables of the check where it failed."""
    frame = error.__traceback__ and error.__traceback__.tb_next
    values = frame.tb_frame.f_locals if frame else {}
    return "".join(f"  {name} = {value!r:.300}\n" for name, value in values.items() if name != "at")


def _answered(error: Exception) -> str:
    """The request behind an error, and what the hub answered."""
    response = getattr(error, "response", None)
    if response is None:
        return ""
    request = response.request
    sent = request.content[:400] if hasattr(request, "_content") else b""
    told = {name: value for name, value in response.headers.items() if name not in {"date", "server"}}
    return f"\n{request.method} {request.url} {sent!r}\n{response.status_code} {told}\n{response.text[:800]}\n"
