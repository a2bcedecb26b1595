"""Where visitors hand in pictures and get their cards: from a request to the model that is meant, and its answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from math import isfinite
from time import perf_counter
from typing import TypeAlias
from urllib.parse import quote

import gradio as gr
from starlette.requests import Request

from tars_hub import questions
from tars_hub.errors import TarsError
from tars_hub.exhibits import Credentials, Exhibit, Models, Wanted
from tars_hub.predict import DEFAULT_TOP_K, Prediction
from tars_hub.responses import FAILED
from tars_hub.samples import Pixels
from tars_hub.ui.answer import Facts, answer_card
from tars_hub.ui.inputs import Upload

MAX_SHOWN = 10
Asker: TypeAlias = gr.Request | Request  # by Gradio's queue, or by plain HTTP

_RUNS = count(1)
_log = logging.getLogger(__name__)


def next_run() -> int:
    """The number of an answer, over all visitors and all ways to ask."""
    return next(_RUNS)


@dataclass(frozen=True)
class Desk:
    models: Models

    def card(
        self,
        upload: Upload | None,
        shown: float | None,
        key: str | None,
        request: Asker,
        *,
        explains: bool = False,
    ) -> str:
        """The card for a visitor. Never raises: an error shown elsewhere would leave the old answer standing.

        Args:
            key: an `Exhibit.key`, or whatever else a caller sends; nothing is what the page's address names.
            explains: its classes can be pressed.
        """
        return self.card_of(lambda: self.exhibit(request, key), upload, shown, explains=explains)

    def card_of(
        self, find: Callable[[], Exhibit], upload: Upload | None, shown: float | None, *, explains: bool = False
    ) -> str:
        """As `card`, about the model that `find` gives or says why it does not."""
        run = next_run()
        if upload is None:
            return answer_card(None, run=run)
        try:
            exhibit = find()
            answer, facts = answer_of(exhibit, upload, within(shown, exhibit.predictor.config.num_classes))
        except TarsError as error:
            return answer_card(error, run=run)
        except Exception:
            _log.exception("no answer about %r", upload.name)
            return answer_card(TarsError(FAILED), run=run)
        threshold = exhibit.predictor.calibration.threshold
        return answer_card(answer, run=run, facts=facts, threshold=threshold, explains=explains)

    def exhibit(self, request: Asker, key: str | None = None) -> Exhibit:
        """The model that a request means, by its key or else its address. Raises as `Models.exhibit`."""
        return self.models.exhibit(*_asked(request, key))

    def at_hand(self, request: Asker, key: str | None = None) -> Exhibit | None:
        """As `exhibit`, where nobody has to wait for it. As `Models.at_hand`."""
        return self.models.at_hand(*_asked(request, key))


def answer_of(exhibit: Exhibit, upload: Upload, top_k: int) -> tuple[Prediction, Facts]:
    """
    Raises:
        PictureError: under the visitor's name for the picture; its path here is nobody's business.
    """
    return answer_about(exhibit, *prepared(exhibit, upload), top_k)


def prepared(exhibit: Exhibit, upload: Upload) -> tuple[Pixels, float]:
    """As `questions.prepared`, about what a visitor handed in."""
    return questions.prepared(exhibit, upload.picture, upload.name)


def answer_about(exhibit: Exhibit, pixels: Pixels, prepare_ms: float, top_k: int) -> tuple[Prediction, Facts]:
    """An answer by the model's next batch; the time says how long the visitor waited for it."""
    started = perf_counter()
    answer = exhibit.batcher.answer(pixels, top_k)
    return answer, Facts(
        model=exhibit.name,
        device=str(exhibit.predictor.device),
        prepare_ms=prepare_ms,
        model_ms=1000 * (perf_counter() - started),
    )


def within(shown: float | None, num_classes: int) -> int:
    """The number of classes to show; a caller may send what no slider would."""
    wanted = int(shown) if shown and isfinite(shown) else DEFAULT_TOP_K
    return max(1, min(wanted, MAX_SHOWN, num_classes))


def login_address(request: Asker) -> str:
    """The hub's form to log in by, which leads back to the page that a request comes from."""
    page = f"{request.url.path.partition('/gradio_api/')[0]}/?{request.url.query}"
    return f"/login?next={quote(page, safe='')}"


def _asked(request: Asker, key: str | None) -> tuple[Wanted, Credentials]:
    """Which model, and who asks for it."""
    return Wanted.parse(key) if key else _wanted(request), credentials_of(request)


def _wanted(request: Asker) -> Wanted:
    """What the address of the page names, which Gradio sends along with all that a page asks."""
    named = request.query_params
    return Wanted(model=named.get("model", ""), revision=named.get("revision", ""))


def credentials_of(request: Asker) -> Credentials:
    return questions.credentials_in(request.headers)
