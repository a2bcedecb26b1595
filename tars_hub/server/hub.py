"""One hub: what all its rules work on. They lie in `rules/`; this is only where they find things."""

from __future__ import annotations

from dataclasses import dataclass

from tars_hub.server.blobs.interface import BlobStore
from tars_hub.server.catalog.interface import Catalog
from tars_hub.server.settings import Limits, Settings
from tars_hub.server.signing import Signer


@dataclass(frozen=True, kw_only=True)
class Hub:
    """A running hub: bytes, everything else, and what it signs with."""

    settings: Settings
    catalog: Catalog
    blobs: BlobStore
    signer: Signer

    @property
    def limits(self) -> Limits:
        return self.settings.limits
