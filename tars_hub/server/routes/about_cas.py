"""What the addresses of the store of chunks are for."""

from __future__ import annotations

from tars_hub.server.routes.about import BYTES, JSON, TEXT, About, Token

FILES_AT_ONCE = 1000

GIVEN = "A token for the store of chunks, its end in seconds since 1970, and the store's address"
WRITE = About(
    says="Get a token to upload contents as chunks",
    token=Token.MUST,
    query={"create_pr": "true for a pull request, which needs less than writing"},
    gives=GIVEN,
)
READ = About(says="Get a token to download contents as chunks", gives=GIVEN)
BLOCK = About(
    says="Download bytes of a block, by a link that was signed for them",
    token=Token.NONE,
    query={"ticket": "of the link"},
    gives="The bytes that the header Range names",
    kind=BYTES,
    status=206,
    refuses={403: "The link is not for these bytes, or has ended", 416: "The range begins behind the end"},
)
XORB = About(
    says="Upload a block of chunks",
    token=Token.CHUNKS,
    takes=BYTES,
    refuses={413: "It is too large"},
)
SHARD = About(
    says="Say which chunks make up contents that were uploaded",
    token=Token.CHUNKS,
    takes=BYTES,
    refuses={413: "It is too large"},
)
SHARD_V2 = About(
    says="Say which chunks make up contents, and hear how far the check of them is",
    token=Token.CHUNKS,
    takes=BYTES,
    gives="A line of JSON for each step; the last says how it ended",
    kind="application/x-ndjson",
    refuses={413: "It is too large"},
)
CHUNK = About(
    says="Find known chunks near one",
    token=Token.CHUNKS,
    gives="Which chunks lie beside it, as a shard",
    kind=BYTES,
)
WAY = About(says="Say how a content is put together from blocks", token=Token.CHUNKS, gives="Chunks, and links to them")
WAYS = About(
    says="Say how several contents are put together",
    more=f"A list of up to {FILES_AT_ONCE} objects with a hash is sent.",
    token=Token.CHUNKS,
    takes=JSON,
    gives="Chunks, and links to them",
)
THERE = About(
    says="Say how large a content is",
    more="Only HEAD is answered; GET finds nothing.",
    token=Token.CHUNKS,
    gives="Nothing but its headers",
)
TOLD = About(says="Take what clients tell of themselves, and throw it away", token=Token.NONE, takes=JSON, kind=TEXT)
