"""Users and organisations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tars_hub.server.catalog.interface import TakenError
from tars_hub.server.errors import ConflictError, HubError, NotFoundError
from tars_hub.server.hub import Hub
from tars_hub.server.names import check_namespace
from tars_hub.server.records import MemberRole, Repo, Search, User

_NAMED = 5  # repositories that a refusal names


def add_user(hub: Hub, name: str, *, organisation: bool = False, returning: bool = False) -> User:
    """A new user, or an organisation.

    Tokens, likes and access that was granted went with whoever had this name before; what they wrote did not, and
    bears their name. So that nobody is taken for its author, who may edit it, the name is not given away while any of
    that is left.

    Args:
        returning: it is the one who had the name before.

    Raises:
        UnprocessableError, ConflictError: the name will not do.
    """
    check_namespace(name)
    if not returning and hub.catalog.accounts.user(name) is None and hub.catalog.accounts.has_traces(name):
        raise ConflictError(
            f"somebody called {name!r} wrote here before, and would be taken for the new one; choose another name, "
            "or say that it is the same: --returning"
        )
    try:
        return hub.catalog.accounts.add_user(name, organisation=organisation)
    except TakenError:
        raise ConflictError(f"there is a user or an organisation {name!r} already") from None


def find_person(hub: Hub, name: str) -> User:
    """A user who is no organisation. Raises NotFoundError."""
    user = hub.catalog.accounts.user(name)
    if user is None:
        raise NotFoundError(f"there is no user {name[:100]!r} here; `tars hub user add` makes one")
    if user.organisation:
        raise NotFoundError(f"{user.name} is an organisation; it has members, who have tokens")
    return user


def find_organisation(hub: Hub, name: str) -> User:
    """Raises NotFoundError."""
    user = hub.catalog.accounts.user(name)
    if user is None or not user.organisation:
        raise NotFoundError(f"there is no organisation {name[:100]!r} here; `tars hub org add` makes one")
    return user


def find_owner(hub: Hub, name: str) -> User:
    """A user or an organisation. Raises NotFoundError."""
    user = hub.catalog.accounts.user(name)
    if user is None:
        raise NotFoundError(f"there is no user or organisation {name[:100]!r} here; `tars hub user list` names them")
    return user


def add_organisation(hub: Hub, name: str, members: Mapping[str, MemberRole], *, returning: bool = False) -> User:
    """An organisation with its members, or nothing: names are looked up first.

    Raises:
        NotFoundError: a member is no user.
        UnprocessableError, ConflictError: the name will not do.
    """
    people = {person: find_person(hub, person) for person in members}
    made = add_user(hub, name, organisation=True, returning=returning)
    for person, role in members.items():
        hub.catalog.accounts.set_member(made.id, people[person].id, role)
    return made


def remove_user(hub: Hub, user: User, *, with_models: bool) -> int:
    """Forget a user or an organisation; how many repositories went along.

    Args:
        with_models: also the repositories that it owns; else there may be none.

    Raises:
        HubError: it owns some.
    """
    owned = Search(namespaces=(user.name,), author=user.name, sort="name", ascending=True)
    count = 0
    while not hub.catalog.accounts.remove_user(user.id):
        found = hub.catalog.repositories.search(owned)
        if found and not with_models:
            raise HubError(_still_owns(user, found))
        for repo in found:
            hub.catalog.repositories.remove(repo.id)
        count += len(found)
    return count


def _still_owns(user: User, found: Sequence[Repo]) -> str:
    named = ", ".join(repo.full_name for repo in found[:_NAMED])
    more = f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
    return f"{user.name} owns {named}{more}; move them elsewhere first, or remove them too: --with-models"
