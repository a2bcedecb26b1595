"""Where visitors hand in pictures and get their cards: from a request to the model that is meant, and its answer."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from itertools import count
from time import perf_counter
from urllib.parse import quote

import gradio as gr

from tars_hub.errors import PictureError, TarsError
from tars_hub.exhibits import SESSION_COOKIE, Credentials, Exhibit, Models, Wanted
from tars_hub.predict import DEFAULT_TOP_K, Prediction
from tars_hub.ui.answer import Facts, answer_card
from tars_hub.ui.inputs import Upload

MAX_SHOWN = 10
_COOKIE = re.compile(rf"(?:^|;)\s*{SESSION_COOKIE}=([^;\s]*)")

_log = logging.getLogger(__name__)


@dataclass
class Desk:
    """
    Attributes:
        runs: numbers the answers, over all visitors.
    """

    models: Models
    runs: count[int] = field(default_factory=lambda: count(1))

    def card(self, upload: Upload | None, shown: float | None, key: str | None, request: gr.Request) -> str:
        """The card for a visitor. Never raises: an error shown elsewhere would leave the old answer standing.

        Args:
            key: an `Exhibit.key`, or whatever else a caller sends; nothing is what the page's address names.
        """
        run = next(self.runs)
        if upload is None:
            return answer_card(None, run=run)
        try:
            exhibit = self.exhibit(request, key)
            answer, facts = answer_of(exhibit, upload, within(shown, exhibit.predictor.config.num_classes))
        except TarsError as error:
            return answer_card(error, run=run)
        except Exception:
            _log.exception("no answer about %r", upload.name)
            return answer_card(TarsError("The model failed on this picture; the server's log says why."), run=run)
        return answer_card(answer, run=run, facts=facts, threshold=exhibit.predictor.calibration.threshold)

    def exhibit(self, request: gr.Request, key: str | None = None) -> Exhibit:
        """The model that a request means, by its key or else its address. Raises as `Models.exhibit`."""
        return self.models.exhibit(Wanted.parse(key) if key else _wanted(request), _credentials(request))


def answer_of(exhibit: Exhibit, upload: Upload, top_k: int) -> tuple[Prediction, Facts]:
    """
    Raises:
        PictureError: under the visitor's name for the picture; its path here is nobody's business.
    """
    predictor = exhibit.predictor
    started = perf_counter()
    try:
        pixels = predictor.prepare(upload.picture)
    except PictureError as error:
        raise PictureError(upload.name, error.reason) from error
    prepared = perf_counter()
    answer = predictor.answer([pixels], top_k)[0]
    return answer, Facts(
        model=exhibit.name,
        device=str(predictor.device),
        prepare_ms=1000 * (prepared - started),
        model_ms=1000 * (perf_counter() - prepared),
    )


def within(shown: float | None, num_classes: int) -> int:
    """The number of classes to show; a caller may send what no slider would."""
    return max(1, min(int(shown or DEFAULT_TOP_K), MAX_SHOWN, num_classes))


def login_address(request: gr.Request) -> str:
    """The hub's form to log in by, which leads back to the page that a request comes from."""
    page = f"{request.url.path.partition('/gradio_api/')[0]}/?{request.url.query}"
    return f"/login?next={quote(page, safe='')}"


def _wanted(request: gr.Request) -> Wanted:
    """What the address of the page names, which Gradio sends along with all that a page asks."""
    named = request.query_params
    return Wanted(model=named.get("model", ""), revision=named.get("revision", ""))


def _credentials(request: gr.Request) -> Credentials:
    headers = request.headers
    kind, _, token = headers.get("authorization", "").partition(" ")
    sessions = _COOKIE.findall(headers.get("cookie", ""))
    return Credentials(
        token=token.strip() if kind.lower() == "bearer" else "",
        session=sessions[-1] if sessions else "",  # of several the last, as the hub reads them
    )
