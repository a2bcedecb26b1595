"""Asking a model about labelled pictures: real files, real networks."""

from __future__ import annotations

import threading
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch

from tars_hub import Predictor, TarsClassifier
from tars_hub.config import Preprocess
from tars_hub.errors import DataError, ModelError, UsageError
from tars_hub.evaluation import evaluate, held_out_folder, labelled_pictures
from tars_hub.labelled import find_classes
from tars_hub.samples import Pixels
from tests.digits_folder import write_few_digits

SMALL = Preprocess(crop_size=32, resize_size=32, crop="squash")


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_few_digits(tmp_path_factory.mktemp("data") / "digits", digits="013", train=4, val=5)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    torch.manual_seed(0)
    return Predictor(TarsClassifier.create("resnet18", ["3", "1", "0"], preprocess=SMALL), device="cpu")


def test_every_picture_is_asked_about_in_order(digits: Path, predictor: Predictor) -> None:
    paths, labels = labelled_pictures(find_classes(digits / "val"), predictor.config.classes)
    done: list[int] = []
    found, errors = evaluate(predictor, paths, labels, batch_size=4, on_progress=done.append)
    assert errors == ()
    assert found.classes == ("3", "1", "0")
    assert found.files == tuple(map(str, paths))
    assert [found.classes[label] for label in found.labels] == [path.parent.name for path in paths]
    assert (found.labels.dtype, found.logits.dtype, len(found)) == (np.int64, np.float32, 15)
    alone = np.concatenate([predictor.logits([predictor.prepare(path)]) for path in paths])
    assert np.allclose(found.logits, alone, rtol=1e-4, atol=1e-4 * np.abs(alone).max())
    assert done == [1] * 15


def test_broken_pictures_are_left_out_and_named(digits: Path, predictor: Predictor, tmp_path: Path) -> None:
    paths, labels = labelled_pictures(find_classes(digits / "val"), predictor.config.classes)
    whole, _ = evaluate(predictor, paths, labels, names=[f"name {row}" for row in range(15)])
    for row in (0, 7, 8, 9, 10):  # one batch of which nothing is left
        paths[row] = tmp_path / f"{row}.png"
        paths[row].write_bytes(b"no picture")
    done: list[int] = []
    names = [f"name {row}" for row in range(15)]
    found, errors = evaluate(predictor, paths, labels, names=names, batch_size=3, on_progress=done.append)
    assert [error.name for error in errors] == [str(paths[row]) for row in (0, 7, 8, 9, 10)]
    kept = [1, 2, 3, 4, 5, 6, 11, 12, 13, 14]
    assert found.files == tuple(names[row] for row in kept)
    assert found.labels.tolist() == whole.labels[kept].tolist()
    assert np.allclose(found.logits, whole.logits[kept], rtol=1e-4, atol=1e-4 * np.abs(whole.logits).max())
    assert sum(done) == 15


def test_none_readable_is_one_clear_line(predictor: Predictor, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"none of 2 pictures.*a\.png"):
        evaluate(predictor, [tmp_path / "a.png", tmp_path / "b.png"], [0, 1])
    with pytest.raises(DataError, match="none of 0 pictures"):
        evaluate(predictor, [], [])
    with pytest.raises(UsageError, match="batch_size is 0"):
        evaluate(predictor, [], [], batch_size=0)


def test_a_diverged_model_is_one_clear_line(digits: Path) -> None:
    model = TarsClassifier.create("resnet18", ["0", "1", "3"], preprocess=SMALL)
    with torch.no_grad():
        next(iter(model.parameters())).fill_(float("nan"))
    paths, labels = labelled_pictures(find_classes(digits / "val"), model.config.classes)
    with pytest.raises(ModelError, match="diverged"):
        evaluate(Predictor(model, device="cpu"), paths, labels)


def test_memory_holds_two_batches(digits: Path, predictor: Predictor) -> None:
    """What is prepared and not yet answered is counted; reading goes on while the network works."""

    class Counting(Predictor):
        waiting = most = 0
        ahead = False
        lock = threading.Lock()

        def prepare(self, picture: object) -> Pixels:
            pixels = super().prepare(picture)  # type: ignore[arg-type]
            with self.lock:
                self.waiting += 1
                self.most = max(self.most, self.waiting)
            return pixels

        def logits(self, pictures: object) -> np.typing.NDArray[np.float32]:
            found = super().logits(pictures)  # type: ignore[arg-type]
            with self.lock:
                self.ahead |= self.waiting > len(found)
                self.waiting -= len(found)
            return found

    counting = Counting(predictor.model, device="cpu")
    paths, labels = labelled_pictures(find_classes(digits / "val"), predictor.config.classes)
    evaluate(counting, paths * 4, labels * 4, batch_size=4)
    assert counting.most <= 8
    assert counting.ahead


def test_classes_are_matched_by_name_however_accents_are_written(tmp_path: Path) -> None:
    for name in ("caf\u00e9", "u\u0308ber", "tea"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(b"")
    other = tuple(
        unicodedata.normalize(form, name) for form, name in (("NFD", "café"), ("NFC", "über"), ("NFC", "tea"))
    )
    paths, labels = labelled_pictures(find_classes(tmp_path), ("more", *other))
    assert {
        unicodedata.normalize("NFC", path.parent.name): label for path, label in zip(paths, labels, strict=True)
    } == {
        "café": 1,
        "über": 2,
        "tea": 3,
    }


def test_a_class_that_the_model_lacks_is_named_with_its_neighbour(digits: Path) -> None:
    with pytest.raises(DataError, match=r"knows no class 3; the nearest is 33; .*--unknown"):
        labelled_pictures(find_classes(digits / "val"), ("0", "1", "33"))


def test_only_keeps_what_is_named(digits: Path, predictor: Predictor) -> None:
    paths, labels = labelled_pictures(find_classes(digits / "val"), predictor.config.classes)
    found, _ = evaluate(predictor, paths, labels)
    part = found.only({found.files[3], found.files[9], "another"})
    assert part.files == (found.files[3], found.files[9])
    assert np.array_equal(part.logits, found.logits[[3, 9]])
    assert np.array_equal(part.labels, found.labels[[3, 9]])


@pytest.mark.parametrize(
    ("there", "asked", "part"),
    [
        (["cat", "dog"], None, None),
        (["train", "val"], None, "val"),
        (["train", "val", "test"], None, "test"),
        (["train", "valid"], None, "valid"),
        (["train", "validation"], None, "validation"),
        (["train", "val", "test"], "val", "val"),
        (["train"], "train", "train"),
        (["train", "car"], None, None),  # a class
        (["train", "march"], "march", "march"),
    ],
)
def test_the_part_to_measure_by(tmp_path: Path, there: list[str], asked: str | None, part: str | None) -> None:
    for name in [*there, ".hidden"]:
        (tmp_path / name / "cat").mkdir(parents=True)
    assert held_out_folder(tmp_path, asked) == (tmp_path / part if part else tmp_path, part)


def test_a_part_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    with pytest.raises(DataError, match=r"taught the model.*--split train"):
        held_out_folder(tmp_path)
    with pytest.raises(DataError, match="no folder tset; it holds train"):
        held_out_folder(tmp_path, "tset")
    with pytest.raises(DataError, match="no such folder"):
        held_out_folder(tmp_path / "nowhere")
