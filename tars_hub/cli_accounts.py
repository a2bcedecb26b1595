"""`tars hub user`, `org` and `token`: who may use a hub, and how. They work beside a hub that runs."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tars_hub.cli_data import Commands, Say, add_data, kept
from tars_hub.cli_flags import positive

if TYPE_CHECKING:
    from tars_hub.server.hub import Hub
    from tars_hub.server.records import Token, User

Act = Callable[["Hub", argparse.Namespace], "Iterator[str]"]
_MOST_DIGITS = 18
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([kMGTP]?)B?", re.IGNORECASE)
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
_MOST_BYTES = (1 << 63) - 1
_MEMBER_ROLES = ("read", "write", "admin")
_RETURNING = "a name that was removed goes to the one who had it before"
_WITH_MODELS = "their models go along, for ever"


def add_accounts(commands: Commands, *, say: Say) -> None:
    """The three groups of commands."""
    _add_users(_group(commands, "user", "who may have models here"), say)
    _add_organisations(_group(commands, "org", "namespaces that several users share"), say)
    _add_tokens(_group(commands, "token", "what users log in with"), say)


def _group(commands: Commands, name: str, what: str) -> Commands:
    return commands.add_parser(name, help=what).add_subparsers(required=True, metavar="COMMAND")


def _command(group: Commands, name: str, what: str, act: Act, say: Say, *words: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = group.add_parser(name, help=what)
    for word in words:
        parser.add_argument(word.lower(), metavar=word)
    add_data(parser)
    parser.set_defaults(command=lambda given: _run(given, act, say))
    return parser


def _run(given: argparse.Namespace, act: Act, say: Say) -> int:
    with kept(given) as hub:
        for line in act(hub, given):
            say(line)
    return 0


def _add_users(users: Commands, say: Say) -> None:
    adding = _command(users, "add", "add a user, who owns the namespace of that name", _add_user, say, "NAME")
    adding.add_argument("--quota", type=size, metavar="SIZE", help="the most that their models may keep, as 50GB")
    adding.add_argument("--returning", action="store_true", help=_RETURNING)
    _command(users, "list", "users and organisations, and what they keep", _list_users, say)
    removing = _command(users, "remove", "forget a user and their tokens", _remove_user, say, "NAME")
    removing.add_argument("--with-models", action="store_true", help=_WITH_MODELS)
    quota = _command(users, "quota", "say how much a user or an organisation may keep", _set_quota, say, "NAME")
    quota.add_argument("size", type=_size_or_none, metavar="SIZE", help="as 50GB; `none` for what everybody may")


def _add_organisations(orgs: Commands, say: Say) -> None:
    adding = _command(orgs, "add", "add an organisation", _add_organisation, say, "NAME")
    adding.add_argument(
        "--member", action="append", default=[], type=_member, metavar="USER:ROLE", help="read, write or admin"
    )
    adding.add_argument("--quota", type=size, metavar="SIZE", help="the most that its models may keep, as 50GB")
    adding.add_argument("--returning", action="store_true", help=_RETURNING)
    _command(orgs, "list", "organisations and their members", _list_organisations, say)
    changing = _command(orgs, "member", "say what a user may do in an organisation", _set_member, say, "NAME")
    changing.add_argument("member", type=_member_or_none, metavar="USER:ROLE", help="read, write, admin or none")
    removing = _command(orgs, "remove", "forget an organisation", _remove_organisation, say, "NAME")
    removing.add_argument("--with-models", action="store_true", help=_WITH_MODELS)


def _add_tokens(tokens: Commands, say: Say) -> None:
    making = _command(tokens, "create", "make a token for a user, and print it alone", _create_token, say, "USER")
    roles = making.add_mutually_exclusive_group()
    roles.add_argument("--read", dest="role", action="store_const", const="read", help="it may read (the default)")
    roles.add_argument("--write", dest="role", action="store_const", const="write", help="it may read and write")
    making.add_argument(
        "--repo", action="append", default=[], metavar="OWNER/NAME", help="for this repository alone; may be repeated"
    )
    making.add_argument("--days", type=positive, metavar="N", help="it ends after so many days (default: never)")
    making.add_argument("--label", default="", metavar="TEXT", help="what it is for, such as the machine that gets it")
    making.set_defaults(role="read")
    _command(tokens, "list", "a user's tokens, without their texts", _list_tokens, say, "USER")
    revoking = _command(tokens, "revoke", "take a token back, by its number in the list", _revoke_token, say)
    revoking.add_argument("id", type=_token_number, metavar="ID")


def size(text: str) -> int:
    """50GB as a number of bytes; a kilobyte has 1,000."""
    found = _SIZE.fullmatch(text.strip())
    count = round(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
    if not 0 < count <= _MOST_BYTES:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; 500MB, 50GB or 1.5TB would be")
    return count


def _size_or_none(text: str) -> int | None:
    return None if text == "none" else size(text)


def _token_number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > _MOST_DIGITS:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no token's number; `tars hub token list USER` has them")
    return int(text)


def _member(text: str) -> tuple[str, Any]:
    name, _, role = text.partition(":")
    if not name or role not in _MEMBER_ROLES:
        raise argparse.ArgumentTypeError(f"{text!r} is no USER:read, USER:write or USER:admin")
    return name, role


def _member_or_none(text: str) -> tuple[str, Any]:
    return (text.removesuffix(":none"), None) if text.removesuffix(":none") not in ("", text) else _member(text)


def _add_user(hub: Hub, given: argparse.Namespace) -> Iterator[str]:
    from tars_hub.server.rules.accounts import add_user

    user = add_user(hub, given.name, returning=given.returning)
    if given.quota is not None:
        hub.catalog.accounts.set_quota(user.id, given.quota)
    yield f"added {user.name}; `tars hub token create {user.name} --write` lets them push"


def _list_users(hub: Hub, _: argparse.Namespace) -> Iterator[str]:
    rows = [_row(hub, user) for user in hub.catalog.accounts.users()]
    return table(["name", "kind", "models", "used", "quota", "tokens"], rows, right="models used quota tokens")


def _row(hub: Hub, user: User) -> list[str]:
    from tars_hub.server.pages.wording import bytes_text
    from tars_hub.server.records import Search
    from tars_hub.server.rules.quotas import quota_of

    models = hub.catalog.repositories.facets(Search(namespaces=(user.name,), author=user.name), most=1).count
    quota = quota_of(hub, user.name)
    kept = [bytes_text(hub.catalog.contents.used_bytes(user.name)), "none" if quota is None else bytes_text(quota)]
    tokens = "" if user.organisation else f"{len(hub.catalog.accounts.tokens(user.id)):,}"
    return [user.name, "organisation" if user.organisation else "user", f"{models:,}", *kept, tokens]


def _remove_user(hub: Hub, given: argparse.Namespace) -> Iterator[str]:
    from tars_hub.server.rules.accounts import find_person, remove_user
    from tars_hub.server.start import minding_owner_token

    user = find_person(hub, given.name)
    shared = hub.catalog.accounts.organisations_of(user.id)
    with minding_owner_token(hub):
        count = remove_user(hub, user, with_models=given.with_models)
    yield f"removed {user.name}{_models(count)}"
    for each in shared:
        yield from _without_admin(hub, each)
    yield from _without_tokens(hub)


def _without_admin(hub: Hub, organisation: User) -> Iterator[str]:
    if not any(member.role == "admin" for member in hub.catalog.accounts.members(organisation.id)):
        name = organisation.name
        yield f"{name} has no admin now; `tars hub org member {name} USER:admin` makes one"


def _without_tokens(hub: Hub) -> Iterator[str]:
    if not hub.catalog.accounts.has_tokens():
        yield "nobody has a token now; `tars hub serve` makes a first one when it starts again"


def _models(count: int) -> str:
    return f" and {count:,} model{'' if count == 1 else 's'}" if count else ""


def _set_quota(hub: Hub, given: argparse.Namespace) -> Iterator[str]:
    from tars_hub.server.pages.wording import bytes_text
    from tars_hub.server.rules.accounts import find_owner
    from tars_hub.server.rules.quotas import quota_of

    owner = find_owner(hub, given.name)
    hub.catalog.accounts.set_quota(owner.id, given.size)
    quota, used = quota_of(hub, owner.name), bytes_text(hub.catalog.contents.used_bytes(owner.name))
    yield f"{owner.name} keeps {used}, and may keep {'any amount' if quota is None else bytes_text(quota)}"


def _add_organisation(hub: Hub, given: argparse.Namespace) -> Iterator[str]:
    from tars_hub.server.rules.accounts import add_organisation

    made = add_organisation(hub, given.name, dict(given.member), returning=given.returning)
    if given.quota is not None:
        hub.catalog.accounts.set_quota(made.id, given.quota)
    yield f"added {made.name}, whose members are {_members(hub, made) or 'none yet'}"


def _members(hub: Hub, organisation: User) -> str:
    return ", ".join(f"{each.user.name}:{each.role}" for each in hub.catalog.accounts.members(organisation.id))


def _list_organisations(hub: Hub, _: argparse.Namespace) -> Iterator[str]:
    found = [user for user in hub.catalog.accounts.users() if user.organisation]
    return table(["name", "members"], [[each.name, _members(hub, each)] for each in found])


def _set_member(hub: Hub, given: argparse.Namespace) -> Iterator[str]:
    from tars_hub.server.rules.accounts import find_organisation, find_person

    organisation, (name, role) = find_organisation(hub, given.name), given.member
    hub.catalog.accounts.set_member(organisation.id, find_person(hub, name).id, role)
    yield f"the members of {organisation.name} are {_members(hub, organisation) or 'none'}"
    yield from _without_admin(hub, organisation)


def _remove_organisation(hub: Hub, given: argparse.Namespace) -> Iterator[str]:
    from tars_hub.server.rules.accounts import find_organisation, remove_user

    found = find_organisation(hub, given.name)
    count = remove_user(hub, found, with_models=given.with_models)
    yield f"removed {found.name}{_models(count)}"


def _create_token(hub: Hub, given: argparse.Namespace) -> Iterator[str]:
    from tars_hub.server.rules.tokens import create_token, ending, repositories_named

    repos = repositories_named(hub, given.repo) if given.repo else None
    ends = ending(given.days)
    yield create_token(hub, given.user, role=given.role, label=given.label, repositories=repos, expires_at=ends)


def _list_tokens(hub: Hub, given: argparse.Namespace) -> Iterator[str]:
    from tars_hub.server.rules.accounts import find_person

    rows = [_token_row(hub, token) for token in hub.catalog.accounts.tokens(find_person(hub, given.user).id)]
    return table(["id", "role", "for", "created", "ends", "label"], rows, right="id")


def _token_row(hub: Hub, token: Token) -> list[str]:
    scope = "all"
    if token.repositories is not None:
        found = [hub.catalog.repositories.by_id(each) for each in sorted(token.repositories)]
        scope = ",".join(repo.full_name for repo in found if repo is not None) or "nothing any more"
    ends = "never" if token.expires_at is None else f"{token.expires_at:%Y-%m-%d}"
    return [str(token.id), token.role, scope, f"{token.created_at:%Y-%m-%d}", ends, token.label]


def _revoke_token(hub: Hub, given: argparse.Namespace) -> Iterator[str]:
    from tars_hub.server.rules.tokens import revoke_any
    from tars_hub.server.start import minding_owner_token

    with minding_owner_token(hub):
        token = revoke_any(hub, given.id)
    yield f"revoked token {token.id} of {token.user.name}, {token.label}"
    yield from _without_tokens(hub)


def table(names: Sequence[str], rows: Sequence[Sequence[str]], *, right: str = "") -> Iterator[str]:
    """Lines of columns that stand below each other, those named in `right` at their right edges."""
    from tars_hub.config import printable

    shown = [list(names), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    aligned = [name in right.split() for name in names]
    for row in shown:
        cells = zip(row, widths, aligned, strict=True)
        yield "  ".join(f"{cell:>{width}}" if ends else f"{cell:<{width}}" for cell, width, ends in cells).rstrip()
