"""How a visitor's page turns to a model of the hub: to the one its address names, then to those they pick."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import gradio as gr

from tars_hub.errors import ModelNotFoundError, TarsError
from tars_hub.exhibits import Exhibit, Wanted
from tars_hub.predict import DEFAULT_TOP_K
from tars_hub.ui.desk import MAX_SHOWN, Desk, credentials_of, login_address
from tars_hub.ui.header import blank_header, page_header
from tars_hub.ui.one_picture import PICTURE, QUIET, OnePicture
from tars_hub.ui.picker import chosen, refused

# Who arrives may have to wait until a model is loaded; others, whose model is there, should not wait behind them.
_ARRIVAL: dict[str, Any] = {"concurrency_id": "arrival", "concurrency_limit": 8}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Arrival:
    """
    Attributes:
        key: of the model that the page is about; the browser keeps it, so each of its tabs has its own.
    """

    desk: Desk
    about: gr.HTML
    picks: gr.HTML
    shown: gr.Slider
    key: gr.Textbox
    one: OnePicture

    def by_address(self, page: gr.Blocks) -> None:
        """Without a model to show there is nothing below the head."""

        def arrive(request: gr.Request) -> dict[Any, Any]:
            try:
                return self._turned(self.desk.exhibit(request))
            except Exception as error:  # it is said on the page
                return {self.about: self._nothing(error, request)}

        page.load(arrive, None, self._parts, **_ARRIVAL, **QUIET)

    def by_picker(self) -> None:
        """A model that cannot be shown is told to the picker alone: the page goes on with the one before."""

        def choose(event: gr.EventData, request: gr.Request) -> dict[Any, Any]:
            try:
                wanted = Wanted(model=str(event.model), revision=str(event.revision))
                exhibit = self.desk.models.exhibit(wanted, credentials_of(request))
                return {**self._turned(exhibit), self.one.turned: exhibit.key}
            except Exception as error:  # it is said in the picker
                return {self.picks: refused(_sentence(error))}

        parts = [*self._parts, self.one.turned]
        self.picks.select(choose, None, parts, trigger_mode="always_last", **_ARRIVAL, **QUIET)

    def _nothing(self, error: Exception, request: gr.Request) -> str:
        """The head of a page without a model: who is not logged in may be one of those it is open to."""
        helps = isinstance(error, ModelNotFoundError) and not self.desk.models.knows(credentials_of(request))
        log_in = login_address(request) if helps else ""
        return blank_header("Nothing to try here", _sentence(error), log_in=log_in)

    @property
    def _parts(self) -> list[Any]:
        one = self.one
        parts = (self.about, self.picks, self.shown, self.key, one.way, one.ways, one.drawing, one.strip)
        return [part for part in parts if part is not None]

    def _turned(self, exhibit: Exhibit) -> dict[Any, Any]:
        drawings, one = exhibit.predictor.config.drawings, self.one
        sometimes = {
            one.way: gr.skip() if drawings else PICTURE,
            one.ways: gr.skip() if drawings else gr.update(selected=PICTURE),
            one.drawing: gr.update(visible=drawings),
            one.strip: gr.update(visible=exhibit.is_default),
        }
        return {
            self.about: about(exhibit),
            self.picks: chosen(exhibit.name, exhibit.revision),
            self.shown: gr.update(**slider(exhibit)),
            self.key: exhibit.key,
            **{part: update for part, update in sometimes.items() if part is not None},
        }


def about(exhibit: Exhibit | None) -> str:
    """The head of the page; None is a model that is on its way."""
    if exhibit is None:
        return blank_header("Opening the model…")
    return page_header(
        exhibit.name,
        exhibit.predictor.config.classes,
        exhibit.measured,
        threshold=exhibit.predictor.calibration.threshold,
        revision=exhibit.revision,
        key=exhibit.key,
        is_default=exhibit.is_default,
    )


def slider(exhibit: Exhibit | None) -> dict[str, Any]:
    """What a slider for the number of classes shows."""
    if exhibit is None:  # Gradio checks by these where it has forgotten a visitor's own
        return {"minimum": 1, "maximum": MAX_SHOWN, "value": DEFAULT_TOP_K, "visible": False}
    num_classes = exhibit.predictor.config.num_classes
    most = min(MAX_SHOWN, num_classes)
    return {"minimum": 1, "maximum": max(most, 2), "value": min(DEFAULT_TOP_K, most), "visible": num_classes > 1}


def _sentence(error: Exception) -> str:
    if isinstance(error, TarsError):
        return str(error)
    _log.error("a model cannot be shown", exc_info=error)
    return "The model failed; the server's log says why."
