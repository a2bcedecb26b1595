"""TarsClassifier, timm, transformers and the mixin push to a hub and pull from it, in a process of their own."""

from __future__ import annotations

import pytest

from tests.checkout import ROOT
from tests.clients.clients import Client, checks_of


@pytest.mark.parametrize("check", checks_of("libraries"))
def test_check(main_client: Client, check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    outcome = main_client.outcome("libraries", check)
    if outcome != "ok":
        pytest.fail(outcome, pytrace=False)
