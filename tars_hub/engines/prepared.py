"""Graphs that this machine has exported and checked, one for each model, and where they lie.

A folder of the cache is named by all that its graph depends on: the weights' bytes, what of the config goes into the
graph, the version of ONNX Runtime and the kind of processor. It appears whole or not at all, and holds

    graph.onnx graph.bin    as ONNX Runtime runs it here
    parity.json             how far its answers lie from torch's
    refused.txt             instead of them: why torch answers for this model
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from blake3 import blake3
from filelock import FileLock

from tars_hub.config import ModelConfig
from tars_hub.engines import onnx
from tars_hub.engines.onnx import OnnxEngine
from tars_hub.engines.settings import Settings
from tars_hub.errors import ModelError
from tars_hub.files import flush_tree

_FORMAT = 1  # of what is written here; another number, and everything is made anew
_GRAPH, _PARITY, _REFUSED = "graph.onnx", "parity.json", "refused.txt"
_MAKING = "making-"
_PATIENCE_S = 900.0
_PIECE_BYTES = 4 << 20


class RefusedError(Exception):
    """This model has no graph that answers as torch does; the message says why."""


@dataclass(frozen=True)
class Place:
    """Where a model's graph lies, or would lie."""

    folder: Path

    def engine(self) -> OnnxEngine | None:
        """The graph that lies there; None where there is none, or none that can be read.

        Raises:
            RefusedError: it was tried before.
        """
        with suppress(OSError):
            raise RefusedError((self.folder / _REFUSED).read_text(encoding="utf-8"))
        with suppress(OSError, ModelError):
            found = OnnxEngine(self.folder / _GRAPH, is_optimised=True)
            os.utime(self.folder)  # those that nobody uses go first
            return found
        return None


def place_of(settings: Settings, config: ModelConfig, weights: Path) -> Place:
    """Where the graph of these weights lies on this machine. Raises OSError where they cannot be read."""
    prepare = config.preprocess
    facts = {
        "format": _FORMAT,
        "runtime": onnx.version(),
        "machine": _machine(),
        "weights": digest_of(weights),
        "backbone": config.backbone,
        "classes": config.num_classes,
        "preprocess": [prepare.crop_size, prepare.mean, prepare.std],
        "temperature": config.calibration.temperature,
    }
    return Place(settings.cache / blake3(json.dumps(facts, sort_keys=True).encode()).hexdigest())


def digest_of(file: Path) -> str:
    """The hash of all its bytes. Raises OSError.

    Read and not mapped: a file that somebody cuts meanwhile would end the process.
    """
    found, piece = blake3(max_threads=blake3.AUTO), memoryview(bytearray(_PIECE_BYTES))
    with file.open("rb", buffering=0) as stream:
        while count := stream.readinto(piece):
            found.update(piece[:count])
    return found.hexdigest()


def prepare(settings: Settings, place: Place, folder: Path) -> OnnxEngine:
    """Export a model folder's graph, check it and keep it; in a process of its own, which needs time and memory once.

    Raises:
        RefusedError: it cannot be exported, or answers otherwise than torch does.
        OSError: the cache cannot be written.
    """
    settings.cache.mkdir(parents=True, exist_ok=True)
    with FileLock(settings.cache / "lock"):  # the same machine, the same memory: one at a time
        if found := place.engine():  # meanwhile another process has done it
            return found
        _make_room(settings)
        with TemporaryDirectory(prefix=_MAKING, dir=settings.cache, ignore_cleanup_errors=True) as temporary:
            made = Path(temporary) / place.folder.name
            made.mkdir()
            _run(folder, made)
            flush_tree(made)
            shutil.rmtree(place.folder, ignore_errors=True)  # what could not be read
            made.rename(place.folder)
    found = place.engine()
    if found is None:
        raise RefusedError("ONNX Runtime cannot read what it wrote")
    return found


def export_into(model_folder: Path, made: Path) -> None:
    """What the process does: write the graph, or why there is none, into an empty folder."""
    from tars_hub.engines.eager import TorchEngine
    from tars_hub.engines.graph import write_onnx
    from tars_hub.engines.parity import EXACT, check_pictures, compare_logits
    from tars_hub.model import TarsClassifier

    model = TarsClassifier.from_pretrained(model_folder)
    try:
        with TemporaryDirectory(dir=made) as temporary:
            write_onnx(model, Path(temporary) / _GRAPH, apart=True)
            onnx.optimise(Path(temporary) / _GRAPH, made / _GRAPH)
        pictures = check_pictures(model.config.preprocess)
        expected = TorchEngine(model, "cpu").logits(pictures)
        found = OnnxEngine(made / _GRAPH, is_optimised=True).logits(pictures)
    except ModelError as error:
        (made / _REFUSED).write_text(str(error), encoding="utf-8")
        return
    parity = compare_logits(expected, found, model.config.calibration.temperature)
    (made / _PARITY).write_text(json.dumps(parity.to_dict()), encoding="utf-8")
    if not parity.within(EXACT):
        (made / _REFUSED).write_text(f"ONNX Runtime answers otherwise than torch: {parity}", encoding="utf-8")


def _run(folder: Path, made: Path) -> None:
    # What this process finds, and nothing that lies in the folder where somebody happens to stand.
    paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    done = subprocess.run(  # noqa: S603  # this very program
        [sys.executable, "-m", "tars_hub.engines", str(folder.resolve()), str(made)],
        env={**os.environ, "PYTHONPATH": paths, "PYTHONSAFEPATH": "1", "CUDA_VISIBLE_DEVICES": ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        timeout=_PATIENCE_S,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"its process ended with {done.returncode}"]
        raise RefusedError(f"the export failed: {lines[-1][:300]}")


def _make_room(settings: Settings) -> None:
    """Let go of what was not used for longest, until the rest is within what is allowed, and of what is unfinished."""
    for abandoned in settings.cache.glob(f"{_MAKING}*"):  # by a process that was killed: nobody else is making one now
        shutil.rmtree(abandoned, ignore_errors=True)
    folders = [entry for entry in settings.cache.iterdir() if entry.is_dir()]
    sizes = {folder: sum(file.stat().st_size for file in folder.iterdir() if file.is_file()) for folder in folders}
    total = sum(sizes.values())
    for folder in sorted(folders, key=lambda entry: entry.stat().st_mtime):
        if total <= settings.cache_bytes:
            return
        shutil.rmtree(folder, ignore_errors=True)
        total -= sizes[folder]


def _machine() -> str:
    """The kind of processor: ONNX Runtime lays out numbers as its instructions want them."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(("flags", "Features")):
                return f"{platform.machine()} {line}"
    return f"{platform.system()} {platform.machine()} {platform.processor()}"
