"""The page's model asked from code: what there is to copy. The lines are written in the browser, by from_code.js.

It alone knows the address that its visitor came by: behind a proxy, a tunnel or a Space the server does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import gradio as gr

from tars_hub.ui.look import script


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """Lines to copy, and what is said above them.

    Attributes:
        name: by which the script knows what to write.
        said: HTML of ours.
    """

    name: str
    title: str
    said: str


def code_room(*, beside_hub: bool, mcp: bool) -> gr.HTML:
    """
    Args:
        beside_hub: the models come from the hub that the page lies beside, with their names and revisions.
        mcp: language models are answered, too.
    """
    pieces = "".join(map(_section, _pieces(beside_hub=beside_hub, mcp=mcp)))
    return gr.HTML(
        f'<div class="tars-code">{_LEAD}{pieces}{_ANSWER}</div>',
        js_on_load=script("from_code"),
        apply_default_css=False,
        elem_classes="tars-code-room",
    )


def _pieces(*, beside_hub: bool, mcp: bool) -> list[_Piece]:
    here = _FROM_HUB if beside_hub else _FROM_FOLDER
    token = [_TOKEN] if beside_hub else []
    return [_CURL, *token, _PYTHON, _GRADIO, _JAVASCRIPT, *here, *([_MCP] if mcp else [])]


def _section(piece: _Piece) -> str:
    title = escape(piece.title)
    return (
        f'<section data-piece="{piece.name}" hidden><h2>{title}</h2><p>{piece.said}</p><div class="tars-lines">'
        f'<pre tabindex="0" role="region" aria-label="Lines: {title}"></pre>'
        f'<button type="button" class="tars-pill"><span>Copy</span>'
        f'<span class="tars-spoken"> lines: {title}</span></button>'
        '<span class="tars-spoken" role="status"></span></div></section>'
    )


_LEAD = """\
<p>The model that this page shows, asked from elsewhere: copy the lines and run them where a
<code>picture.jpg</code> lies.</p>"""
_CURL = _Piece(name="curl", title="curl", said="The page answers; nothing has to be installed.")
_TOKEN = _Piece(
    name="token",
    title="curl, for a model that is not public",
    said="Put a token that may read it in <code>HF_TOKEN</code>. "
    "<code>tars</code> and <code>Predictor</code> below send that token by themselves.",
)
_PYTHON = _Piece(name="python", title="Python, asking this page", said="Python alone is enough.")
_GRADIO = _Piece(
    name="gradio",
    title="Python, with gradio_client",
    said="After <code>pip install gradio_client</code>. It asks the model that the page itself opens with.",
)
_JAVASCRIPT = _Piece(
    name="javascript",
    title="JavaScript, in Node",
    said="As a file <code>ask.mjs</code>. Pages of other sites are not answered.",
)
_FROM_HUB = [
    _Piece(
        name="shell",
        title="Shell, on your machine",
        said="Where <code>tars</code> is installed. The model is downloaded once, and your pictures stay with you.",
    ),
    _Piece(name="library", title="Python, on your machine", said="The same from Python; a picture takes milliseconds."),
]
_FROM_FOLDER = [
    _Piece(
        name="shell",
        title="Shell, on your machine",
        said="Where <code>tars</code> is installed. A model's folder is to lie beside the picture, "
        "one of a hub is downloaded; your pictures stay with you.",
    ),
    _Piece(name="library", title="Python, on your machine", said="The same from Python; a picture takes milliseconds."),
]
_MCP = _Piece(
    name="mcp",
    title="MCP, for language models",
    said="The address of a server over streamable HTTP, with one tool: <code>classify</code> takes a picture's file "
    "as base64. A token goes into its <code>Authorization</code> header.",
)
_ANSWER = """\
<section><h2>What comes back</h2>
<p>Over HTTP a list of classes, ten at most, best first; scores are between 0 and 1:</p>
<div class="tars-lines"><pre tabindex="0" role="region" aria-label="An answer">[{"label": "cat", "score": 0.9264}, \
{"label": "dog", "score": 0.0607}]</pre></div>
<p>Where there is no answer, the status is 400 or more, and one sentence says why:</p>
<div class="tars-lines"><pre tabindex="0" role="region" aria-label="An error">{"error": "…"}</pre></div>
<p>With 503 it says in <code>Retry-After</code> in how many seconds to try again.</p></section>"""
