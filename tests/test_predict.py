"""Predictor: one picture, many pictures, bad pictures, and those it declines."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch

from tars_hub import Prediction, Predictor, TarsClassifier
from tars_hub.config import Calibration
from tars_hub.errors import PictureError, UsageError
from tars_hub.preprocess import load, to_tensor
from tars_hub.quiet import cv2


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    torch.manual_seed(0)
    return Predictor(TarsClassifier.create("resnet18", ["cat", "dog", "fox"]), device="cpu")


@pytest.fixture
def photographs(tmp_path: Path) -> list[Path]:
    pictures = [skimage.data.chelsea(), skimage.data.astronaut(), skimage.data.coffee()]
    paths = [tmp_path / f"{index}.png" for index in range(3)]
    for path, pixels in zip(paths, pictures, strict=True):
        cv2.imwrite(str(path), pixels[:, :, ::-1])
    return paths


def test_an_answer_is_the_models_softmax_in_order(predictor: Predictor, photographs: list[Path]) -> None:
    answer = predictor(photographs[0])
    prepare = predictor.config.preprocess
    with torch.inference_mode():
        expected = predictor.model(to_tensor(load(photographs[0], prepare), prepare)[None]).softmax(1)[0]
    assert [label for label, _ in answer.top] == [
        predictor.config.classes[i] for i in expected.argsort(descending=True)
    ]
    assert [p for _, p in answer.top] == pytest.approx(expected.sort(descending=True).values.tolist())
    assert (answer.label, answer.probability) == answer.top[0]
    assert sum(p for _, p in answer.top) == pytest.approx(1)


def test_top_k(predictor: Predictor, photographs: list[Path]) -> None:
    assert len(predictor(photographs[0], top_k=2).top) == 2
    assert len(predictor(photographs[0], top_k=99).top) == 3
    with pytest.raises(UsageError, match="top_k is 0"):
        predictor(photographs[0], top_k=0)


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_a_batch_answers_as_one_by_one_in_order(predictor: Predictor, photographs: list[Path], batch_size: int) -> None:
    together = predictor.batch(photographs * 2, batch_size=batch_size)
    singly = [predictor(path) for path in photographs * 2]
    assert [answer.label for answer in together] == [answer.label for answer in singly]
    for a, b in zip(together, singly, strict=True):
        assert [p for _, p in a.top] == pytest.approx([p for _, p in b.top], abs=1e-5)


def test_no_pictures_no_answers(predictor: Predictor) -> None:
    assert predictor.batch([]) == []


def test_a_bad_picture_raises_and_a_stream_goes_on(predictor: Predictor, photographs: list[Path]) -> None:
    mixed = [photographs[0], b"no picture", photographs[1]]
    with pytest.raises(PictureError, match="bytes"):
        predictor.batch(mixed)
    kinds = [type(answer) for answer in predictor.stream(mixed)]
    assert kinds == [Prediction, PictureError, Prediction]


def test_a_stream_asks_for_no_more_than_a_batch_ahead(predictor: Predictor) -> None:
    asked = 0

    def endless():  # type: ignore[no-untyped-def]  # noqa: ANN202
        nonlocal asked
        while True:
            asked += 1
            yield np.zeros((8, 8, 3), np.uint8)

    next(iter(predictor.stream(endless(), batch_size=4)))
    assert asked == 4 + 4  # what is read while the network answers about the first


def test_a_predictor_is_made_of_a_folder_or_an_old_file(
    predictor: Predictor, photographs: list[Path], tmp_path: Path
) -> None:
    predictor.model.save_pretrained(tmp_path / "model")
    torch.save(predictor.model.backbone.state_dict(), tmp_path / "old.pth")
    expected = [p for _, p in predictor(photographs[0]).top]
    for source in (tmp_path / "model", str(tmp_path / "model"), tmp_path / "old.pth"):
        answer = Predictor.from_pretrained(source, device="cpu")(photographs[0])
        assert [p for _, p in answer.top] == expected


# ---------------------------------------------------------------- calibration


def calibrated(predictor: Predictor, calibration: Calibration) -> TarsClassifier:
    """The same network, read in this way."""
    return TarsClassifier(replace(predictor.config, calibration=calibration), predictor.model.backbone)


def read(predictor: Predictor, calibration: Calibration, **options: bool) -> Predictor:
    return Predictor(calibrated(predictor, calibration), device="cpu", **options)


def test_without_a_calibration_nothing_is_declined(predictor: Predictor, photographs: list[Path]) -> None:
    assert predictor.calibration == Calibration()
    assert not any(answer.declined for answer in predictor.batch(photographs))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_logits_are_divided_by_the_temperature(
    predictor: Predictor, photographs: list[Path], temperature: float
) -> None:
    other = read(predictor, Calibration(temperature=temperature))
    pixels = [other.prepare(path) for path in photographs]
    expected = (torch.from_numpy(predictor.logits(pixels)) / temperature).softmax(dim=1).numpy()
    assert other.probabilities(pixels) == pytest.approx(expected)
    assert other(photographs[0]).probability == pytest.approx(expected[0].max())
    assert np.array_equal(other.logits(pixels), predictor.logits(pixels))
    assert not other(photographs[0]).declined


def test_what_is_below_the_threshold_is_declined_and_its_nearest_class_named(
    predictor: Predictor, photographs: list[Path]
) -> None:
    sure = [answer.probability for answer in predictor.batch(photographs)]
    assert max(sure) - min(sure) > 1e-4
    threshold = (max(sure) + min(sure)) / 2
    other = read(predictor, Calibration(threshold=threshold, error=0.05))
    answers = other.batch(photographs)
    assert [answer.declined for answer in answers] == [probability < threshold for probability in sure]
    assert [answer.label for answer in answers] == [predictor(path).label for path in photographs]


def test_a_picture_exactly_as_sure_as_the_threshold_is_answered(predictor: Predictor, photographs: list[Path]) -> None:
    for path in photographs:
        sure = predictor(path).probability
        rounded = (sure, round(sure, 6), float(np.nextafter(np.float32(sure), np.float32(1))))
        assert [read(predictor, Calibration(threshold=value))(path).declined for value in rounded] == [False] * 3
        assert read(predictor, Calibration(threshold=sure + 1e-5))(path).declined


def test_a_network_that_gives_no_numbers_is_declined_where_there_is_a_threshold(predictor: Predictor) -> None:
    class Broken(Predictor):
        def logits(self, pictures):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            return np.full((len(pictures), 3), np.nan, np.float32)

    broken = Broken(calibrated(predictor, Calibration(threshold=0.0)), device="cpu")
    assert broken(np.zeros((8, 8, 3), np.uint8)).declined


def test_uncalibrated_it_reads_the_logits_as_they_are(
    predictor: Predictor, photographs: list[Path], tmp_path: Path
) -> None:
    calibration = Calibration(temperature=3.0, threshold=1.0, error=0.05)
    model = calibrated(predictor, calibration)
    model.save_pretrained(tmp_path / "model")
    plain = Predictor.from_pretrained(tmp_path / "model", device="cpu", calibrated=False)
    assert plain.calibration == Calibration()
    assert plain.config.calibration == calibration
    assert plain(photographs[0]) == predictor(photographs[0])
    loaded = Predictor.from_pretrained(tmp_path / "model", device="cpu")
    assert loaded.calibration == calibration
    assert loaded(photographs[0]).declined
    assert loaded(photographs[0]).probability != pytest.approx(predictor(photographs[0]).probability, abs=1e-4)


def test_many_threads_get_the_answers_of_one(predictor: Predictor, photographs: list[Path]) -> None:
    sure = [answer.probability for answer in predictor.batch(photographs)]
    other = read(predictor, Calibration(temperature=1.0, threshold=sum(sure) / 3))
    expected = [other(path) for path in photographs]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(other, photographs * 8))
    assert [(answer.label, answer.declined) for answer in found] == [(e.label, e.declined) for e in expected] * 8
