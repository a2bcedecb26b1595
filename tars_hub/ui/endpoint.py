"""`/classify` for programs, as Gradio has endpoints: a picture to its best classes; a stable name and shape."""

from __future__ import annotations

from typing import Any

import gradio as gr

from tars_hub.errors import TarsError
from tars_hub.ui.desk import MAX_SHOWN, Desk, answer_of
from tars_hub.ui.inputs import PictureBox, Upload
from tars_hub.ui.one_picture import MODEL


def endpoint(desk: Desk, picture: PictureBox) -> None:
    """Add it to the page.

    It takes the picture alone, since Gradio refuses calls with fewer inputs than there are. Beside a hub the
    address of the call names the model: `…/call/classify?model=OWNER/NAME&revision=REVISION`.
    """

    def classify(upload: Upload | None, request: gr.Request) -> list[dict[str, Any]]:
        if upload is None:
            raise gr.Error("there is no picture to classify", print_exception=False)
        try:
            answer, _ = answer_of(desk.exhibit(request), upload, MAX_SHOWN)
        except TarsError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return [{"label": label, "score": score} for label, score in answer.top]

    gr.Button(visible=False).click(
        classify,
        picture,
        gr.JSON(visible=False),
        api_name="classify",
        api_description="The ten likeliest classes of a picture, best first.",
        **MODEL,
    )
