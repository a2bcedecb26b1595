"""Addresses among the hub's own that another application answers, which the hub knows nothing of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp


@dataclass(frozen=True, kw_only=True)
class Addition:
    """One address and who answers there, by whatever method.

    Attributes:
        path: such as "/api/models/{namespace}/{name}/predict"; a word in braces is any one part.
        app: gets every request, untouched.
        operations: what OpenAPI says of the methods that do something there, by their names in lower case.
    """

    path: str
    app: ASGIApp
    operations: Mapping[str, Any]

    @property
    def pattern(self) -> re.Pattern[str]:
        """What paths, as they were sent, are this address."""
        return re.compile("[^/]+".join(map(re.escape, re.split(r"\{\w+\}", self.path))))
