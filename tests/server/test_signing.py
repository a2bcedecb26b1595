"""What the hub signs, it alone can have signed, and for one purpose."""

from __future__ import annotations

import string

import pytest
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from tars_hub.server.errors import ForbiddenError
from tars_hub.server.signing import Signer, random_name

VALUE = [7, "ab" * 32, None, True]


@pytest.fixture
def signer() -> Signer:
    return Signer(b"s" * 32)


def test_it_comes_back(signer: Signer) -> None:
    text = signer.sign("p", VALUE)
    assert signer.read("p", text, max_age_s=10) == VALUE
    assert set(text) <= set(string.ascii_letters + string.digits + "-_.")  # fits into an address as it is


def test_another_purpose_or_another_hub(signer: Signer) -> None:
    text = signer.sign("p", VALUE)
    with pytest.raises(ForbiddenError):
        signer.read("q", text, max_age_s=10)
    with pytest.raises(ForbiddenError):
        Signer(b"t" * 32).read("p", text, max_age_s=10)


def test_every_letter_counts(signer: Signer) -> None:
    text = signer.sign("p", VALUE)
    for at in range(len(text)):
        other = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        # The last letter of each part has bits to spare, which say nothing.
        try:
            assert signer.read("p", other, max_age_s=10) == VALUE
        except ForbiddenError:
            continue
        assert at + 1 == len(text) or text[at + 1] == ".", f"letter {at} of {text}"


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "é", "\0", "x" * 100_000, ".eJw"])
def test_nonsense(signer: Signer, text: str) -> None:
    with pytest.raises(ForbiddenError):
        signer.read("p", text, max_age_s=10)


def test_it_ends(signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    now = TimestampSigner(b"x").get_timestamp()
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: now)
    text = signer.sign("p", VALUE)
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: now + 11)
    with pytest.raises(ForbiddenError, match="expired"):
        signer.read("p", text, max_age_s=10)
    assert signer.read("p", text, max_age_s=12) == VALUE
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: now - 60)
    with pytest.raises(ForbiddenError):  # signed in the future
        signer.read("p", text, max_age_s=10)


def test_a_key_that_is_guessed_from_the_name_is_none() -> None:
    forged = URLSafeTimedSerializer(b"", salt="tars-hub p").dumps(VALUE)
    with pytest.raises(ForbiddenError):
        Signer(b"s" * 32).read("p", forged, max_age_s=10)


def test_random_names_differ() -> None:
    assert len({random_name() for _ in range(100)}) == 100
    assert len(random_name()) == 64
