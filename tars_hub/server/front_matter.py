"""The front matter of model cards: YAML that strangers wrote, read into plain JSON data.

Scalars are read as YAML 1.2 has them, which is what huggingface.co does: `no` is a language and `1:30` a text; only
true and false are booleans. Numbers that JSON cannot say stay the text they are, dates become ISO text. Of a key that
stands twice the last counts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

try:
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # PyYAML without libyaml reads the same, slower
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]

MAX_CHARACTERS = 1 << 20  # of the YAML, and of all its texts where each alias counts as what it stands for
MAX_NODES = 100_000  # the cards of large benchmarks have some 60,000
MAX_DEPTH = 32

# As the client finds it (huggingface_hub.repocard), and by its own word huggingface.co too.
_BLOCK = re.compile(r"\s*---(?:\r\n|\r|\n)([\s\S]*?)(?:\r\n|\r|\n)---[ \t]*(?:\r\n|\n|$)")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # neither UTF-8 nor databases take them
_LONGEST_INTEGER = 20  # characters


class CardError(ValueError):
    """Front matter that cannot be read; the message is one line."""


def front_matter(text: str) -> dict[str, Any]:
    """The fields at the head of a README.md, as data that JSON can say; empty where there are none.

    Raises:
        CardError: it is not YAML, no mapping, or too much of it.
    """
    text = text.removeprefix("\ufeff")
    found = _BLOCK.match(text)
    if found is None:
        return {}
    if len(found[1]) > MAX_CHARACTERS:
        raise CardError(f"the front matter of README.md has {len(found[1])} characters, over {MAX_CHARACTERS}")
    try:
        _check_size(found[1])
        data = _load(found[1])
    except yaml.MarkedYAMLError as error:
        raise CardError(_message(error, len(text[: found.start(1)].splitlines()))) from error
    except (yaml.YAMLError, UnicodeError) as error:
        raise CardError("the front matter of README.md holds characters that YAML does not take") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        kind = "a list" if isinstance(data, list) else "one value"
        raise CardError(f"the front matter of README.md is {kind}; it must be fields, such as license: mit")
    return data


def body(text: str) -> str:
    """A README.md without the fields at its head."""
    text = text.removeprefix("\ufeff")
    found = _BLOCK.match(text)
    return text[found.end() :] if found else text


class _Loader(_SafeLoader):
    """Safe YAML that makes nothing but dicts, lists, texts, numbers, booleans and None."""


def _load(block: str) -> object:
    loader = _Loader(block)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def _mapping(loader: _Loader, node: yaml.Node) -> dict[str, Any]:
    if not isinstance(node, yaml.MappingNode):
        raise _refusal("what is marked as a mapping is none", node)
    loader.flatten_mapping(node)  # `<<`
    return {_key(key): loader.construct_object(value, deep=True) for key, value in node.value}


def _key(node: yaml.Node) -> str:
    """The key as it stands there: whatever it means, JSON's keys are texts."""
    if not isinstance(node, yaml.ScalarNode):
        raise _refusal("a key is a list or a mapping", node)
    return _storable(node.value)


def _refusal(problem: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


def _sequence(loader: _Loader, node: yaml.Node) -> list[Any]:
    if not isinstance(node, yaml.SequenceNode):
        raise _refusal("what is marked as a list is none", node)
    return [loader.construct_object(child, deep=True) for child in node.value]


def _scalar(loader: _Loader, node: yaml.ScalarNode) -> object:
    text = loader.construct_scalar(node)
    read = _SCALARS[node.tag.rpartition(":")[2]]
    try:
        return read(text)
    except (ValueError, LookupError):
        return _storable(text)


def _timestamp(loader: _Loader, node: yaml.ScalarNode) -> str:
    try:
        return str(loader.construct_yaml_timestamp(node).isoformat())
    except (ValueError, AttributeError, OverflowError):  # the 99th of a month; no date at all
        return _storable(loader.construct_scalar(node))


def _integer(text: str) -> int:
    if len(text) > _LONGEST_INTEGER:
        raise ValueError(text)
    return int(text, 0)


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _storable(text: str) -> str:
    return _UNSTORABLE.sub("\ufffd", text)


_SCALARS: dict[str, Callable[[str], Any]] = {
    "null": lambda _: None,
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
    "int": _integer,
    "float": _number,
    "str": _storable,
    "value": _storable,  # a lone `=`
    "merge": _storable,  # a lone `<<`
}
# Its own table, so that nothing of the parent's is left: no sets, bytes, pairs.
_Loader.yaml_constructors = {
    **{f"tag:yaml.org,2002:{kind}": _scalar for kind in _SCALARS},
    "tag:yaml.org,2002:timestamp": _timestamp,
    "tag:yaml.org,2002:seq": _sequence,
    "tag:yaml.org,2002:map": _mapping,
    None: _SafeLoader.construct_undefined,
}


@dataclass
class _Size:
    nodes: int = 0
    characters: int = 0
    depth: int = 0
    anchor: str | None = None

    def take(self, other: _Size) -> None:
        self.nodes += other.nodes
        self.characters += other.characters
        self.depth = max(self.depth, other.depth + 1)


def _check_size(block: str) -> None:
    """Walk through the YAML without building anything, counting an alias as all that it stands for.

    Raises:
        CardError: what it stands for, written out, is too much, too deep, or without an end.
    """
    anchors: dict[str, _Size] = {}
    within = [_Size()]
    total = _Size()
    for event in yaml.parse(block, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            within.append(_Size(nodes=1, anchor=event.anchor))
            anchors.pop(event.anchor or "", None)  # what holds itself has no end
            size = _Size(nodes=1)
        elif isinstance(event, yaml.ScalarEvent):
            size = _Size(nodes=1, characters=len(event.value), anchor=event.anchor)
            within[-1].take(size)
            _name(anchors, size)
        elif isinstance(event, yaml.AliasEvent):
            size = _named(anchors, event.anchor or "")
            within[-1].take(size)
        elif isinstance(event, yaml.CollectionEndEvent):
            closed = within.pop()
            within[-1].take(closed)
            _name(anchors, closed)
            continue
        else:
            continue
        total.take(size)
        _check_limits(total, len(within) + size.depth)


def _check_limits(total: _Size, depth: int) -> None:
    if total.nodes > MAX_NODES or total.characters > MAX_CHARACTERS:
        raise CardError(f"the front matter of README.md has over {MAX_NODES} values or {MAX_CHARACTERS} characters")
    if depth > MAX_DEPTH:
        raise CardError(f"the front matter of README.md is nested more than {MAX_DEPTH} deep")


def _name(anchors: dict[str, _Size], size: _Size) -> None:
    if size.anchor is not None:
        anchors[size.anchor] = size


def _named(anchors: Mapping[str, _Size], name: str) -> _Size:
    if name not in anchors:
        raise CardError(f"the front matter of README.md: *{name[:80]} stands for nothing, or for what holds it")
    return anchors[name]


def _message(error: yaml.MarkedYAMLError, lines_before: int) -> str:
    problem = " ".join(str(error.problem or error.context or "it cannot be read").split())[:200]
    where = f" in line {error.problem_mark.line + 1 + lines_before}" if error.problem_mark else ""
    return f"the front matter of README.md is not good YAML: {problem}{where}"
