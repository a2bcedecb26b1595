"""The wheel, installed in an empty environment beside the dependencies alone, works without the checkout."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.checkout import ROOT, copy_checkout
from tests.digits_folder import write_few_digits


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = copy_checkout(folder / "source")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    run(*build, "--wheel-dir", folder, source, cwd=folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its own environment, into which only the installed dependencies of this one are let in."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    site = run(python, "-c", "import site; print(site.getsitepackages()[0])", cwd=folder).stdout.strip()
    (Path(site) / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"]
    run(*install, wheel, cwd=folder)
    return folder


def test_everything_lies_under_one_name(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"tars_hub"}
    page = ROOT / "tars_hub" / "ui"
    beside = {f"tars_hub/ui/{path.name}" for path in (*page.glob("*.css"), *page.glob("*.js"))}
    assert {"tars_hub/train/__main__.py", "tars_hub/py.typed", *beside} <= set(names)
    assert not any("tests" in name for name in names)


def test_the_installed_command_trains_and_predicts(environment: Path, tmp_path: Path) -> None:
    tars = environment / "bin" / "tars"
    where = run(environment / "bin" / "python", "-c", "import tars_hub; print(tars_hub.__file__)", cwd=tmp_path).stdout
    assert str(environment) in where
    write_few_digits(tmp_path / "data")
    # A data folder called as the trainer is: it must not be taken for it.
    flags = "--model resnet18 --weights none --img-size 32 --epochs 1 --augment none"
    run(tars, "train", "--data", ".", "--output", tmp_path / "out", *flags.split(), cwd=tmp_path / "data")
    picture = next((tmp_path / "data" / "val").rglob("*.png"))
    answer = run(tars, "predict", tmp_path / "out", picture, cwd=tmp_path).stdout
    assert answer.split("\t")[1][0] in "01"
    assert "0.1" in run(tars, "--version", cwd=tmp_path).stdout
