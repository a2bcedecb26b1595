"""What names may look like: of users, repositories, refs and files. All come from strangers."""

from __future__ import annotations

import re

from tars_hub.server.errors import UnprocessableError

# First segments of addresses that mean something else than a namespace.
RESERVED = frozenset(
    "api cas demo login logout static docs health new settings join models datasets spaces kernels buckets papers "
    "resolve oauth organizations users collections notifications search admin robots.txt favicon.ico "
    "openapi.json".split()
)

_NAMESPACE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,96}")
_REF = re.compile(r"[^\x00-\x20\x7f~^:?*\[\\]{1,200}")
_REFUSED_PARTS = frozenset(("", ".", "..", ".git"))
_DEEPEST = 100  # trees are walked by functions that call themselves


def check_namespace(name: str) -> None:
    """Raises UnprocessableError unless a user may be called this."""
    if not _NAMESPACE.fullmatch(name) or "--" in name:
        raise UnprocessableError(
            f"{name[:100]!r} cannot name a user; 1 to 39 letters, digits and single dashes within it can"
        )
    if name.lower() in RESERVED:
        raise UnprocessableError(f"{name!r} is a word in the hub's own addresses; choose another")


def check_repo_name(name: str) -> None:
    """Raises UnprocessableError unless a repository may be called this, by the rules of the client."""
    if not _NAME.fullmatch(name) or "--" in name or ".." in name or name[0] in "-." or name[-1] in "-.":
        raise UnprocessableError(
            f"{name[:100]!r} cannot name a repository; letters, digits, '-', '_' and '.' can, up to 96, "
            "without '--' or '..', and no '-' or '.' at either end"
        )
    if name.lower().endswith((".git", ".ipynb")):
        raise UnprocessableError(f"{name!r} cannot name a repository; it may not end in .git or .ipynb")


def check_ref(name: str) -> None:
    """Raises UnprocessableError unless a branch or tag may be called this, by git's rules and a few of ours."""
    bad = (
        not _REF.fullmatch(name)
        or name.startswith(("-", "/", "refs/"))
        or name.endswith(("/", ".", ".lock"))
        or any(part in ("", ".", "..") or part.startswith(".") or part.endswith(".lock") for part in name.split("/"))
        or ".." in name
        or "@{" in name
        or name in ("@", "HEAD")
        or re.fullmatch(r"[0-9a-f]{40}", name) is not None
    )
    if bad:
        raise UnprocessableError(f"{name[:100]!r} cannot name a branch or tag; letters, digits, '-', '_', '.', '/' can")


def check_path(path: str, *, longest: int) -> None:
    """Raises UnprocessableError unless a file in a repository may lie at this path.

    Args:
        longest: bytes of the path in UTF-8.
    """
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        raise UnprocessableError("a path must be text in UTF-8") from None
    if size > longest:
        raise UnprocessableError(f"a path may have {longest} bytes; {path[:60]!r}… has {size}")
    parts = path.replace("\\", "/").split("/")
    if len(parts) > _DEEPEST:
        raise UnprocessableError(f"a path may lead through {_DEEPEST - 1} folders; {path[:60]!r}… has {len(parts) - 1}")
    # Clients write these files to their own disks: no part may lead out of the folder, on any system.
    if any(part.lower() in _REFUSED_PARTS for part in parts) or not path.isprintable() or re.match(r"[A-Za-z]:", path):
        raise UnprocessableError(
            f"{path[:200]!r} cannot be a file's path; it must lead down from the top, part by part"
        )
