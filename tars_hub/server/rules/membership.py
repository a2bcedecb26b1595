"""Who is a member of an organisation; its admins say so."""

from __future__ import annotations

from tars_hub.server.errors import ConflictError, NotFoundError
from tars_hub.server.hub import Hub
from tars_hub.server.records import Caller, Member, MemberRole, User
from tars_hub.server.rules.accounts import find_person
from tars_hub.server.rules.tokens import require_whole


def administered(hub: Hub, caller: Caller, name: str) -> User:
    """The organisation, if the caller may say who is a member of it.

    Raises:
        UnauthorizedError, ForbiddenError: the caller's token is none for changes of this kind.
        NotFoundError: there is no such organisation, or the caller is no admin of it; the two look the same.
    """
    require_whole(caller, "change the members of an organisation")
    found = hub.catalog.accounts.user(name)
    if found is None or not found.organisation or caller.role_in(found.name) != "admin":
        raise NotFoundError(f"there is no organisation {name[:100]!r} here whose admin you are")
    return found


def set_member(hub: Hub, caller: Caller, name: str, user_name: str, role: MemberRole | None) -> None:
    """Make somebody a member of an organisation, or of another role; None ends it.

    Raises:
        UnauthorizedError, ForbiddenError, NotFoundError: the caller may not, as `administered` has it.
        NotFoundError: there is no such user.
        ConflictError: nobody would be left to change it.
    """
    organisation = administered(hub, caller, name)
    user = find_person(hub, user_name)
    if role != "admin" and _admins(hub.catalog.accounts.members(organisation.id)) == {user.id}:
        raise ConflictError(f"{user.name} is the only admin of {organisation.name}; make another one first")
    hub.catalog.accounts.set_member(organisation.id, user.id, role)


def _admins(members: list[Member]) -> set[int]:
    return {each.user.id for each in members if each.role == "admin"}
