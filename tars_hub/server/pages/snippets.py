"""Lines to copy: how this model is used from Python, a shell, `hf` and timm, with this hub's own address.

Names of revisions come from strangers: in each line they are quoted by the rules of what will read it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Snippet:
    """A few lines, and what they are for."""

    name: str
    lines: str


@dataclass(frozen=True, kw_only=True)
class Use:
    """What is to be used, and how far it is known.

    Attributes:
        base: the hub's address.
        revision: empty for the main branch.
        needs_token: not everybody may download it.
        tars: it is a classifier of Tars Hub.
        timm: it says of itself all that timm needs.
    """

    base: str
    repo: str
    revision: str = ""
    needs_token: bool = False
    tars: bool = False
    timm: bool = False


def snippets(use: Use) -> list[Snippet]:
    """All that fit."""
    return list(_snippets(use))


def _snippets(use: Use) -> Iterator[Snippet]:
    if use.tars:
        yield Snippet("Python", _python(use))
        yield Snippet("Shell", _shell(use, f"tars predict {use.repo} picture.jpg{_flag(use)}"))
    yield Snippet("hf", _shell(use, f"hf download {use.repo}{_flag(use)}"))
    if use.timm:
        yield Snippet("timm", _timm(use))


def _python(use: Use) -> str:
    options = [_text(use.repo), f"endpoint={_text(use.base)}"]
    options += [f"revision={_text(use.revision)}"] if use.revision else []
    options += ['token="hf_…"'] if use.needs_token else []
    inside = "".join(f"    {option},\n" for option in options)
    return (
        "from tars_hub import Predictor\n\n"
        f"model = Predictor.from_pretrained(\n{inside})\n"
        'answer = model("picture.jpg")\n'
        "print(answer.label, answer.probability)"
    )


def _timm(use: Use) -> str:
    name = f"hf-hub:{use.repo}" + (f"@{use.revision}" if use.revision else "")
    token = ['os.environ["HF_TOKEN"] = "hf_…"'] if use.needs_token else []
    return "\n".join(
        [
            "import os",
            "",
            f'os.environ["HF_ENDPOINT"] = {_text(use.base)}  # before timm is imported',
            *token,
            "import timm",
            "",
            f"model = timm.create_model(\n    {_text(name)}, pretrained=True\n).eval()",
        ]
    )


def _text(text: str) -> str:
    """As a text in Python: what JSON says, so it says."""
    return json.dumps(text, ensure_ascii=False)


def _shell(use: Use, command: str) -> str:
    token = ["export HF_TOKEN=hf_…"] if use.needs_token else []
    return "\n".join([f"export HF_ENDPOINT={shlex.quote(use.base)}", *token, command])


def _flag(use: Use) -> str:
    return f" --revision {shlex.quote(use.revision)}" if use.revision else ""
