"""The one table of all addresses, in the order they are tried."""

from __future__ import annotations

from starlette.routing import BaseRoute

from tars_hub.server.pages import (
    blob,
    commit,
    compare,
    delete,
    discussions,
    docs,
    listing,
    members,
    model,
    new,
    reactions,
    settings,
    signing_in,
    static,
    tokens,
    tree,
    upload,
)
from tars_hub.server.pages import commits as history
from tars_hub.server.routes import (
    account,
    audience,
    cas,
    commits,
    elsewhere,
    files,
    lfs,
    models,
    openapi,
    paths,
    people,
    proposals,
    repos,
    revisions,
)


def table() -> list[BaseRoute]:
    """All routes. First words of addresses that stand here may not be namespaces: see `names.RESERVED`."""
    paths.register()
    return [
        *openapi.routes(),
        *account.routes(),
        *people.routes(),
        *audience.routes(),
        *repos.routes(),
        *revisions.routes(),
        *commits.routes(),
        *proposals.routes(),
        *lfs.routes(),
        *cas.routes(),
        *files.routes(),
        *models.routes(),
        *elsewhere.routes(),
        *static.routes(),
        *docs.routes(),
        *signing_in.routes(),
        *tokens.routes(),
        *members.routes(),
        *new.routes(),
        *settings.routes(),
        *reactions.routes(),
        *upload.routes(),
        *delete.routes(),
        *tree.routes(),
        *blob.routes(),
        *history.routes(),
        *commit.routes(),
        *compare.routes(),
        *discussions.routes(),
        *model.routes(),
        *listing.routes(),  # last: it takes every address of one part
    ]
