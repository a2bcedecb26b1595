"""What a change of files in the browser goes to, and how it gets there: as a commit, or as a pull request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from tars_hub.server.errors import HubError
from tars_hub.server.pages.addresses import tree_address
from tars_hub.server.pages.forms import Form
from tars_hub.server.pages.look import page
from tars_hub.server.records import BRANCHES, Commit, Repo
from tars_hub.server.routes.web import Ask
from tars_hub.server.rules import commits, proposals, revisions
from tars_hub.server.rules.access import Action, find_repo, permits


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a change goes.

    Attributes:
        revision: as it was asked for.
        ref: its full name.
        commit: where it stands.
        may_write: whether the caller may change it; else they may propose to.
    """

    repo: Repo
    revision: str
    ref: str
    commit: Commit
    may_write: bool

    @property
    def may_propose(self) -> bool:
        """Whether a pull request can begin here; it cannot at another one."""
        return self.ref.startswith(BRANCHES)


def target_of(ask: Ask) -> Target:
    """What the address of a change names.

    Raises:
        RepoNotFoundError, UnauthorizedError, ForbiddenError: the caller may neither change it nor propose to.
        RevisionNotFoundError: it is no branch, and no pull request.
    """
    revision = ask.part("revision")
    repo = find_repo(ask.hub, ask.caller, ask.repo_name, Action.PROPOSE)
    ref = revisions.branch_ref(ask.hub, repo, revision)
    may_write = permits(ask.caller, repo, Action.WRITE)
    if not ref.startswith(BRANCHES):
        proposals.require_pusher(ask.hub, ask.caller, repo, ref)
        may_write = True
    commit = revisions.commit_at(ask.hub, repo, ref)
    return Target(repo=repo, revision=revision, ref=ref, commit=commit, may_write=may_write)


def target_page(
    ask: Ask,
    template: str,
    target: Target,
    form: Form,
    *,
    error: str = "",
    status: int = 200,
    **values: Any,  # noqa: ANN401  # the template's
) -> Response:
    """The page with a form for a change, as it was filled in."""
    return page(
        ask,
        template,
        status=status,
        repo=target.repo,
        revision=target.revision,
        commit=target.commit,
        tab="Files",
        target=target,
        form=form,
        error=error,
        **values,
    )


def order_of(form: Form, operations: Sequence[commits.Operation], *, summary: str) -> commits.Order:
    """What a form asks for. Raises HubError where it does not say what it was made for.

    Args:
        summary: where the form has none.
    """
    if not form.text("parent"):
        raise HubError("the form does not say which commit it was made for; load the page again")
    return commits.Order(
        summary=form.text("summary") or summary,
        description=form.text("description"),
        parent=form.text("parent"),
        operations=operations,
    )


def carry_out(ask: Ask, target: Target, form: Form, order: commits.Order, *, folder: str) -> str:
    """Commit a change, or propose it where the form or the caller's rights say so; the address to go on to.

    Args:
        folder: to be shown then; the top in its place where it went with its last file.
    """
    if form.text("propose") or not target.may_write:
        made, _ = proposals.propose(ask.hub, ask.caller, target.repo, target.revision, order)
        return f"/{target.repo.full_name}/discussions/{made.number}"
    commit = commits.commit(ask.hub, ask.caller, target.repo, target.ref, order)
    if folder and revisions.entry_at(ask.hub, commit, folder) is None:
        folder = ""
    return tree_address(target.repo, target.revision, folder)
