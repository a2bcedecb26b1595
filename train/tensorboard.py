"""The history as TensorBoard reads it, where that is installed: `tensorboard --logdir FOLDER/training`."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

_NAME = "events.out.tfevents.0"  # one file, written anew each time, so that a run that went on has no row twice


def write_events(folder: Path, history: Sequence[Mapping[str, float | None]]) -> None:
    """Write the figures of all epochs into one events file of the folder; nothing without TensorBoard."""
    if importlib.util.find_spec("tensorboard") is None:
        return
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    with (folder / _NAME).open("wb") as stream:
        writer = RecordWriter(stream)
        writer.write(Event(wall_time=0.0, step=0, file_version="brain.Event:2").SerializeToString())
        for row in history:
            values = [
                Summary.Value(tag=_tag(key), simple_value=value)
                for key, value in row.items()
                if key != "epoch" and value is not None
            ]
            event = Event(wall_time=0.0, step=int(row["epoch"] or 0), summary=Summary(value=values))
            writer.write(event.SerializeToString())
        writer.flush()


def _tag(key: str) -> str:
    """`val_top1` as `top1/val`: curves of one figure stand in one chart."""
    split, _, figure = key.partition("_")
    return f"{figure}/{split}" if figure else key
