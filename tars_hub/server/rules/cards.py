"""What a revision says of itself: its card, its configuration and the headers of its tensors, read where they lie."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tars_hub.server.facts import CONFIG, README, files_wanted, read_facts
from tars_hub.server.hub import Hub
from tars_hub.server.records import Commit, Facts, File, NewCommit
from tars_hub.server.rules.contents import read
from tars_hub.server.tensors import LENGTH_BYTES, TensorError, TensorFile, header_length, read_header
from tars_hub.server.trees import walk


def facts_at(hub: Hub, new: NewCommit) -> Facts:
    """The facts of a revision that is about to be committed."""

    def load(oids: Collection[str]) -> dict[str, bytes]:
        fresh = {oid: new.trees[oid] for oid in oids if oid in new.trees}
        return {**hub.catalog.history.trees([oid for oid in oids if oid not in fresh]), **fresh}

    places = {place.path: place.oid for place in walk(load, new.commit.tree) if not place.is_tree}
    known = {file.oid: file for file in new.files}
    known |= hub.catalog.history.files(set(places.values()) - known.keys())
    return _facts(hub, {path: known[oid] for path, oid in places.items()})


def facts_of(hub: Hub, commit: Commit) -> Facts:
    """The facts of a revision that is kept."""
    places = {place.path: place.oid for place in walk(hub.catalog.history.trees, commit.tree) if not place.is_tree}
    known = hub.catalog.history.files(set(places.values()))
    return _facts(hub, {path: known[oid] for path, oid in places.items()})


def _facts(hub: Hub, files: Mapping[str, File]) -> Facts:
    wanted = files_wanted({path: file.size for path, file in files.items()})
    texts = {path: b"".join(read(hub, files[path].sha256)) for path in wanted if path in (README, CONFIG)}
    headers = [found for path in wanted if path not in texts and (found := _header(hub, files[path]))]
    return read_facts(list(files), texts.get(README), texts.get(CONFIG), headers)


def _header(hub: Hub, file: File) -> TensorFile | None:
    """The header of a file of tensors; None where it has no sound one, which is the uploader's business."""
    try:
        length = header_length(b"".join(read(hub, file.sha256, 0, LENGTH_BYTES)))
        return read_header(b"".join(read(hub, file.sha256, LENGTH_BYTES, LENGTH_BYTES + length)))
    except TensorError:
        return None
