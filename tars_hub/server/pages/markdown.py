"""Strangers' Markdown as HTML that is safe to show, and that loads nothing but pictures of the same revision.

Markdown may hold HTML. All of it goes through one strict list of what may stay, after which no element, attribute or
address is left that was not meant. Only then addresses are turned: pictures beside the text come from `/resolve/`,
pictures from elsewhere become links, and relative links lead to the file's page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape, unescape
from posixpath import normpath
from urllib.parse import quote, unquote, urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

SHOWN_BYTES = 256 << 10
_STEPS = 60_000  # a table of 4,500 classes takes 36,000; all of them take a second or two
_RAW_TAGS = 3000
_REOPENED = 200_000
_ID_PREFIX = "card-"
_TAGS = set(
    "a abbr b blockquote br caption cite code dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i img "
    "ins kbd li mark ol p picture pre q s samp small span strong sub summary sup table tbody td tfoot th thead tr u ul "
    "var".split()
)
_WITH_CONTENT = {"script", "style", "template", "title", "textarea", "noscript", "iframe", "svg", "math"}
_ATTRIBUTES = {
    "*": {"id", "title"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "ol": {"start"},
    "td": {"align", "colspan", "rowspan"},
    "th": {"align", "colspan", "rowspan"},
    "details": {"open"},
    **{tag: {"id", "title", "align"} for tag in ("p", "div", "h1", "h2", "h3")},
}
_FORMATTING = re.compile(r"<(?:a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?=[\s/>])", re.IGNORECASE)
_ALIGNED = re.compile(r"text-align:(left|center|right)")
_LENGTH = re.compile(r"[0-9]{1,4}(?:px|%)?")
_SPAN = re.compile(r"[0-9]{1,2}")
_WHOLE = re.compile(r"https?://[^/]|mailto:[^/]", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
# What the cleaner writes: every attribute's value in double quotes, in which these do not occur. So this finds
# elements and nothing within a text or a value.
_ELEMENT = re.compile(r'<(?:(a|img)((?: [a-z]+="[^"]*")+)|/a)>')
_VALUE = re.compile(r' ([a-z]+)="([^"]*)"')


@dataclass(frozen=True)
class Place:
    """Where a text lies.

    Attributes:
        repo: the repository's full name.
        revision: as it was asked for; links keep it.
        commit: pictures are of it, so that they may be kept for ever.
        folder: the folder of the text within the repository; empty for the top.
    """

    repo: str
    revision: str
    commit: str
    folder: str = ""


def render(text: str, place: Place) -> str:
    """HTML of a text, of which the first 256 KiB count; one that was written to be slow comes as plain text."""
    text = text.encode()[:SHOWN_BYTES].decode(errors="ignore")
    try:
        html = _html(text, raw=True)
    except _TooMuchError:
        return plain(text)
    return _with_links(_clean(html, place))


def plain(text: str) -> str:
    """A text as it is."""
    return f"<pre>{escape(text[:SHOWN_BYTES])}</pre>"


class _TooMuchError(Exception):
    """It takes more steps than any card that is meant to be read."""


def _html(text: str, *, raw: bool) -> str:
    """Not clean yet. HTML within it that would grow beyond measure counts as text. Raises _TooMuchError."""
    parser, left = _parser(raw=raw), {"steps": _STEPS}
    tokens = parser.parse(text, left)
    if raw and _is_explosive(tokens):
        return _html(text, raw=False)
    return str(parser.renderer.render(tokens, parser.options, left))


def _parser(*, raw: bool) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": raw}).enable(["table", "strikethrough"])
    parser.inline.ruler.before("text", "steps", lambda state, _: _step(state))
    parser.block.ruler.before("table", "steps", lambda state, *_: _step(state))
    parser.core.ruler.push("names", lambda state: _name_headings(state.tokens))
    return parser


def _step(state: StateInline | StateBlock) -> bool:
    """A rule that applies nowhere, and counts how often rules are tried."""
    state.env["steps"] -= 1
    if state.env["steps"] < 0:
        raise _TooMuchError
    return False


def _is_explosive(tokens: Sequence[Token]) -> bool:
    """Whether browsers would build much more of it than stands there.

    What formats a text and is left open begins in each block anew.
    """
    texts = [token.content for token in _all(tokens) if token.type in ("html_block", "html_inline")]
    count = sum(text.count("<") for text in texts)
    opened = sum(len(_FORMATTING.findall(text)) for text in texts)
    return count > _RAW_TAGS or opened * (count + len(tokens)) > _REOPENED


def _all(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from token.children or ()


def _name_headings(tokens: Sequence[Token]) -> None:
    """Give headings names, as links within a card expect, and cells their sides without a style."""
    used: dict[str, int] = {}
    for index, token in enumerate(tokens):
        if token.type == "heading_open":
            slug = _slug(tokens[index + 1].content)
            count = used[slug] = used.get(slug, -1) + 1
            token.attrSet("id", f"{slug}-{count}" if count else slug)
        elif token.type in ("th_open", "td_open") and (found := _ALIGNED.search(str(token.attrGet("style")))):
            token.attrs = {"align": found[1]}


def _slug(text: str) -> str:
    return re.sub(r"[^\w\- ]", "", text[:200].lower()).strip().replace(" ", "-")


def _clean(html: str, place: Place) -> str:
    return nh3.clean(
        html,
        tags=_TAGS,
        clean_content_tags=_WITH_CONTENT,
        attributes=_ATTRIBUTES,
        attribute_filter=_turner(place),
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        id_prefix=_ID_PREFIX,
    )


def _turner(place: Place) -> Callable[[str, str, str], str | None]:
    """What becomes of each attribute that may stay; None drops it."""
    blob = f"/{place.repo}/blob/{quote(place.revision, safe='')}"
    files = f"/{place.repo}/resolve/{place.commit}"

    def turned(_: str, name: str, value: str) -> str | None:
        if name == "href":
            return _link(value, place.folder, blob)
        if name == "src":
            return _elsewhere(value) if _is_elsewhere(value) else _beside(value, place.folder, files)
        if name in ("width", "height"):
            return value if _LENGTH.fullmatch(value) else None
        if name == "align":
            return value if value in ("left", "center", "right") else None
        if name in ("colspan", "rowspan", "start"):
            return value if _SPAN.fullmatch(value) else None
        return value

    return turned


def _link(address: str, folder: str, blob: str) -> str | None:
    if _is_elsewhere(address):
        return _elsewhere(address)
    if address.startswith("#"):
        return f"#{_ID_PREFIX}{address[1:]}"
    return address if address.startswith("/") else _beside(address, folder, blob)


def _is_elsewhere(address: str) -> bool:
    """Whether browsers would take it for an address of another site, or of another kind."""
    seen = _as_seen(address)
    return seen.startswith("//") or _SCHEME.match(seen) is not None


def _elsewhere(address: str) -> str | None:
    """The address of something on another site; None for one that is malformed."""
    seen = _as_seen(address)
    whole = f"https:{seen}" if seen.startswith("//") else seen
    return whole if _WHOLE.match(whole) else None


def _as_seen(address: str) -> str:
    """An address as browsers read it: they pass over blanks, and take a backslash for a slash."""
    return re.sub(r"[\x00-\x20]", "", address).replace("\\", "/")


def _beside(address: str, folder: str, top: str) -> str | None:
    """The address of what a relative one means; None for what does not lie in the repository."""
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        return None
    path = normpath(f"{folder}/{unquote(parts.path)}").lstrip("/")
    if not parts.path or path.split("/")[0] == ".." or not path.isprintable() or path == ".":
        return None
    return f"{top}/{quote(path, safe='/')}"


def _with_links(html: str) -> str:
    """Clean HTML with links in place of pictures from elsewhere; of those that are nowhere, their words stay."""
    inside = False

    def turned(found: re.Match[str]) -> str:
        nonlocal inside
        if found[1] != "img":
            inside = found[1] == "a"
            return found[0]
        values = {name: unescape(value) for name, value in _VALUE.findall(found[2])}
        source, said = values.get("src", ""), values.get("alt", "").strip()
        if source.startswith("/"):  # `_beside` made it
            return f'{found[0][:-1]} loading="lazy">'
        words = escape(said or "picture")
        if not source or inside:
            return words
        return f'<a href="{escape(source)}" rel="noopener noreferrer nofollow">{words} ↗</a>'

    return _ELEMENT.sub(turned, html)
