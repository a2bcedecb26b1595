"""Times are written exactly as the client parses them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from huggingface_hub.utils import parse_datetime

from tars_hub.server.wire.times import stamp

NINE = datetime(2026, 1, 31, 9, 5, 0, 7999, tzinfo=timezone.utc)


def test_a_time_is_utc_to_the_millisecond() -> None:
    assert stamp(NINE) == "2026-01-31T09:05:00.007Z"
    assert stamp(NINE.replace(microsecond=0)) == "2026-01-31T09:05:00.000Z"
    assert stamp(NINE.astimezone(timezone(timedelta(hours=5, minutes=30)))) == "2026-01-31T09:05:00.007Z"


def test_the_client_reads_it() -> None:
    assert parse_datetime(stamp(NINE)) == NINE.replace(microsecond=7000)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        stamp(NINE.replace(tzinfo=None))
