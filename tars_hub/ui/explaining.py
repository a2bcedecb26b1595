"""Where the model looked: from a visitor's picture and the class they ask about to the panel that shows it."""

from __future__ import annotations

import logging

import gradio as gr

from tars_hub.config import shown_name
from tars_hub.errors import PictureError, TarsError, UsageError
from tars_hub.exhibits import Exhibit
from tars_hub.explain import explain
from tars_hub.ui.desk import Desk, next_run, prepared
from tars_hub.ui.inputs import Upload
from tars_hub.ui.looked import Seen, looked_card

_log = logging.getLogger(__name__)


def explained(desk: Desk, upload: Upload | None, label: str, key: str | None, request: gr.Request) -> str:
    """The panel for a visitor; like the answer's card it never raises.

    Args:
        upload: None empties the panel.
        label: the class that is asked about, or whatever else a caller sends; empty is the likeliest.
        key: as `Desk.card` takes it.
    """
    run = next_run()
    if upload is None:
        return looked_card(None, run=run)
    try:
        return looked_card(_seen(desk.exhibit(request, key), upload, label), run=run)
    except PictureError:
        return looked_card(None, run=run)  # the answer's card says what is wrong with it
    except TarsError as error:
        return looked_card(error, run=run)
    except Exception:
        _log.exception("cannot say where the model looked in %r", upload.name)
        return looked_card(TarsError("That failed on this picture; the server's log says why."), run=run)


def _seen(exhibit: Exhibit, upload: Upload, label: str) -> Seen:
    predictor = exhibit.predictor
    pixels, _ = prepared(exhibit, upload)
    label = label or exhibit.batcher.answer(pixels, 1).label
    if label not in predictor.config.classes:
        raise UsageError(f"{exhibit.name} has no class {shown_name(label)}.")
    heat = explain(predictor, pixels, predictor.config.classes.index(label))
    return Seen(pixels=pixels, heat=heat, label=label)
