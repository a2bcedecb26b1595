"""What holds the space of a hub: by owner, by repository, and what housekeeping would free."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from tars_hub.server.catalog.tidying import Totals
from tars_hub.server.hub import Hub
from tars_hub.server.reach import Reached
from tars_hub.server.tidy import Progress, Tidied, Tidying


@dataclass(frozen=True, kw_only=True)
class Share:
    """What an owner or a repository takes.

    Attributes:
        name: "namespace" or "namespace/name".
        main_bytes: of the files of its main branch, each content once.
        all_bytes: of the files of all revisions, each content once for each repository.
        own_bytes: on the disk, of what nobody else uses: they would come free without it.
        revisions: commits that a branch, a tag or a pull request leads to.
    """

    name: str
    main_bytes: int
    all_bytes: int
    own_bytes: int
    revisions: int


@dataclass(frozen=True, kw_only=True)
class Stats:
    """All of it, the largest first.

    Attributes:
        tidied: what `tidy` would free now.
    """

    totals: Totals
    tidied: Tidied
    owners: tuple[Share, ...]
    repositories: tuple[Share, ...]

    @property
    def all_bytes(self) -> int:
        """Of the files of all revisions, as clients know them."""
        return sum(share.all_bytes for share in self.repositories)

    @property
    def disk_bytes(self) -> int:
        """Of the blobs that hold them."""
        return self.totals.file_bytes + self.totals.xorb_bytes


def stats(hub: Hub, *, grace: timedelta, progress: Progress | None = None) -> Stats:
    """Weigh everything; changes nothing, and keeps nobody from pushing."""
    tidying = Tidying(hub, grace=grace, dry_run=True, progress=progress)
    alone = hub.catalog.weighing.alone()
    found = [
        (repo.namespace, _share(repo.full_name, reached, alone.get(repo.id, 0)))
        for repo, reached in tidying.repositories()
    ]
    return Stats(
        totals=hub.catalog.weighing.totals(),
        tidied=tidying.rest(),
        owners=_largest(_owners(found, hub.catalog.weighing.alone_by_owner())),
        repositories=_largest(share for _, share in found),
    )


def _share(name: str, reached: Reached | None, own_bytes: int) -> Share:
    """One of which a part is lost has no sizes but the last."""
    return Share(
        name=name,
        main_bytes=sum(reached.main.values()) if reached else 0,
        all_bytes=sum(reached.by_refs.values()) if reached else 0,
        own_bytes=own_bytes,
        revisions=reached.revisions if reached else 0,
    )


def _owners(found: Iterable[tuple[str, Share]], alone: dict[str, int]) -> list[Share]:
    shares = defaultdict[str, list[Share]](list)
    for namespace, share in found:
        shares[namespace].append(share)
    return [
        Share(
            name=namespace,
            main_bytes=sum(share.main_bytes for share in some),
            all_bytes=sum(share.all_bytes for share in some),
            own_bytes=alone.get(namespace.lower(), 0),
            revisions=sum(share.revisions for share in some),
        )
        for namespace, some in shares.items()
    ]


def _largest(shares: Iterable[Share]) -> tuple[Share, ...]:
    return tuple(sorted(shares, key=lambda share: (-share.own_bytes, -share.all_bytes, share.name)))
