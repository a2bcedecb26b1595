"""The formats of the Xet protocol: hashes, chunks, xorbs and shards. Pure: bytes in, bytes out; no I/O, HTTP or SQL.

Read in this order: hashes · chunks · xorb · shard. Specification: https://huggingface.co/docs/xet.
Hashes are raw 32 bytes inside a file and the text form of ``hashes.to_text`` wherever a hash has a name.
"""
