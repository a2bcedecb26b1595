"""The lines that a model's page offers for copying work as they stand there."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest

from tars_hub.server.pages.snippets import Use, snippets
from tests.server.running import Site, done, site

ROOT = Path(__file__).resolve().parents[3]
BRANCH = "it's-$(id>x)"
TARS = f'tars() {{ "{sys.executable}" -m tars_hub "$@"; }}; hf() {{ "{Path(sys.executable).parent}/hf" "$@"; }}\n'


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A hub with a real model: ann/one, which is public, and ann/two, which is private and has a branch."""
    torch = pytest.importorskip("torch", reason="a real model needs torch")
    from tars_hub.config import ModelConfig, Preprocess
    from tars_hub.model import TarsClassifier

    torch.manual_seed(0)
    preprocess = Preprocess(crop_size=32, resize_size=32)
    config = ModelConfig(backbone="resnet18", classes=("circle", "square", "star"), preprocess=preprocess)
    folder = tmp_path_factory.mktemp("model")
    TarsClassifier(config).save_pretrained(folder)
    with site() as found:
        found.add("ann")
        for name, private in (("ann/one", False), ("ann/two", True)):
            found.create(name, "ann", private=private)
            if private:
                branch = quote(BRANCH, safe="")
                done(found.ask("POST", f"/api/models/{name}/branch/{branch}", "ann", json={}))
            to = quote(BRANCH, safe="") if private else "main"
            files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "model.safetensors"}
            found.put(name, "ann", files, to=to)
            found.put_large(name, "ann", "model.safetensors", (folder / "model.safetensors").read_bytes(), to=to)
        yield found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with picture.jpg in it."""
    cv2 = pytest.importorskip("cv2", reason="a picture needs OpenCV")
    import numpy as np

    assert cv2.imwrite(str(tmp_path / "picture.jpg"), np.full((40, 40, 3), 128, np.uint8))
    return tmp_path


def offered(real: Site, path: str, who: str = "") -> dict[str, str]:
    """The lines of a page by what they are for, with the visitor's token filled in."""
    page = done(real.get(path, who)).text
    found = re.findall(r'<summary>(\w+)</summary>\s*<pre class="code">(.*?)</pre>', page, re.DOTALL)
    return {name: unescape(lines).replace("hf_…", real.tokens.get(who, "")) for name, lines in found}


def run(home: Path, *command: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"HF_HOME": str(home / "hf"), "PYTHONPATH": str(ROOT), "HF_HUB_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_python(real: Site, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    lines = offered(real, "/ann/one")
    assert list(lines) == ["Python", "Shell", "hf", "timm"]
    monkeypatch.chdir(home)
    exec(lines["Python"], {})  # noqa: S102  # what a visitor would do
    label, probability = capsys.readouterr().out.split()[-2:]
    assert label in ("circle", "square", "star")
    assert 0 < float(probability) <= 1


def test_shell(real: Site, home: Path) -> None:
    """A private model, at a branch whose name is none of a shell's business."""
    lines = offered(real, f"/ann/two?rev={quote(BRANCH)}", "ann")
    said = run(home, "bash", "-c", f"{TARS}{lines['Shell']}\n{lines['hf']}")
    assert re.search(r"^picture.jpg\t(circle|square|star) ", said, re.MULTILINE)
    folder = re.findall(r"(/\S+)$", said.strip())[0]
    assert (Path(folder) / "config.json").is_file()
    assert {path.name for path in home.iterdir()} == {"picture.jpg", "hf"}, "nothing else was run"


def test_timm(real: Site, home: Path) -> None:
    pytest.importorskip("timm")
    lines = offered(real, "/ann/one")["timm"] + "\nprint(model.num_classes)"
    assert run(home, sys.executable, "-c", lines).split()[-1] == "3"


def test_names_are_quoted_by_the_rules_of_what_reads_them() -> None:
    revision = "a\"b\\c'd$(x)é"
    use = Use(base="http://h.test", repo="ann/one", revision=revision, needs_token=True, tars=True, timm=True)
    found = {snippet.name: snippet.lines for snippet in snippets(use)}
    for name in ("Python", "timm"):
        values = [node.value for node in ast.walk(ast.parse(found[name])) if isinstance(node, ast.Constant)]
        assert any(str(value).endswith(revision) for value in values), name
    for name in ("Shell", "hf"):
        command = found[name].splitlines()[-1]
        assert shlex.split(command)[-1] == revision
        assert "export HF_TOKEN=hf_…" in found[name]


def test_only_what_fits_is_offered() -> None:
    assert [each.name for each in snippets(Use(base="http://h.test", repo="ann/one"))] == ["hf"]
