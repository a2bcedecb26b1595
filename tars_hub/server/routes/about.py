"""What the addresses of the API are for: words that stand beside each of them, and /openapi.json and /docs show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Token(Enum):
    """What a token is for at an address."""

    NONE = "nobody looks at one"
    MAY = "what is private wants one"
    MUST = "without one nothing is answered"
    CHUNKS = "one that the addresses of Xet tokens give"


JSON, TEXT, BYTES = "application/json", "text/plain", "application/octet-stream"
PAGES = {
    "cursor": "after how many entries the answer begins",
    "limit": "how many entries it has at most; the header Link leads to the next",
}


@dataclass(frozen=True, kw_only=True)
class About:
    """What an address is for.

    Attributes:
        says: what it does, as one sentence without a full stop.
        more: what else there is to know, in whole sentences.
        token: what a token is for here.
        query: names that the address may have after its question mark, with what each is.
        fields: of the JSON object that is sent, with what each is; one whose name ends in "?" may be missing.
        takes: the media type of what is sent, where that is no JSON object.
        gives: what a good answer is.
        kind: its media type.
        status: its number.
        refuses: what else may go wrong, by status; what may go wrong everywhere is said besides.
    """

    says: str
    more: str = ""
    token: Token = Token.MAY
    query: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    takes: str = ""
    gives: str = "Done"
    kind: str = JSON
    status: int = 200
    refuses: Mapping[int, str] = field(default_factory=dict)
