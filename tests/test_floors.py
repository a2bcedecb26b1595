"""Imports go strictly down: the floors of the house, from the ground up."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# A file may import from floors below its own. Folders count as their files: tars_hub.ui.page is of tars_hub.ui.
FLOORS = [
    {"tars_hub", "tars_hub.errors", "tars_hub.refusals", "tars_hub.version"},
    {"tars_hub.limits", "tars_hub.listening", "tars_hub.memory", "tars_hub.private_folder", "tars_hub.bodies"},
    {"tars_hub.admission", "tars_hub.responses"},
    {"tars_hub.config", "tars_hub.files", "tars_hub.quiet", "tars_hub.containers", "tars_hub.training"},
    {"tars_hub.card_text", "tars_hub.cli_flags", "tars_hub.lettering"},
    {
        "tars_hub.card",
        "tars_hub.calibration",
        "tars_hub.plots",
        "tars_hub.backbones",
        "tars_hub.mirror",
        "tars_hub.remote",
        "tars_hub.samples",
        "tars_hub.unpickle",
        "tars_hub.weights",
    },
    {"tars_hub.raw", "tars_hub.model", "tars_hub.checkpoint", "tars_hub.digits", "tars_hub.drawn"},
    {"tars_hub.decode", "tars_hub.legacy"},
    {"tars_hub.pillow", "tars_hub.loading"},
    {"tars_hub.preprocess"},
    {"tars_hub.engines", "tars_hub.listing", "tars_hub.labelled", "tars_hub.pipeline"},
    {"tars_hub.predict"},
    {"tars_hub.batching"},
    {"tars_hub.answers", "tars_hub.evaluation", "tars_hub.exhibits", "tars_hub.explain", "tars_hub.shelf"},
    {"tars_hub.questions", "tars_hub.http_described"},
    {"tars_hub.ui", "tars_hub.hub_answers", "tars_hub.http"},
    {"tars_hub.hub_door"},
    {"tars_hub.metrics", "tars_hub.hub_models"},
    {"tars_hub.compare", "tars_hub.report"},
    {"tars_hub.export"},
    {"tars_hub.demo", "tars_hub.cli_export", "tars_hub.cli_measure", "tars_hub.cli_mirror", "tars_hub.cli_predict"},
    # The hub stands beside the model side, on the project's errors, limits and way to listen; they meet above both.
    {
        "tars_hub.server",
        "tars_hub.server.errors",
        "tars_hub.server.front_matter",
        "tars_hub.server.settings",
        "tars_hub.server.records",
        "tars_hub.server.recent",
        "tars_hub.server.xet",
    },
    {
        "tars_hub.server.blobs",
        "tars_hub.server.catalog",
        "tars_hub.server.called",
        "tars_hub.server.additions",
        "tars_hub.server.cards",
        "tars_hub.server.gitobjects",
        "tars_hub.server.names",
        "tars_hub.server.patterns",
        "tars_hub.server.signing",
        "tars_hub.server.tensors",
        "tars_hub.server.wire",
    },
    {"tars_hub.server.facts", "tars_hub.server.hub", "tars_hub.server.trees", "tars_hub.server.uploading"},
    {"tars_hub.server.diffs", "tars_hub.server.merging", "tars_hub.server.reach"},
    {"tars_hub.server.rules", "tars_hub.server.tidy"},
    {"tars_hub.server.check", "tars_hub.server.start", "tars_hub.server.stats", "tars_hub.server.routes"},
    {"tars_hub.server.pages"},
    {"tars_hub.server.table"},
    {"tars_hub.server.app", "tars_hub.server.serve"},
    {"tars_hub.cli_data"},
    {"tars_hub.cli_accounts", "tars_hub.cli_housekeeping"},
    {"tars_hub.beside"},
    {"tars_hub.together", "tars_hub.cli_hub"},
    {"tars_hub.cli"},
    {"tars_hub.__main__", "app"},
    # The trainer stands on the library, beside the shell and the page, which start it as a process.
    {
        "train.settings",
        "train.augment",
        "train.console",
        "train.data",
        "train.plan",
        "train.noise",
        "train.progress",
        "train.regression",
        "train.tensorboard",
    },
    {"train.recipe"},
    {"train.config"},
    {"train.flags", "train.batches", "train.ema", "train.layers", "train.processes", "train.score", "train.start"},
    {"train.mixing", "train.reading", "train.sound", "train.provenance"},
    {"train.state"},
    {"train.learner", "train.output"},
    {"train.loop"},
    {"train.announce", "train.head", "train.sheet"},
    {"train.keep"},
    {"train.epochs", "train.finish"},
    {"train.run"},
    {"train.rehearsal"},
    {"train.__main__", "train"},
]
# Rooms of several files, which may import each other.
ROOMS = {
    "tars_hub.answers",
    "tars_hub.ui",
    "tars_hub.containers",
    "tars_hub.engines",
    "tars_hub.export",
    "tars_hub.mirror",
    *(f"tars_hub.server.{name}" for name in ("blobs", "catalog", "pages", "records", "routes", "rules", "wire", "xet")),
}
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}
FILES = sorted([*(ROOT / "tars_hub").rglob("*.py"), *(ROOT / "train").rglob("*.py"), ROOT / "app.py"])


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def room_of(module: str) -> str:
    """The longest listed name that a module is, or is within."""
    parts = module.split(".")
    names = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next(name for name in names if name in FLOOR and (name == module or name not in {"tars_hub", "train"}))


def imports(path: Path) -> Iterator[str]:
    """Modules of this project that a file imports, at its head or within a function."""
    module = module_of(path)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = f"{package}.{node.module or ''}".rstrip(".") if node.level else str(node.module)
            whole = [f"{base}.{alias.name}" for alias in node.names]
            yield from (name if is_module(name) else base for name in whole)


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_go_down(path: Path) -> None:
    own = room_of(module_of(path))
    for name in imports(path):
        if name.split(".")[0] not in {"tars_hub", "train", "app"}:
            continue
        other = room_of(name)
        inside = own == other and own in ROOMS
        if own == "tars_hub":
            continue  # the package's face names everything, for whoever asks
        assert inside or FLOOR[other] < FLOOR[own], f"{module_of(path)} imports {name}, which is not below it"


def test_imports_never_go_round() -> None:
    """Not within a room either, where the floors do not look."""
    left = {module_of(path): set(imports(path)) - {module_of(path)} for path in FILES}
    while lowest := [name for name, needed in left.items() if not needed & left.keys()]:
        for name in lowest:
            del left[name]
    assert left == {}, "these import each other, or one that does"


def test_the_plan_of_the_page_names_each_of_its_files() -> None:
    room = ROOT / "tars_hub" / "ui"
    plan = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8"))) or ""
    named = re.findall(r"^    (\w+) {2,}", plan, re.MULTILINE)
    assert sorted(named) == sorted(path.stem for path in room.glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("path", [path for path in FILES if "train" not in path.parts], ids=module_of)
def test_the_library_never_imports_the_trainer_or_the_app(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports(path)} & {"train", "app"}


@pytest.mark.parametrize("path", [path for path in FILES if "server" in path.parts], ids=module_of)
def test_the_hub_knows_nothing_of_the_model_side(path: Path) -> None:
    others = {name for name in imports(path) if name.startswith("tars_hub.") and ".server" not in name}
    assert others <= {"tars_hub.errors", "tars_hub.limits", "tars_hub.listening"}


def test_the_hub_starts_without_what_models_need() -> None:
    heavy = ["torch", "torchvision", "cv2", "gradio", "huggingface_hub", "matplotlib", "sklearn"]
    code = f"import sys, tars_hub.server.app, tars_hub.server.serve; print([n for n in {heavy} if n in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert found.strip() == "[]"
