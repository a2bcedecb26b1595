"""Files that browsers show as pictures, by how their names end."""

from __future__ import annotations

from collections.abc import Mapping

RASTER: Mapping[str, str] = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
"""Media types of those that can be nothing but a picture."""

PICTURES: Mapping[str, str] = {**RASTER, ".svg": "image/svg+xml"}
"""Media types of all; an SVG is a text, and can hold scripts."""
