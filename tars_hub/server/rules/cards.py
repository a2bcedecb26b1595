"""What a revision says of itself: its card, its configuration and the headers of its tensors, read where they lie."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from tars_hub.server.errors import BusyError
from tars_hub.server.facts import CONFIG, README, files_wanted, read_facts
from tars_hub.server.hub import Hub
from tars_hub.server.records import Commit, Facts, File, NewCommit
from tars_hub.server.rules.contents import read
from tars_hub.server.tensors import LENGTH_BYTES, TensorError, header_length, parameters_by_type, read_header
from tars_hub.server.trees import REMOVED, walk

# Of all headers of a revision together: Python objects of them take ten times the room. The longest that was seen
# has 5 MB.
_HEADER_BYTES = 8 << 20


def facts_at(hub: Hub, new: NewCommit) -> Facts:
    """The facts of a revision that is about to be committed."""

    def load(oids: Collection[str]) -> dict[str, bytes]:
        fresh = {oid: new.trees[oid] for oid in oids if oid in new.trees}
        return {**hub.catalog.history.trees([oid for oid in oids if oid not in fresh]), **fresh}

    places = {place.path: place.oid for place in walk(load, new.commit.tree) if not place.is_tree}
    known = {file.oid: file for file in new.files}
    known |= hub.catalog.history.files(set(places.values()) - known.keys())
    return _facts(hub, _by_path(places, known))


def facts_of(hub: Hub, commit: Commit) -> Facts:
    """The facts of a revision that is kept."""
    return hub.facts.get(commit.tree, lambda: _facts_of(hub, commit))


def _facts_of(hub: Hub, commit: Commit) -> Facts:
    places = {place.path: place.oid for place in walk(hub.catalog.history.trees, commit.tree) if not place.is_tree}
    return _facts(hub, _by_path(places, hub.catalog.history.files(set(places.values()))))


def _by_path(places: Mapping[str, str], known: Mapping[str, File]) -> dict[str, File]:
    missing = next((oid for oid in places.values() if oid not in known), None)
    if missing is not None:
        raise BusyError(f"file {missing} is not there: {REMOVED}")
    return {path: known[oid] for path, oid in places.items()}


def _facts(hub: Hub, files: Mapping[str, File]) -> Facts:
    wanted = files_wanted({path: file.size for path, file in files.items()})
    texts = {path: b"".join(read(hub, files[path].sha256)) for path in wanted if path in (README, CONFIG)}
    weights = [files[path] for path in wanted if path not in texts]
    return read_facts(list(files), texts.get(README), texts.get(CONFIG), _parameters(hub, weights))


def _parameters(hub: Hub, weights: Sequence[File]) -> dict[str, int]:
    """How many parameters these files have by data type; none where a header is unsound, or they are too long."""
    counts: dict[str, int] = {}
    known: dict[str, dict[str, int]] = {}
    left = _HEADER_BYTES
    for file in weights:
        if file.sha256 not in known:
            try:
                length = header_length(b"".join(read(hub, file.sha256, 0, LENGTH_BYTES)))
                left -= length
                if left < 0:
                    return {}
                header = read_header(b"".join(read(hub, file.sha256, LENGTH_BYTES, LENGTH_BYTES + length)))
            except TensorError:
                return {}
            known[file.sha256] = parameters_by_type([header])
        for kind, count in known[file.sha256].items():
            counts[kind] = counts.get(kind, 0) + count
    return counts
