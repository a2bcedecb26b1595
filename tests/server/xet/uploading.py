"""Upload files with the installed hf_xet, as a process of its own: ``python uploading.py ENDPOINT FILE…``.

It calls hf_xet as huggingface_hub's `_commit_api` does, and prints the Xet hash of each file.
"""

from __future__ import annotations

import sys

import hf_xet  # type: ignore[import-untyped]


def _upload(endpoint: str, paths: list[str]) -> list[str]:
    session = hf_xet.XetSession()
    with session.new_upload_commit(
        token_refresh_url=f"{endpoint}/token",
        token_refresh_headers={"authorization": "Bearer user"},
        custom_headers={"user-agent": "tars-tests"},
    ) as commit:
        handles = [commit.start_upload_file(path, sha256=hf_xet.COMPUTE_SHA256) for path in paths]
    return [handle.result().xet_info.hash for handle in handles]


def _upload_as_before(endpoint: str, paths: list[str]) -> list[str]:
    """Upload with the functions that hf_xet had before 1.6, where it has no sessions."""
    token = ("t", 4102444800)  # good until 2100
    infos = hf_xet.upload_files(paths, endpoint, token, lambda: token, None, "model")
    return [info.hash for info in infos]


if __name__ == "__main__":
    upload = _upload if hasattr(hf_xet, "XetSession") else _upload_as_before
    sys.stdout.write("\n".join(upload(sys.argv[1], sys.argv[2:])))
