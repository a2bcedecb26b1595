"""What stands above every page of a repository: its ways, and its branches and tags."""

from __future__ import annotations

from dataclasses import dataclass

from tars_hub.server.pages.wording import segment
from tars_hub.server.records import BRANCHES, MAIN, TAGS, Ref, Repo
from tars_hub.server.routes.web import Ask
from tars_hub.server.rules.access import Action, permits

_REFS_SHOWN = 100


@dataclass(frozen=True)
class Way:
    """A link that says whether it leads to where one is."""

    word: str
    href: str
    current: bool


@dataclass(frozen=True, kw_only=True)
class Header:
    """The header of a repository's pages.

    Attributes:
        ways: what `.tabs` shows.
        revisions: branches, then tags, each leading to this same page at it; a bounded number.
        more_revisions: how many are not among them.
    """

    ways: tuple[Way, ...]
    revisions: tuple[Way, ...]
    more_revisions: int


def header_of(ask: Ask, repo: Repo, revision: str, tab: str) -> Header:
    """The header for a page that shows `revision`, as it was asked for, under the tab of this word."""
    at = _ways(repo, revision)
    if permits(ask.caller, repo, Action.ADMINISTER):
        at["Settings"] = f"/{repo.full_name}/settings"
    refs = [ref for ref in ask.hub.catalog.history.refs(repo.id) if ref.name.startswith((BRANCHES, TAGS))]
    refs.sort(key=lambda ref: ref.name != MAIN)  # it comes first
    return Header(
        ways=tuple(Way(word, href, word.lower() == tab.lower()) for word, href in at.items()),
        revisions=tuple(_revision(repo, ref, revision, tab) for ref in refs[:_REFS_SHOWN]),
        more_revisions=max(len(refs) - _REFS_SHOWN, 0),
    )


def _ways(repo: Repo, revision: str) -> dict[str, str]:
    top, part = f"/{repo.full_name}", segment(revision)
    return {
        "Model": top if revision == "main" else f"{top}?rev={part}",
        "Files": f"{top}/tree/{part}",
        "Commits": f"{top}/commits/{part}",
        "Discussions": f"{top}/discussions",
        "Compare": f"{top}/compare" if revision == "main" else f"{top}/compare/main...{part}",
    }


def _revision(repo: Repo, ref: Ref, current: str, tab: str) -> Way:
    ways = {word.lower(): href for word, href in _ways(repo, ref.short).items()}
    said = f"{ref.short} (tag)" if ref.name.startswith(TAGS) else ref.short
    return Way(said, ways.get(tab.lower(), ways["model"]), ref.short == current)
