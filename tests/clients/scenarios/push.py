"""Push what the facts name, so often as they say, and tell how each try ended."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from huggingface_hub.errors import HfHubHTTPError
from world import FACTS, World, tell


def _push(at: World, number: int) -> str:
    path = Path(FACTS["path"])
    if path.is_dir():
        return at.api.upload_folder(repo_id=FACTS["repo"], folder_path=path).oid
    content: Any = FACTS["text"].format(number).encode() if "text" in FACTS else path
    return at.api.upload_file(
        path_or_fileobj=content, path_in_repo=FACTS["name"].format(number), repo_id=FACTS["repo"]
    ).oid


def _tried(at: World, number: int) -> dict[str, Any]:
    try:
        return {"ended": "landed", "oid": _push(at, number)}
    except HfHubHTTPError as error:
        return {"ended": error.response.status_code, "error": str(error)[:500]}
    except Exception as error:  # whatever the client makes of a lost connection
        return {"ended": type(error).__name__, "error": str(error)[:500]}


def main() -> None:
    at, tries = World(), []
    for number in range(FACTS.get("times", 1)):
        tries.append(_tried(at, number))
        while FACTS.get("until_landed") and tries[-1]["ended"] != "landed" and len(tries) < 5:
            time.sleep(0.5)
            tries.append(_tried(at, number))
    tell(tries)


if __name__ == "__main__":
    main()
