"""One hub: what all its rules work on. They lie in `rules/`; this is only where they find things."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import BoundedSemaphore

from tars_hub.server.blobs.interface import BlobStore
from tars_hub.server.catalog.interface import Catalog
from tars_hub.server.recent import Recent
from tars_hub.server.records import Facts
from tars_hub.server.settings import Limits, Settings
from tars_hub.server.signing import Signer


@dataclass(frozen=True, kw_only=True)
class Hub:
    """A running hub: bytes, everything else, and what it signs with."""

    settings: Settings
    catalog: Catalog
    blobs: BlobStore
    signer: Signer
    # Facts of revisions that are asked for again and again, by the id of their tree.
    facts: Recent[str, Facts] = field(default_factory=lambda: Recent(1000))
    # Uploads, by what the client calls them and by repository, that were told of the repository's own chunks.
    told: Recent[tuple[str, int], None] = field(default_factory=lambda: Recent(10_000))
    # Contents that were found to be damaged as they were read.
    damaged: Recent[str, None] = field(default_factory=lambda: Recent(10_000))
    # Requests that read long headers or compare tensors take a turn each; more at once would leave nothing for others.
    turns: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(2))

    @property
    def limits(self) -> Limits:
        return self.settings.limits
