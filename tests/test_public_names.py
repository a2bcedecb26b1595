"""What `import tars_hub` gives, and what it costs."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import tars_hub

ROOT = Path(__file__).parents[1]


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("name", tars_hub.__all__)
def test_each_public_name_is_there(name: str) -> None:
    assert getattr(tars_hub, name) is not None
    assert name in dir(tars_hub)


def test_each_lazy_name_is_public_and_comes_from_its_home() -> None:
    assert set(tars_hub._HOMES) | {"__version__"} == set(tars_hub.__all__)
    for name, home in tars_hub._HOMES.items():
        assert getattr(tars_hub, name) is getattr(import_module(home), name)


def test_public_names_stand_in_order() -> None:
    assert tars_hub.__all__ == sorted(tars_hub.__all__)


def test_type_checkers_see_the_same_names() -> None:
    source = Path(tars_hub.__file__).read_text(encoding="utf-8")
    block = source[source.index("if TYPE_CHECKING:") : source.index("_HOMES")]
    for name, home in tars_hub._HOMES.items():
        line = next(line for line in block.splitlines() if f"from {home} import " in line)
        assert name in line.split(" import ")[1].split(", ")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = tars_hub.nonsense
    assert not hasattr(tars_hub, "nonsense")


def test_importing_the_package_imports_none_of_the_heavy_ones() -> None:
    loaded = run_python("import sys, tars_hub; print(*sorted(sys.modules))").split()
    heavy = {"torch", "torchvision", "cv2", "numpy", "huggingface_hub", "gradio", "safetensors"}
    assert not heavy & set(loaded)


def test_config_and_errors_need_no_torch() -> None:
    loaded = run_python("import sys, tars_hub.config, tars_hub.errors; print(*sorted(sys.modules))").split()
    assert not {"torch", "numpy", "cv2"} & set(loaded)
