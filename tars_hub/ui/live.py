"""The tab "Live camera": the browser sends frame after frame, each once the last is answered. Layout only."""

from __future__ import annotations

import gradio as gr

from tars_hub.ui.answer import answer_card
from tars_hub.ui.look import script


def live_room() -> gr.HTML:
    """The camera's picture and the card about it.

    The frames go to the page's own `POST card`; neither the browser nor the server keeps one.
    """
    return gr.HTML(
        html_template=_HTML.replace("CARD", answer_card(None, run=0)),
        js_on_load=script("asking") + script("answer") + script("live"),
        apply_default_css=False,
        elem_classes="tars-live-room",
    )


_HTML = """\
<section class="tars-live" aria-label="Live camera">
  <div>
    <div class="tars-screen">
      <video muted playsinline hidden aria-label="What the camera sees"></video>
      <p class="tars-note" role="status">The camera is off.</p>
    </div>
    <div class="tars-controls">
      <button type="button" class="tars-button tars-main">Start the camera</button>
      <label hidden>Camera <select></select></label>
      <span class="tars-rate"></span>
    </div>
    <p class="tars-small">Nothing is stored: frames are answered and forgotten.</p>
  </div>
  <div class="tars-live-card">CARD</div>
  <p class="tars-spoken" aria-live="polite"></p>
</section>"""
