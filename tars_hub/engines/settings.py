"""What the environment says about engines."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from tars_hub.engines.engine import EngineName
from tars_hub.errors import UsageError
from tars_hub.limits import from_environment


@dataclass(frozen=True, kw_only=True)
class _Limits:
    """
    Attributes:
        bytes: of all prepared graphs; those that were not used for longest go first.
    """

    bytes: int = 20 << 30


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How engines are chosen, and where prepared graphs lie.

    Attributes:
        engine: which answers where nobody names one; None leaves it to the machine.
        cache: the folder of prepared graphs.
        cache_bytes: what they may take together.
    """

    engine: EngineName | None
    cache: Path
    cache_bytes: int

    @classmethod
    def from_environment(cls) -> Settings:
        """TARS_ENGINE, TARS_CACHE (else below XDG_CACHE_HOME, else ~/.cache) and TARS_CACHE_BYTES.

        Raises:
            UsageError: no such engine, or no such number.
        """
        home = Path(os.environ.get("XDG_CACHE_HOME") or _home() / ".cache") / "tars-hub"
        return cls(
            engine=checked_engine(os.environ.get("TARS_ENGINE") or None),
            cache=Path(os.environ.get("TARS_CACHE") or home) / "engines",
            cache_bytes=from_environment(_Limits, "TARS_CACHE_").bytes,
        )


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # a user that the system does not know: nothing can be kept below this
        return Path(os.devnull)


def checked_engine(name: str | None) -> EngineName | None:
    """The engine of that name. Raises UsageError."""
    if name is not None and name not in get_args(EngineName):
        raise UsageError(f"there is no engine {name!r}; there are {' and '.join(get_args(EngineName))}")
    return name  # type: ignore[return-value]  # one of them
