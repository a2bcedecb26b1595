"""Who may do what, as a table: with every kind of caller, repository and address. `python -m` prints it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from tars_hub.server.pages.forms import FormRoute
from tars_hub.server.records import Caller, Repo
from tars_hub.server.rules.access import Action, permits
from tars_hub.server.table import table
from tests.server.rules.crowd import LIKE, MAY, STATES, A, Crowd, D, Need, P, R, W, crowd

_SHOWN = {R: "read", D: "download", P: "propose", W: "write", A: "administer", LIKE: "like"}


@dataclass(frozen=True, kw_only=True)
class Address:
    """An address that is about a repository.

    Attributes:
        path: as the table of routes has it.
        sample: what is asked for, with `{repo}`.
        cookie: a browser's session says who asks, where there is no token.
        form: only a session may, by a form.
        options: of the request; made so that nothing changes where it is allowed.
    """

    method: str
    path: str
    need: Need
    sample: str
    cookie: bool = False
    form: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.sample}"


_API = "/api/models/{namespace}/{name}"
_NEEDS: dict[tuple[str, str], Need] = {
    ("GET", ""): R,
    ("GET", "/revision/{revision:revision}"): R,
    ("GET", "/refs"): R,
    ("GET", "/commits/{revision:revision}"): R,
    ("GET", "/tree/{revision:revision}"): R,
    ("GET", "/tree/{revision:revision}/{path:rest}"): R,
    ("POST", "/paths-info/{revision:revision}"): R,
    ("GET", "/auth-check"): D,
    ("GET", "/auth-check/write"): W,
    ("PUT", "/settings"): A,
    ("POST", "/preupload/{revision:revision}"): W,
    ("POST", "/commit/{revision:revision}"): W,
    ("POST", "/branch/{branch:rest}"): W,
    ("DELETE", "/branch/{branch:rest}"): W,
    ("POST", "/tag/{revision:rest}"): W,
    ("DELETE", "/tag/{revision:rest}"): W,
    ("POST", "/super-squash/{revision:revision}"): W,
    ("GET", "/xet-read-token/{revision:revision}"): D,
    ("GET", "/xet-write-token/{revision:revision}"): W,
    ("POST", "/like"): LIKE,
    ("DELETE", "/like"): LIKE,
    ("GET", "/likers"): R,
    ("POST", "/ask-access"): LIKE,
    ("GET", "/user-access-request/{status}"): A,
    ("POST", "/user-access-request/handle"): A,
    ("POST", "/user-access-request/grant"): A,
}
_BY_COOKIE = {("GET", ""), ("GET", "/revision/{revision:revision}"), ("GET", "/refs"), ("GET", "/auth-check")}
_BODIES: dict[str, dict[str, Any]] = {
    "/paths-info/{revision:revision}": {"data": {"paths": "README.md"}},
    "/preupload/{revision:revision}": {"json": {"files": []}},
    "/tag/{revision:rest}": {"json": {"tag": "new"}},
    "/settings": {"json": {}},
    "/user-access-request/handle": {"json": {"user": "nobody-of-them", "status": "accepted"}},
    "/user-access-request/grant": {"json": {"user": "boss"}},
}
_ELSEWHERE: list[tuple[str, str, Need, dict[str, Any]]] = [
    ("GET", "/models/{namespace}/{name}/resolve/{revision:revision}/{path:rest}", D, {}),
    (
        "POST",
        "/{namespace}/{name}.git/info/lfs/objects/batch",
        P,
        {"json": {"operation": "upload", "objects": []}},
    ),
    ("POST", "/api/lfs/verify/{namespace}/{name}", P, {"json": {"oid": "0" * 64, "size": 1}}),
]
_VARIANTS: list[tuple[str, str, str, Need, dict[str, Any]]] = [
    ("HEAD", "/{namespace}/{name}/resolve/{revision:revision}/{path:rest}", "/{repo}/resolve/main/README.md", D, {}),
    (
        "POST",
        f"{_API}/preupload/{{revision:revision}}",
        "/api/models/{repo}/preupload/main?create_pr=1",
        P,
        {"json": {"files": []}},
    ),
    (
        "GET",
        f"{_API}/xet-write-token/{{revision:revision}}",
        "/api/models/{repo}/xet-write-token/None",
        P,
        {},
    ),
    (
        "GET",
        f"{_API}/xet-write-token/{{revision:revision}}",
        "/api/models/{repo}/xet-write-token/main?create_pr=1",
        P,
        {},
    ),
]
# Pages take a look, unless they stand here; forms change the repository, unless they do.
_PAGES: dict[tuple[str, str], Need] = {
    ("GET", "/resolve/"): D,
    ("GET", "/blob/"): D,
    ("GET", "/raw/"): D,
    ("GET", "/upload/"): P,
    ("GET", "/delete/"): P,
    ("GET", "/settings"): A,
    ("POST", "/settings"): A,
    ("POST", "/like"): LIKE,
    ("POST", "/ask-access"): LIKE,
    ("POST", "/upload/"): P,
    ("POST", "/delete/"): P,
    ("POST", "/discussions"): P,
}
_PLACES = {
    "{path:rest}": "README.md",
    "{folder:rest}": "folder",
    "{revisions:rest}": "main...main",
    "{status}": "pending",
}
_NO_TESTS_HERE = ("/api/models/{namespace}/{name}/discussions",)  # those have a table of their own


def addresses() -> list[Address]:
    """Every address of the table of routes that names a repository. Raises KeyError for one of the API that is new."""
    found = [each for route in table() for each in _of_route(route)]
    return [*found, *(_variant(*each) for each in _VARIANTS)]


def _of_route(route: Any) -> Iterator[Address]:
    path: str = route.path
    if "{namespace}/{name}" not in path or path.startswith(_NO_TESTS_HERE):
        return
    for method in sorted(route.methods - {"HEAD"}):
        yield replace(_address(method, path), form=isinstance(route, FormRoute))


def _address(method: str, path: str) -> Address:
    for each in _ELSEWHERE:
        if each[:2] == (method, path):
            return Address(method=method, path=path, need=each[2], sample=_sample(path), options=each[3])
    if path.startswith(_API):
        rest = path.removeprefix(_API)
        cookie, options = (method, rest) in _BY_COOKIE, _BODIES.get(rest, {})
        need = _NEEDS[method, rest]
        return Address(method=method, path=path, need=need, sample=_sample(path), cookie=cookie, options=options)
    rest = path.removeprefix("/{namespace}/{name}")
    listed = [need for (verb, start), need in _PAGES.items() if verb == method and rest.startswith(start)]
    need = listed[0] if listed else R if method == "GET" else W
    return Address(method=method, path=path, need=need, sample=_sample(path), cookie=True)


def _variant(method: str, path: str, sample: str, need: Need, options: dict[str, Any]) -> Address:
    return Address(method=method, path=path, need=need, sample=sample, options=options, cookie="/resolve/" in path)


def _sample(path: str) -> str:
    parts = path.replace("{namespace}/{name}", "{repo}").split("/")
    if "tree" in parts and "{path:rest}" in parts:
        parts[parts.index("{path:rest}")] = "folder"
    if "branch" in parts or parts[-2:] == ["tag", "{revision:rest}"]:
        parts[-1] = "side"
    return "/".join(_PLACES.get(part, part if part.startswith("{repo}") else _filled(part)) for part in parts)


def _filled(part: str) -> str:
    if not part.startswith("{"):
        return part
    return "1" if part in ("{number}", "{event}") else "main"


def lines(found: Crowd) -> Iterator[str]:
    """The table as text: what the rule says, and what each address asks for."""
    yield f"{'':40}{'private':42}{'public':42}gated"
    for who in MAY:
        caller = found.caller(who) if who != "nobody" else Caller()
        shown = [_shown(caller, found.found(who, state)) for state in STATES]
        yield f"{who:40}{shown[0]:42}{shown[1]:42}{shown[2]}"
    yield ""
    for each in sorted(addresses(), key=str):
        yield f"{_SHOWN[each.need]:12}{each.method:7}{each.sample}"


def _shown(caller: Caller, repo: Repo) -> str:
    return " ".join(_SHOWN[action] for action in Action if permits(caller, repo, action)) or "nothing"


if __name__ == "__main__":
    with crowd() as everybody:
        for line in lines(everybody):
            print(line)  # noqa: T201
