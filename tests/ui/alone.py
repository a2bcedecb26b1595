"""The page about one model, as `python app.py --model` shows it; with Chromium in front, most tests need no more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tars_hub.card import Measured
from tars_hub.exhibits import Exhibit, OneModel
from tars_hub.predict import Predictor


def one_model(predictor: Predictor, name: str = "colours", *, measured: Measured | None = None) -> OneModel:
    return OneModel(Exhibit(predictor=predictor, name=name, measured=measured))


@contextmanager
def page_alone(models: OneModel, uploads: Path, *, port: int = 0, **options: Any) -> Iterator[str]:
    """Its address while it runs, at a port that is free; options as `build_page`."""
    from tars_hub.ui.page import build_page  # only where gradio is there
    from tars_hub.ui.serve import page_server

    build, mcp = partial(build_page, models, **options), options.get("mcp", False)
    with page_server(build, models=models, mcp=mcp, port=port, uploads=uploads) as address:
        yield address
