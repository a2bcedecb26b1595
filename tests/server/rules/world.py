"""A repository with people around it, who push, propose and talk."""

from __future__ import annotations

from dataclasses import dataclass

from tars_hub.server.hub import Hub
from tars_hub.server.records import MAIN, Caller, Commit, Discussion, Repo
from tars_hub.server.rules import commits as committing
from tars_hub.server.rules import contents, discussions, proposals, revisions
from tars_hub.server.wire.commits import Gone

NOBODY = Caller()


@dataclass
class World:
    """Ann's repository with two files, and people around it."""

    hub: Hub
    ann: Caller
    bob: Caller
    eve: Caller
    bob_reads: Caller
    repo: Repo

    def order(self, changes: dict[str, str | None], summary: str = "Change", **more: str) -> committing.Order:
        operations: list[committing.Operation] = [
            Gone(path) if text is None else committing.AddFile(path, contents.keep_small(self.hub, text.encode()))
            for path, text in changes.items()
        ]
        return committing.Order(summary=summary, operations=operations, **more)

    def push(self, changes: dict[str, str | None], ref: str = MAIN, who: Caller | None = None) -> Commit:
        return committing.commit(self.hub, who or self.ann, self.repo, ref, self.order(changes))

    def propose(self, changes: dict[str, str | None], who: Caller | None = None, start: str = "main") -> Discussion:
        return proposals.propose(self.hub, who or self.bob, self.repo, start, self.order(changes, "Ask"))[0]

    def accept(self, number: int = 1) -> Discussion:
        proposals.accept(self.hub, self.ann, self.repo, number)
        return self.find(number)

    def find(self, number: int = 1) -> Discussion:
        return discussions.find(self.hub, self.repo, number)

    def at(self, revision: str = "main") -> Commit:
        return revisions.commit_at(self.hub, self.repo, revision)

    def files(self, revision: str = "main") -> dict[str, str]:
        entries = revisions.entries(self.hub, self.at(revision))
        return {
            each.path: contents.read_all(self.hub, each.file.sha256, limit=10**6).decode()
            for each in entries
            if each.file and each.path != ".gitattributes"
        }

    def kinds(self, number: int = 1) -> list[tuple[str, str]]:
        return [(each.kind, each.text) for each in proposals.events(self.hub, self.repo, self.find(number))]
