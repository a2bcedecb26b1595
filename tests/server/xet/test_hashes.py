"""Hashes: the vectors of the specification and of xet-core's own tests, and what the real client computes."""

from __future__ import annotations

import pytest

from tars_hub.server.xet.hashes import (
    XetFormatError,
    chunk_hash,
    file_hash,
    from_text,
    is_dedup_eligible,
    keyed,
    to_text,
    xorb_hash,
)

from .conftest import Uploaded

ZERO = "0" * 64
ONE = "cfc5d07f6f03c29bbf424132963fe08d19a37d5757aaf520bf08119f05cd56d6"
TWO = "c3e67584b5c4fc2a89837ec39e40f2c8a6bb0b2987ac94cd4b31e5fbdd210a72"
THREE = "0d2beb91b9196929a5ddec9f6e306924ddf4a24268e3e59fd8464738d525af37"


def test_text_form_is_that_of_the_specification() -> None:
    text = "07060504030201000f0e0d0c0b0a0908171615141312111" + "01f1e1d1c1b1a1918"
    assert to_text(bytes(range(32))) == text
    assert from_text(text) == bytes(range(32))


@pytest.mark.parametrize("text", ["", ONE[1:], ONE + "0", ONE.upper(), "g" * 64, ONE + "\n", " " + ONE[1:]])
def test_only_64_lower_case_hex_characters_are_a_hash(text: str) -> None:
    with pytest.raises(XetFormatError, match="64 lower-case hex"):
        from_text(text)


# From the table in xet-core's aggregated_hashes.rs: chunks, xorb hash, file hash.
@pytest.mark.parametrize(
    ("chunks", "xorb", "file"),
    [
        ([], ZERO, ZERO),
        ([(ZERO, 0)], ZERO, "638a6bc391964a85939d48f008e8bdbae6a7975e7ca2d87a3ce2492f4e4d8a4c"),
        ([(ONE, 100)], ONE, "8e16257caa3fe079d484d872a8975264b2ff683b0d6db9028cc7c0f968a45661"),
        (
            [(ONE, 100), (TWO, 200), (THREE, 300)],
            "71ec1275fca074724e2dd666921b3277c7cee603e4d025bcab2d4050015be2bc",
            "54e55dccc6653c612bdb5576c5d3cb34bb31bc4e100248abccf4c908b3ef7715",
        ),
        (
            [(ONE, 100)] * 4,
            "89f2ada89ff8c96763c6b25010e6dd76a4c05b1466207633ea559acf2093211b",
            "2cdba690d0e09563596e0cda626d43eb4c96ef1e994fe72d9b2f5a83cfcd36dd",
        ),
    ],
)
def test_tree_hashes_are_those_of_xet_core(chunks: list[tuple[str, int]], xorb: str, file: str) -> None:
    pairs = [(from_text(text), length) for text, length in chunks]
    assert to_text(xorb_hash(pairs)) == xorb
    assert to_text(file_hash(iter(pairs))) == file


def test_file_hash_is_the_clients(uploaded: Uploaded) -> None:
    # Files of less than 8 KiB are one chunk.
    for length in range(1, 6):
        data = uploaded.files[f"tiny-{length}"]
        assert to_text(file_hash([(chunk_hash(data), length)])) == uploaded.hashes[f"tiny-{length}"]
    assert to_text(file_hash([])) == uploaded.hashes["tiny-0"]


def test_one_hash_in_1024_is_eligible_for_dedup() -> None:
    assert is_dedup_eligible(b"\xff" * 24 + (5 * 1024).to_bytes(8, "little"))
    assert not is_dedup_eligible(b"\x00" * 24 + (5 * 1024 + 512).to_bytes(8, "little"))


def test_a_key_hides_the_hash() -> None:
    hidden = {keyed(bytes(32), bytes([key]) * 32) for key in range(3)}
    assert len(hidden) == 3
    assert to_text(keyed(from_text(ONE), bytes(32))) == to_text(file_hash([(from_text(ONE), 100)]))
