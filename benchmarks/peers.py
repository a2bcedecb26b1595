"""Ways of answering about pictures: ours, others', and the least that any way needs. benchmarks/asked.py asks them.

Nothing is imported before it is needed: the time to the first answer counts that.
"""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

ROOT = Path(__file__).resolve().parent.parent
CORES = os.cpu_count() or 1
_BATCHES = (1, 4, 8, 16)
_TRIES = 4  # of each number of threads
Setting = dict[str, int]


class Peer(Protocol):
    """A loaded model.

    Attributes:
        settings: of `folder`, to choose the fastest from.
    """

    settings: list[Setting]

    def answer(self, data: bytes) -> int:
        """A JPEG's bytes to the number of its class."""
        ...

    def folder(self, pictures: list[str], **setting: int) -> list[int]: ...


class Ours:
    """The library by its front door, on the processor."""

    def __init__(self, models: Path, name: str, engine: str | None = "onnx") -> None:
        from tars_hub import Predictor

        self._predictor = Predictor.from_pretrained(models / name, device="cpu", engine=engine)
        self.settings: list[Setting] = [{}]  # it chooses for itself

    def answer(self, data: bytes) -> int:
        return self._number(self._predictor(data))

    def folder(self, pictures: list[str]) -> list[int]:
        return list(map(self._number, self._predictor.stream(pictures)))

    def _number(self, answer: Any) -> int:  # noqa: ANN401  # a Prediction, or the error that it is instead
        if isinstance(answer, Exception):
            raise answer
        return self._predictor.config.classes.index(answer.label)


class Transformers:
    """`pipeline("image-classification")` with all that it chooses by itself, but the batch size."""

    def __init__(self, models: Path, name: str) -> None:
        from transformers import pipeline

        self._pipeline = pipeline("image-classification", model=str(models / f"{name}.transformers"), device="cpu")
        self._number = self._pipeline.model.config.label2id
        processes = (0, 1) if CORES > 1 else (0,)
        self.settings = [{"batch_size": size, "num_workers": n} for size in _BATCHES for n in processes]

    def answer(self, data: bytes) -> int:
        from PIL import Image

        return int(self._number[self._pipeline(Image.open(io.BytesIO(data)))[0]["label"]])

    def folder(self, pictures: list[str], **setting: int) -> list[int]:
        def each() -> Iterator[str]:  # a list would be held whole
            yield from pictures

        return [int(self._number[found[0]["label"]]) for found in self._pipeline(each(), **setting)]


class Torch:
    """A torch network behind PIL and transforms, by hand."""

    _network: Any
    _transform: Callable[[Any], Any]

    def __init__(self) -> None:
        processes = range(CORES + 1)
        self.settings: list[Setting] = [{"batch_size": size, "num_workers": n} for size in _BATCHES for n in processes]

    def answer(self, data: bytes) -> int:
        from PIL import Image

        return self._answers(self._transform(Image.open(io.BytesIO(data)).convert("RGB"))[None])[0]

    def folder(self, pictures: list[str], **setting: int) -> list[int]:
        from torch.utils.data import DataLoader

        loader: Any = DataLoader(pictures, collate_fn=self._batch, **setting)  # type: ignore[arg-type]
        return [number for batch in loader for number in self._answers(batch)]

    def _batch(self, pictures: list[str]) -> Any:  # noqa: ANN401  # (N, 3, S, S)
        import torch
        from PIL import Image

        return torch.stack([self._transform(Image.open(picture).convert("RGB")) for picture in pictures])

    def _answers(self, batch: Any) -> list[int]:  # noqa: ANN401
        import torch

        with torch.inference_mode():
            numbers: list[int] = self._network(batch).softmax(1).topk(5).indices[:, 0].tolist()
        return numbers


class Timm(Torch):
    """timm's own loading and transforms."""

    def __init__(self, models: Path, name: str) -> None:
        import timm
        from timm.data import create_transform, resolve_model_data_config

        super().__init__()
        self._network = timm.create_model(f"local-dir:{models / f'{name}.timm'}", pretrained=True).eval()
        self._transform = create_transform(**resolve_model_data_config(self._network), is_training=False)


class Torchvision(Torch):
    """As tutorials have it."""

    def __init__(self, models: Path, name: str) -> None:
        import torchvision
        from safetensors.torch import load_file
        from torchvision import transforms

        super().__init__()
        self._network = torchvision.models.get_model(name, num_classes=10).eval()
        self._network.load_state_dict(load_file(models / name / "model.safetensors"))
        steps = [transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor()]
        self._transform = transforms.Compose(
            [*steps, transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
        )


class Limit:
    """OpenCV and a bare ONNX Runtime: what cannot be left out, and nothing else."""

    def __init__(self, models: Path, name: str) -> None:
        import onnxruntime

        self._open = partial(self._session, onnxruntime, models / f"{name}.onnx")
        self._one = self._open(0)  # as many threads as it thinks best
        self._side, self._shorter = self._sizes_of(models / name)
        self._name = self._one.get_inputs()[0].name
        self._by_threads: dict[int, Any] = {}
        # Pictures side by side, each by one thread; or batches by all threads while the next ones are decoded.
        self.settings: list[Setting] = [{"threads": 1, "batch": size} for size in (1, 4)]
        self.settings += [{"threads": CORES, "batch": size} for size in (1, 4, 8)] if CORES > 1 else []

    @staticmethod
    def _session(runtime: Any, path: Path, threads: int) -> Any:  # noqa: ANN401
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    @staticmethod
    def _sizes_of(folder: Path) -> tuple[int, int]:
        """Pixels of the square, and of the shorter side of the picture that it is cut from: as ours has them."""
        prepared = json.loads((folder / "config.json").read_text(encoding="utf-8"))["preprocess"]
        return int(prepared["crop_size"]), int(prepared["resize_size"])

    def answer(self, data: bytes) -> int:
        return self._run(self._one, [self._prepare(data)])[0]

    def choose_threads(self, data: bytes) -> None:
        """The number of threads that answers fastest."""
        took: list[tuple[float, Any]] = []
        for session in (self._one, *map(self._open, sorted({1, CORES // 2 or 1, CORES}))):
            self._one = session
            took.append((min(timed(lambda: self.answer(data))[0] for _ in range(_TRIES)), session))
        self._one = min(took, key=lambda pair: pair[0])[1]

    def folder(self, pictures: list[str], *, threads: int, batch: int) -> list[int]:
        if threads not in self._by_threads:
            self._by_threads[threads] = self._open(threads)
        session = self._by_threads[threads]
        waiting = iter(pictures)
        groups = list(iter(lambda: list(islice(waiting, batch)), []))
        with ThreadPoolExecutor(CORES) as pool:
            if threads == 1:
                found = pool.map(lambda group: self._run(session, [self._read(path) for path in group]), groups)
                return [number for numbers in found for number in numbers]
            return [number for group in self._ahead(pool, groups) for number in self._run(session, group)]

    def _ahead(self, pool: ThreadPoolExecutor, groups: list[list[str]]) -> Iterator[list[Any]]:
        """Each group's pictures, prepared while the one before it is answered."""
        coming: list[list[Any]] = []
        for group in groups:
            coming.append([pool.submit(self._read, path) for path in group])
            if len(coming) > 2:
                yield [found.result() for found in coming.pop(0)]
        for futures in coming:
            yield [found.result() for found in futures]

    def _read(self, path: str) -> Any:  # noqa: ANN401
        return self._prepare(Path(path).read_bytes())

    def _prepare(self, data: bytes) -> Any:  # noqa: ANN401  # (S, S, 3) uint8
        import cv2
        import numpy as np

        side, shorter = self._side, self._shorter
        raw = np.frombuffer(data, np.uint8)
        pixels = cv2.imdecode(raw, self._reduced(data, 2 * shorter))
        height, width = pixels.shape[:2]
        size = (shorter * width // min(height, width), shorter * height // min(height, width))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
        return cv2.cvtColor(np.ascontiguousarray(pixels[top : top + side, left : left + side]), cv2.COLOR_BGR2RGB)

    @staticmethod
    def _reduced(data: bytes, needed: int) -> int:
        """How OpenCV is to decode it: as small as leaves the pixels that are needed."""
        import cv2

        height, width = jpeg_size(data)
        flags = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}
        return next((flag for by, flag in flags.items() if min(height, width) >= by * needed), cv2.IMREAD_COLOR)

    def _run(self, session: Any, pictures: list[Any]) -> list[int]:  # noqa: ANN401
        import numpy as np

        numbers: list[int] = session.run(None, {self._name: np.stack(pictures)})[0].argmax(1).tolist()
        return numbers


def jpeg_size(data: bytes) -> tuple[int, int]:
    """(height, width), from the header of a file that is known to be in order."""
    at = 2
    while data[at + 1] not in {0xC0, 0xC1, 0xC2}:
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big")


class File:
    """Reading the weights and nothing else, as a yardstick of loading."""

    def __init__(self, models: Path, name: str) -> None:
        self.settings: list[Setting] = []
        (models / name / "model.safetensors").read_bytes()

    def answer(self, data: bytes) -> int:
        raise NotImplementedError

    def folder(self, pictures: list[str], **setting: int) -> list[int]:
        raise NotImplementedError


PEERS: dict[str, Callable[[Path, str], Peer]] = {
    "tars": Ours,
    "tars, torch": partial(Ours, engine="torch"),
    "tars, int8": partial(Ours, engine=None),
    "transformers": Transformers,
    "timm": Timm,
    "torchvision": Torchvision,
    "limit": Limit,
    "file": File,
}


def timed(act: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    found = act()
    return time.perf_counter() - begin, found
