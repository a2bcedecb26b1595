"""Times as the client reads them."""

from __future__ import annotations

from datetime import datetime, timezone


def stamp(at: datetime) -> str:
    """An aware time, in UTC to the millisecond: 2026-01-31T09:05:00.007Z."""
    if at.tzinfo is None:
        raise ValueError(f"{at} is in no time zone; the hub's times are aware")
    return at.astimezone(timezone.utc).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
