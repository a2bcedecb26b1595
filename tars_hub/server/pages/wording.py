"""Figures as people read them; templates use these as filters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

_SPANS = (("day", 86_400), ("hour", 3_600), ("minute", 60))
_RECENT_DAYS = 30


def bytes_text(count: int) -> str:
    """12 bytes, 44.7 MB; a kilobyte has 1,000."""
    return f"{count:,} byte{'' if count == 1 else 's'}" if count < 1000 else f"{_short(count, 'kMGTPE')}B"


def count_text(count: int) -> str:
    """812, 25.6M, 1.2B."""
    return str(count) if count < 1000 else _short(count, "kMBT").replace(" ", "")


def _short(count: int, units: str) -> str:
    power = next((power for power in range(1, len(units)) if count < 999.5 * 1000**power), len(units))
    value, unit = count / 1000**power, units[power - 1]
    return f"{value:.3g} {unit}" if value < 999.5 else f"{value:,.0f} {unit}"


def percent_text(share: float) -> str:
    """97.3% of a share between 0 and 1."""
    return f"{share:.1%}"


def when(at: datetime) -> Markup:
    """How long ago, or the day where that is longer; the exact time, in UTC, is there to be pointed at."""
    exact = at.astimezone(timezone.utc)
    said = _ago(datetime.now(timezone.utc) - exact) or f"{exact.day} {exact:%b %Y}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        f"{exact:%Y-%m-%dT%H:%M:%SZ}", f"{exact:%Y-%m-%d %H:%M:%S} UTC", said
    )


def _ago(passed: timedelta) -> str:
    """Empty for what is long ago, or yet to come."""
    if passed.days >= _RECENT_DAYS or passed < timedelta(minutes=-1):
        return ""
    for name, seconds in _SPANS:
        if count := int(max(passed.total_seconds(), 0) // seconds):
            return f"{count} {name}{'' if count == 1 else 's'} ago"
    return "just now"


def segment(text: str) -> str:
    """One part of an address: a slash within it splits nothing."""
    return quote(text, safe="")


def path_text(path: str) -> str:
    """A file's path as the rest of an address."""
    return quote(path, safe="/")


FILTERS: dict[str, Callable[..., Any]] = {
    "bytes": bytes_text,
    "count": count_text,
    "percent": percent_text,
    "when": when,
    "segment": segment,
    "path": path_text,
}
