"""The tab "Many pictures": a table of answers, filled by the browser picture by picture. Layout only."""

from __future__ import annotations

import gradio as gr

from tars_hub.bodies import MAX_BYTES
from tars_hub.preprocess import PICTURE_SUFFIXES
from tars_hub.ui.look import script

_SCRIPTS = ("asking", "numbers", "many_files", "many_rows", "many_asking", "many_table", "many_csv", "many")
_COLUMNS = {"file": "File", "label": "Class", "score": "Probability", "second": "Second class", "status": "Status"}
_SORTED = {
    "file": ("File, A to Z", "File, Z to A"),
    "label": ("Class, A to Z", "Class, Z to A"),
    "score": ("Least sure first", "Most sure first"),
    "second": ("Second class, A to Z", "Second class, Z to A"),
    "status": ("Status, A to Z", "Status, Z to A"),
}


def many_room() -> gr.HTML:
    """Where files and folders are dropped, how far they are, and the table with its filters and its CSV.

    Each file goes to the page's own `POST row`; the table is the browser's alone and ends with the page.
    """
    return gr.HTML(
        html_template=_html(),
        js_on_load="".join(map(script, _SCRIPTS)),
        apply_default_css=False,
        elem_classes="tars-many-room",
    )


def _html() -> str:
    kinds = ",".join(["image/*", *sorted(PICTURE_SUFFIXES)])
    filled = _HTML.replace("BYTES", str(MAX_BYTES)).replace("KINDS", kinds)
    filled = filled.replace("HEADS", "".join(_head(*column) for column in _COLUMNS.items()))
    return filled.replace("ORDERS", "".join(_order(name, way) for name in _COLUMNS for way in (0, 1)))


def _head(name: str, title: str) -> str:
    return (
        f'<th scope="col" role="columnheader" aria-sort="none" data-column="{name}">'
        f'<button type="button">{title}</button></th>'
    )


def _order(name: str, way: int) -> str:
    return f'<option value="{name} {way}">{_SORTED[name][way]}</option>'


# Roles stand beside the table's own elements, since on phones these are laid out as cards and would lose theirs.
_HTML = """\
<section class="tars-many" aria-label="Many pictures" data-most-bytes="BYTES">
  <div class="tars-drop">
    <p class="tars-note">Drop pictures or folders here</p>
    <div class="tars-controls">
      <button type="button" class="tars-button tars-main" data-does="files">Choose files</button>
      <button type="button" class="tars-button" data-does="folder">Choose a folder</button>
    </div>
    <p class="tars-small">They are asked about one after another; the server keeps none of them.</p>
    <input type="file" class="tars-files" multiple accept="KINDS" hidden aria-label="Pictures">
    <input type="file" class="tars-folder" multiple webkitdirectory hidden aria-label="Folder of pictures">
  </div>
  <p class="tars-small tars-left-out" role="status"></p>
  <div class="tars-going" hidden>
    <progress max="1" value="0" aria-label="Pictures answered"></progress>
    <div class="tars-controls">
      <p class="tars-pace"></p>
      <button type="button" class="tars-button" data-does="stop">Stop</button>
      <button type="button" class="tars-button" data-does="again" hidden></button>
      <button type="button" class="tars-button" data-does="clear">Clear</button>
    </div>
    <p class="tars-trouble" role="alert" hidden></p>
  </div>
  <div class="tars-results" hidden>
    <div class="tars-filters" role="group" aria-label="Which rows are shown, in which order">
      <label>Class <select data-filter="label"><option value="">all</option></select></label>
      <label>Status <select data-filter="status">
        <option value="">all</option>
        <option value="ok">sure</option>
        <option value="unsure">not sure</option>
        <option value="unreadable">could not be read</option>
        <option value="failed">failed</option>
        <option value="waiting">waiting</option>
      </select></label>
      <label>Probability from, % <input type="number" data-filter="least" min="0" max="100" step="any"></label>
      <label>up to, % <input type="number" data-filter="most" min="0" max="100" step="any"></label>
      <label>Order <select data-filter="order"><option value="">as given</option>ORDERS</select></label>
    </div>
    <div class="tars-controls">
      <p class="tars-count" role="status"></p>
      <button type="button" class="tars-button" data-does="csv"></button>
      <button type="button" class="tars-button" data-does="csv-shown" hidden></button>
    </div>
    <p class="tars-models" role="status" hidden></p>
    <table class="tars-table" role="table" aria-label="Answers">
      <thead role="rowgroup"><tr role="row">
        <th scope="col" role="columnheader">Picture</th>HEADS
        <th scope="col" role="columnheader" class="tars-model">Model</th>
      </tr></thead>
      <tbody role="rowgroup"></tbody>
    </table>
    <nav class="tars-controls tars-pages" aria-label="Pages of the table" hidden>
      <button type="button" class="tars-button" data-does="before">Previous</button>
      <span></span>
      <button type="button" class="tars-button" data-does="after">Next</button>
    </nav>
  </div>
  <p class="tars-spoken" aria-live="polite"></p>
</section>"""
