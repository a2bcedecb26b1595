"""Show a model in the browser; where there is none yet, train a small one on handwritten digits first."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tars_hub.config import METRICS, WEIGHTS_NAME
from tars_hub.errors import TarsError, UsageError
from tars_hub.exhibits import Exhibit, Models, OneModel, measured_of
from tars_hub.listing import find_pictures
from tars_hub.predict import Predictor
from tars_hub.training import start_training

if TYPE_CHECKING:
    import gradio as gr

Say = Callable[[str], None]

_EXAMPLES_SHOWN = 10
_DRAWN_PER_WAY = 10
_DRAWN_SEED = 2024
# resnet18 at 32 px: about a minute on two cores.
_DIGITS_RECIPE = (
    *("--model", "resnet18", "--weights", "none", "--img-size", "32", "--crop", "pad"),
    *("--augment", "drawing", "--epochs", "20", "--batch-size", "64", "--seed", "0", "--metric", "loss", "--overwrite"),
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is shown and where.

    Attributes:
        model: folder, repository id or checkpoint file; None is the model of digits.
        home: the folder that the model of digits and its pictures are kept in.
        examples: pictures to offer on the page.
        offline: a repository's model is taken from this machine's cache, and no hub is asked.
        mcp: language models may ask, too, by the Model Context Protocol.
    """

    model: str | None = None
    home: Path = Path()
    examples: Path | None = None
    host: str = "127.0.0.1"
    port: int = 7860
    device: str | None = None
    revision: str | None = None
    endpoint: str | None = None
    offline: bool = False
    open_browser: bool = True
    mcp: bool = False


def show(options: Options, *, say: Say) -> int:
    """Open the page and stay until interrupted; returns the process's exit code."""
    model = options.model or str(digits_model(options.home, say))
    predictor = Predictor.from_pretrained(
        model,
        device=options.device,
        revision=options.revision,
        endpoint=options.endpoint,
        local_files_only=options.offline,
    )
    name = _name_of(model)
    exhibit = Exhibit(predictor=predictor, name=name, measured=measured_of(predictor))
    _serve(options, name, OneModel(exhibit), say)
    return 0


def _name_of(model: str) -> str:
    """A folder's own name, not where it lies; a repository's id."""
    path = Path(model)
    return path.name or path.resolve().name if path.exists() else model  # of ".", too


def page_builder(options: Options, models: Models) -> Callable[[], gr.Blocks]:
    """What makes the page about models, once Gradio's environment is set."""
    examples = _examples(options)

    def build() -> gr.Blocks:
        from tars_hub.ui.page import build_page  # imports gradio, whose settings stand by now

        return build_page(models, examples=examples, mcp=options.mcp)

    return build


def _serve(options: Options, name: str, models: Models, say: Say) -> None:
    from tars_hub.listening import free_port
    from tars_hub.ui.serve import page_server, wait_until_interrupted

    port = free_port(options.host, options.port)
    if port != options.port:
        say(f"port {options.port} is taken; using {port}")
    build = page_builder(options, models)
    server = page_server(
        build, models=models, host=options.host, port=port, mcp=options.mcp, open_browser=options.open_browser
    )
    with server as url:
        say(f"{name} answers at {url} (Ctrl-C stops it)")
        wait_until_interrupted()


def digits_model(home: Path, say: Say) -> Path:
    """The folder of the default model, trained now if it is not there yet."""
    folder = home / "checkpoint" / "digits"
    if _is_finished(folder):
        return folder
    _train_digits(_digits_pictures(home, say), folder, say)
    return folder


def _digits_pictures(home: Path, say: Say) -> Path:
    from tars_hub.digits import write_digits

    folder = home / "data" / "digits"
    if not folder.exists():
        counts = write_digits(folder)
        say(f"wrote {sum(counts.values()):,} pictures of handwritten digits to {folder}")
    return folder


def _train_digits(data: Path, folder: Path, say: Say) -> None:
    say(f"training a first model on {data}, about a minute on two cores")
    code = start_training(["--data", str(data), "--output", str(folder), *_DIGITS_RECIPE])
    if code:
        raise TarsError(f"the training ended with exit code {code}; the next start goes on with it")
    right, asked = _read_drawn(Predictor.from_pretrained(folder))
    say(f"of {asked} digits drawn large with a dark pen, which it was never trained on, it reads {right / asked:.1%}")


def _is_finished(folder: Path) -> bool:
    """Whether a whole run stands there; of an interrupted one the best epoch so far does."""
    try:
        metrics = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return (folder / WEIGHTS_NAME).exists() and isinstance(metrics, dict) and metrics.get("finished") is True


def _read_drawn(predictor: Predictor) -> tuple[int, int]:
    """How many drawn digits were read right, of how many."""
    from tars_hub.drawn import draw_digits

    drawn = list(draw_digits(_DRAWN_PER_WAY, seed=_DRAWN_SEED))
    answers = predictor.batch([picture for _, picture in drawn], batch_size=64)
    return sum(str(digit) == answer.label for (digit, _), answer in zip(drawn, answers, strict=True)), len(drawn)


def _examples(options: Options) -> list[Path]:
    folder = options.examples
    if folder is None and options.model is None:
        folder = options.home / "data" / "digits" / "val"
    if folder is None or (options.examples is None and not folder.is_dir()):
        return []
    if not folder.is_dir():
        raise UsageError(f"--examples {folder} is no folder")
    found = find_pictures([folder])
    shown = min(_EXAMPLES_SHOWN, len(found))  # spread over the classes, which lie one after the other
    return [found[(2 * index + 1) * len(found) // (2 * shown)] for index in range(shown)]
