"""What every client does at a hub: each check of `scenarios/` is a test of its own, a script runs once per client."""

from __future__ import annotations

import pytest

from tests.clients.clients import Client, checks_of

SCRIPTS = ["lifecycle", "uploads", "commits", "asking", "refs", "reading", "listing"]


@pytest.mark.parametrize(
    ("scenario", "check"), [(scenario, check) for scenario in SCRIPTS for check in checks_of(scenario)]
)
def test_check(client: Client, scenario: str, check: str) -> None:
    outcome = client.outcome(scenario, check)
    if outcome != "ok":
        pytest.fail(outcome, pytrace=False)
