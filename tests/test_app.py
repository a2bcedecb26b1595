"""`python app.py` as a newcomer runs it, and README's commands as they are printed."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

import app
from tars_hub import TarsClassifier, demo, together
from tars_hub.errors import TarsError
from tests.checkout import ROOT, copy_checkout
from tests.digits_folder import write_few_digits

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_importing_the_app_does_nothing() -> None:
    code = "import sys, app; assert not {'torch', 'gradio', 'cv2'} & set(sys.modules); assert callable(app.main)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_readme_has_the_two_commands_and_the_environment_before_them() -> None:
    assert "\npip install -r requirements.txt && python app.py\n" in README
    assert "pip install -r requirements-dev.txt && python -m pytest" in README
    assert "python3 -m venv .venv" in README


def test_readme_makes_a_space() -> None:
    front = README.split("---")[1]
    assert "\nsdk: gradio\n" in front
    assert "\napp_file: app.py\n" in front
    pinned = re.search(r"gradio==(\d+\.\d+)\.\*", (ROOT / "requirements.txt").read_text())
    assert pinned is not None
    assert f"\nsdk_version: {pinned[1]}." in front


def test_readme_names_files_that_are_there() -> None:
    for name in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / name).exists(), name


def test_the_hub_starts_too_but_not_in_a_space(monkeypatch: pytest.MonkeyPatch) -> None:
    alone: list[demo.Options] = []
    both: list[tuple[demo.Options, Path]] = []
    monkeypatch.setattr(demo, "show", lambda options, say: alone.append(options) or 0)  # noqa: ARG005
    monkeypatch.setattr(together, "show", lambda options, data, say: both.append((options, data)) or 0)  # noqa: ARG005
    monkeypatch.setattr(sys, "argv", ["app.py"])
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("TARS_HUB_DATA", raising=False)
    assert app.main() == 0
    monkeypatch.setenv("TARS_HUB_DATA", "/elsewhere")
    assert app.main() == 0
    monkeypatch.setenv("SPACE_ID", "user/space")
    monkeypatch.setenv("TARS_MODEL", "user/model")
    assert app.main() == 0
    (here, data), (_, named) = both
    (space,) = alone
    assert (here.host, here.open_browser, here.model, here.home) == ("127.0.0.1", True, None, ROOT)
    assert (data, named) == (ROOT / "hub-data", Path("/elsewhere"))
    assert (space.host, space.open_browser, space.model) == ("0.0.0.0", False, "user/model")  # noqa: S104


def test_the_default_model_is_trained_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_few_digits(tmp_path / "data" / "digits", digits="0123456789", train=8, val=2)
    monkeypatch.setattr(demo, "_DIGITS_RECIPE", (*demo._DIGITS_RECIPE, "--epochs", "1"))
    said: list[str] = []
    folder = demo.digits_model(tmp_path, said.append)
    assert TarsClassifier.from_pretrained(folder).config.drawings
    assert re.search(
        r"of 210 digits drawn large with a dark pen, which it was never trained on, it reads \d+\.\d%", said[-1]
    )
    assert [path.name for path in folder.parent.iterdir()] == ["digits"]
    monkeypatch.setattr(demo, "start_training", lambda _: pytest.fail("trained again"))
    assert demo.digits_model(tmp_path, said.append) == folder


def test_an_interrupted_training_is_not_taken_for_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_few_digits(tmp_path / "data" / "digits")

    def interrupted(arguments: list[str]) -> int:
        output = arguments[arguments.index("--output") + 1]
        TarsClassifier.create("resnet18", ["0", "1"]).save_pretrained(output)
        return 130

    monkeypatch.setattr(demo, "start_training", interrupted)
    with pytest.raises(TarsError, match="130"):
        demo.digits_model(tmp_path, lambda _: None)
    monkeypatch.setattr(demo, "start_training", lambda _: 3)
    with pytest.raises(TarsError, match="3"):  # asked again, for all that a model stands there
        demo.digits_model(tmp_path, lambda _: None)


@contextmanager
def started(command: list[str], cwd: Path, log: Path) -> Iterator[str]:
    """A process that prints the page's address; stopped as a service manager stops it."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with log.open("w") as stream:
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=stream, stderr=subprocess.STDOUT)
        try:
            yield _address(process, log)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(180)  # it takes 2, and on a busy machine ten times as long


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    for _ in range(1200):
        found = re.search(r"http://\S+", log.read_text(errors="replace"))
        if found or process.poll() is not None:
            assert found, log.read_text(errors="replace")
            return found[0]
        time.sleep(0.5)
    raise AssertionError(log.read_text(errors="replace"))


@pytest.mark.slow
def test_the_first_start_trains_and_the_second_does_not(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path / "checkout")
    line = re.search(r"&& python (app\.py)$", README, re.MULTILINE)
    assert line is not None
    command = [sys.executable, line[1], "--no-browser"]
    with started(command, checkout, tmp_path / "first.log") as address:
        assert urlopen(address).status == 200  # our own server
    first = (tmp_path / "first.log").read_text(errors="replace")
    accuracy = re.search(r"top-1 +([\d.]+)% .* of 359 pictures", first)
    drawn = re.search(r"it reads ([\d.]+)%", first)
    assert accuracy is not None
    assert drawn is not None
    assert float(accuracy[1]) >= 98
    assert float(drawn[1]) >= 93
    with started(command, checkout, tmp_path / "second.log") as address:
        assert urlopen(address).status == 200
    assert "epoch" not in (tmp_path / "second.log").read_text(errors="replace")


@pytest.mark.slow
def test_readmes_other_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line of the section about one's own pictures, with real folders in it, and no ImageNet to be had."""
    checkout = copy_checkout(tmp_path / "checkout")
    write_few_digits(checkout / "DIR")
    section = README.split("## Your own pictures")[1].split("```")[1]
    train, predict, page = [line.split() for line in section.splitlines()[1:] if line]
    environment = {**os.environ, "PYTHONPATH": ""}
    monkeypatch.chdir(checkout)
    small = ["--weights", "none", "--model", "resnet18", "--img-size", "32", "--epochs", "1"]
    subprocess.run([sys.executable, *train[1:], *small], cwd=checkout, env=environment, check=True)
    done = [sys.executable, *predict[1:-1], "DIR/val"]
    answers = subprocess.run(done, cwd=checkout, env=environment, check=True, capture_output=True, text=True)
    assert answers.stdout.count("\n") == 12
    for title in ("Folders of pictures", "For other programs"):
        lines = README.split(f"### {title}")[1].split("```sh\n")[1].split("```")[0]
        lines = lines.replace("python ", f"{sys.executable} ").replace("PICTURES", "DIR/val").replace("*.jpg", "*.png")
        lines = lines.replace("--int8", "--int8 --max-loss 100 --output int8")  # of twelve pictures one is eight points
        subprocess.run(["bash", "-euo", "pipefail", "-c", lines], cwd=checkout, env=environment, check=True)
    assert (checkout / "answers.csv").read_text().count("\n") == 13
    assert {path.name for path in (checkout / "checkpoint-onnx").iterdir()} >= {"model.onnx", "export.json"}
    picture = next((checkout / "DIR" / "val").rglob("*.png"))
    (checkout / "picture.jpg").write_bytes(picture.read_bytes())
    python = README.split("```python")[1].split("```")[0]
    out = subprocess.run([sys.executable, "-c", python], cwd=checkout, check=True, capture_output=True, text=True)
    assert out.stdout.split()[0] in {"0", "1"}
    with started([sys.executable, *page[1:], "--no-browser"], checkout, tmp_path / "page.log") as address:
        assert urlopen(address).status == 200
