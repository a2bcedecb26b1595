"""Data and runs that several of the trainer's tests look at."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.digits_folder import write_few_digits
from tests.train.runs import trained


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits 0 and 1: 32 pictures to learn from, 12 to measure with. Not to be changed."""
    return write_few_digits(tmp_path_factory.mktemp("data") / "digits")


@pytest.fixture(scope="session")
def start(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model of these digits to start from. Not to be changed."""
    folder = tmp_path_factory.mktemp("start") / "digits"
    trained(data, folder, epochs=6)
    return folder


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """Ctrl-C is KeyboardInterrupt; a shell that starts the tests in the background has them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, signal.default_int_handler if before is None else before)
