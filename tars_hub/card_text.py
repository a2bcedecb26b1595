"""Parts of a model card in Markdown. What a stranger wrote (names, commands) stays text, whatever it holds."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from tars_hub.config import Calibration

_CLASSES_SHOWN = 100


def code(text: str) -> str:
    """As code in Markdown, on one line."""
    flat = " ".join(text.split())
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", flat)), default=0))
    return f"{fence} {flat} {fence}" if "`" in flat else f"`{flat}`"


def inert(text: str) -> str:
    """As plain text on one line: what Markdown, HTML or a table would act on, as numbered characters."""
    return re.sub(r"[\\`*_{}\[\]<>()#!|&~$:@]", lambda found: f"&#{ord(found[0])};", " ".join(text.split()))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are Markdown already; the first column is text, the others are figures."""
    align = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, align, *rows))


def class_list(classes: Sequence[str]) -> str:
    """How many, and the names of the first hundred."""
    shown = ", ".join(code(name) for name in classes[:_CLASSES_SHOWN])
    more = len(classes) - _CLASSES_SHOWN
    return f"{len(classes)} classes: {shown}" + (f" and {more} more, listed in config.json." if more > 0 else ".")


def declining(calibration: Calibration, metrics: Mapping[str, Any]) -> str:
    """When it says that it is not sure, and what that is worth."""
    if calibration.threshold is None:
        return "It answers with one of these for every picture, also for a picture of something else."
    said = f'It declines ("not sure") below {math.floor(calibration.threshold * 1000) / 1000:.1%}'
    if calibration.error is not None:
        said += f": then at most about {calibration.error * 100:.3g}% of its answers are wrong"
        said += ", for pictures like those it was calibrated with"
    answered, wrong = _number(metrics, "answered"), _number(metrics, "error_when_answered")
    measured = f" Of the pictures it was measured by it answered {answered:.1%}" if answered is not None else ""
    if measured and wrong is not None:
        measured += f", {wrong:.1%} of them wrongly"
    return f"{said}.{measured}{'.' if measured else ''} It may still be sure of a picture of something else."


def headline(metrics: Mapping[str, Any]) -> str:
    """The table of figures with their intervals; nothing where there are none."""
    named = {
        "Top-1 accuracy": ("top1", True),
        "Top-5 accuracy": ("top5", len(metrics.get("per_class") or ()) > 5),
        "F1 (mean over classes)": ("f1", True),
        "Precision (mean over classes)": ("precision", True),
        "Recall (mean over classes; balanced accuracy)": ("recall", True),
    }
    rows = [
        [name, f"{value:.1%}", _interval(metrics, f"{key}_interval")]
        for name, (key, meant) in named.items()
        if meant and (value := _number(metrics, key)) is not None
    ]
    if (loss := _number(metrics, "loss")) is not None:
        rows.append(["Loss (negative log-likelihood)", f"{loss:.4f}", ""])
    if (off := _number(metrics, "calibration_error")) is not None:
        raw = _number(metrics, "calibration_error_raw")
        rows.append(
            ["Calibration error" + (f" ({raw:.1%} before calibration)" if raw is not None else ""), f"{off:.1%}", ""]
        )
    return table(["", "", "95% interval"], rows) if rows else ""


def unknown(metrics: Mapping[str, Any]) -> str:
    """What it did with pictures of no class that it knows; nothing where nobody asked."""
    found = metrics.get("unknown")
    if not isinstance(found, Mapping) or not (pictures := _number(found, "pictures")):
        return ""
    said = f"It was also shown {pictures:,.0f} pictures of none of its classes."
    if (declined := _number(found, "declined")) is not None:
        between = _interval(found, "declined_interval")
        said += f" It declined {declined:.1%} of them{f' ({between})' if between else ''}."
    if (auroc := _number(found, "auroc")) is not None:
        said += f" A picture of a known class gets a higher probability than one of those in {auroc:.1%} of pairs."
    return said


def each_class(metrics: Mapping[str, Any]) -> str:
    """A row for each class; a hundred at most are worth reading."""
    found = metrics.get("per_class")
    if not isinstance(found, Mapping) or not found:
        return ""
    if len(found) > _CLASSES_SHOWN:
        return f"The figures of each of the {len(found)} classes are in metrics.json."
    rows = [
        [cell(name), *(f"{row[key]:.1%}" for key in ("precision", "recall", "f1")), f"{row['support']:,}"]
        for name, row in found.items()
    ]
    return table(["Class", "Precision", "Recall", "F1", "Pictures"], rows)


def training_table(training: Mapping[str, str]) -> str:
    """How it was made, as names and values."""
    rows = [[inert(name), cell(value)] for name, value in training.items()]
    return "\n".join("| " + " | ".join(row) + " |" for row in (["", ""], ["---", "---"], *rows))


def figure(path: str, alt: str) -> str:
    """An image beside the card."""
    return f"![{inert(alt)}]({quote(path, safe='/')})"


def cell(text: str) -> str:
    """A stranger's text in a table: renderers disagree about a bar within code, so that is no code."""
    return inert(text) if "|" in text or not text.strip() else code(text)


def _interval(metrics: Mapping[str, Any], key: str) -> str:
    value = metrics.get(key)
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return ""
    return f"{value[0]:.1%} to {value[1]:.1%}"


def _number(metrics: Mapping[str, Any], key: str) -> float | None:
    value: Any = metrics.get(key)
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if good else None
