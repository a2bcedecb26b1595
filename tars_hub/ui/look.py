"""What Gradio is told about the page: its theme, style and scripts, and what of its own stays off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from tars_hub.bodies import MAX_BYTES

_HERE = Path(__file__).parent
_STYLE = _HERE / "style.css"  # what the others stand on

# As in style.css, which paints what is ours; these are for what Gradio paints.
_COLOURS = {
    "body_background_fill": "#faf8f5",
    "body_background_fill_dark": "#161412",
    "body_text_color": "#1c1917",
    "body_text_color_dark": "#f5f3f0",
    "body_text_color_subdued": "#5c5650",
    "body_text_color_subdued_dark": "#b8b1aa",
    "block_background_fill": "#ffffff",
    "block_background_fill_dark": "#1f1c1a",
    "block_info_text_color": "#5c5650",
    "block_info_text_color_dark": "#b8b1aa",
    "block_label_text_color": "#5c5650",
    "block_label_text_color_dark": "#b8b1aa",
    "border_color_primary": "#e5e1dc",
    "border_color_primary_dark": "#3b3733",
    "border_color_accent": "#0f766e",
    "border_color_accent_dark": "#2dd4bf",
    "color_accent": "#0f766e",
    "slider_color": "#0f766e",
    "slider_color_dark": "#2dd4bf",
    "input_background_fill": "#ffffff",
    "input_background_fill_dark": "#1f1c1a",
}


def page_settings() -> dict[str, Any]:
    """Keyword arguments of `mount_gradio_app`, which has other defaults for them."""
    return {
        "allowed_paths": [],
        "enable_monitoring": False,
        "footer_links": ["api"],
        "max_file_size": MAX_BYTES,
        "mcp_server": False,
        "pwa": False,
        "run_history": False,
        "show_error": False,
        "ssr_mode": False,
        **_look(),
    }


def _look() -> dict[str, Any]:
    """Nothing in it is fetched from elsewhere; fonts are the visitor's own."""
    theme = gr.themes.Base(
        primary_hue="teal",
        neutral_hue="stone",
        radius_size="lg",
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )
    return {"theme": theme.set(**_COLOURS), "css_paths": [_STYLE, *sorted({*_HERE.glob("*.css")} - {_STYLE})]}


def script(name: str) -> str:
    """The text of a script of this room, as Gradio takes it."""
    return (_HERE / f"{name}.js").read_text(encoding="utf-8")
