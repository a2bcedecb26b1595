"""Flags become a TrainConfig; nothing past this file sees argparse.

A dozen flags are listed by `--help`. Every other setting is `--set name=value`, and also a flag of its name.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, get_args

from tars_hub.errors import UsageError

from .config import IMAGENET, NO_WEIGHTS, Augment, Freeze, TrainConfig
from .recipe import RECIPES, Recipe
from .settings import find_setting, settings_of

_OF_RECIPE = {each.name: each for each in settings_of(Recipe)}
_OF_RUN = {each.name: each for each in settings_of(TrainConfig)}
_SETTINGS = _OF_RECIPE | _OF_RUN
_LISTED = frozenset({"epochs", "batch_size", "img_size"})  # settings with a place among the dozen
_OLD_ALPHA = "0.1"


def parse(arguments: Sequence[str], *, program: str = "python -m train") -> TrainConfig:
    """Read flags, the tutorial's old ones included.

    Raises:
        UsageError: a flag is unknown, missing or has a value that cannot work.
    """
    given = _parser(program).parse_args(arguments)
    wanted = _wanted(given)
    return TrainConfig(
        data=given.data,
        output=given.output,
        model=given.model,
        weights=given.weights,
        recipe=_recipe(given, wanted),
        augment=given.augment,
        freeze=given.freeze,
        overwrite=given.overwrite,
        dry_run=given.dry_run,
        **{name: value for name, value in wanted.items() if name in _OF_RUN},
    )


def _wanted(given: argparse.Namespace) -> dict[str, Any]:
    """Settings by name, from their flags and from `--set`; the last one said counts."""
    texts: list[tuple[str, str]] = list(given.settings or [])
    if given.old_mixup and "mixup" not in dict(texts):
        texts.append(("mixup", given.old_alpha or _OLD_ALPHA))
    if given.old_no_gpu:
        texts.append(("device", "cpu"))
    return {name: _SETTINGS[name].read(text) for name, text in texts}


def _recipe(given: argparse.Namespace, wanted: Mapping[str, Any]) -> Recipe:
    name = given.recipe or ("scratch" if given.weights == NO_WEIGHTS else "finetune")
    changes = {key: value for key, value in wanted.items() if key in _OF_RECIPE}
    if "lr" in changes:
        changes.setdefault("lr_batch", 0)  # a rate that somebody states is meant as it stands
    return replace(RECIPES[name], **changes)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (--help lists the flags)")


class _Setting(argparse.Action):
    """`--set name=value`, or the flag of one setting: (name, text) pairs in the order given."""

    def __init__(self, *args: Any, setting: str | None = None, **options: Any) -> None:  # noqa: ANN401  # argparse's
        super().__init__(*args, **options)
        self.setting = setting

    def __call__(self, parser: object, namespace: argparse.Namespace, values: Any, option: str | None = None) -> None:  # noqa: ARG002, ANN401
        name, text = (self.setting, values) if self.setting else _pair(values)
        namespace.settings = [*(namespace.settings or []), (find_setting(name, _SETTINGS).name, text)]


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set {text} lacks a value; write --set {name}=VALUE")
    return name, value.strip()


def _parser(program: str) -> _Parser:
    parser = _Parser(
        prog=program,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Train an image classifier on folders of pictures, one folder per class.",
        epilog=_epilog(),
    )
    add = parser.add_argument
    add("--data", "-idl", type=Path, required=True, metavar="DIR", help="train/CLASS/* and val/CLASS/*, or CLASS/*")
    add("--output", "-sl", type=Path, required=True, metavar="FOLDER", help="the model folder to write")
    add("--model", "-mo", metavar="NAME", help="backbone (default resnet50; `tars backbones` lists all)")
    add("--weights", default=IMAGENET, metavar="WHICH", help="imagenet (default), none, a model folder, a repository")
    add("--recipe", choices=sorted(RECIPES), help="default: finetune, or scratch with --weights none")
    _add_setting(parser, "epochs", "-ep", metavar="N", help="default: by the recipe")
    _add_setting(parser, "batch_size", "-b", metavar="N", help="pictures a step, over all processes (default 32)")
    _add_setting(parser, "img_size", "-is", metavar="PX", help="default: as the backbone's weights were trained")
    add("--augment", choices=get_args(Augment), default="light", help="default light; drawing is for written shapes")
    add("--freeze", choices=get_args(Freeze), default="none", help="what keeps its weights (default none)")
    add("--dry-run", action="store_true", help="say what would be trained and how long it takes; write nothing")
    add("--overwrite", action="store_true", help="replace a model that stands in FOLDER")
    add("--set", action=_Setting, dest="settings", metavar="NAME=VALUE", help="any setting below; may be repeated")
    for name in _SETTINGS.keys() - _LISTED:
        _add_setting(parser, name, help=argparse.SUPPRESS)
    _add_old(parser)
    return parser


def _add_setting(parser: _Parser, name: str, *more: str, **options: Any) -> None:  # noqa: ANN401
    # A switch may stand alone.
    bare: dict[str, Any] = {"nargs": "?", "const": "yes"} if _SETTINGS[name].kind is bool else {}
    flag = "--" + name.replace("_", "-")
    action: Any = partial(_Setting, setting=name)  # argparse calls it as it would a class
    parser.add_argument(flag, *more, action=action, dest="settings", **bare, **options)


def _add_old(parser: _Parser) -> None:
    """The 2018 tutorial's switches; -f, -fi and -g were inverted: given, they turned freezing and GPUs off."""
    add = parser.add_argument
    add("-f", "-fi", dest="freeze", action="store_const", const="none", help=argparse.SUPPRESS)
    add("-g", dest="old_no_gpu", action="store_true", help=argparse.SUPPRESS)
    add("-p", dest="old_no_parallel", action="store_true", help=argparse.SUPPRESS)
    add("-mx", dest="old_mixup", action="store_true", help=argparse.SUPPRESS)
    add("-mxal", "--mixup-alpha", dest="old_alpha", metavar="A", help=argparse.SUPPRESS)


def _epilog() -> str:
    lines = ["settings, as --set NAME=VALUE or as flags (--time-limit 30, --balance):"]
    for each in sorted(_SETTINGS.values(), key=lambda each: each.name):
        if each.name not in _LISTED:
            lines.append(f"  {each.name:16} {each.help} (default {_default(each.name, each.default)})")
    lines.append("\nThe flags of the 2018 tutorial (-idl -sl -mo -ep -b -is -f -fi -g -p -mx -mxal) are understood.")
    return "\n".join(lines).replace("%", "%%")


def _default(name: str, default: object) -> str:
    """Where recipes differ, each one's."""
    if name in _OF_RECIPE:
        values = {recipe.name: getattr(recipe, name) for recipe in RECIPES.values()}
        if len(set(values.values())) > 1:
            return ", ".join(f"{recipe} {_word(value)}" for recipe, value in values.items())
        default = next(iter(values.values()))
    return _word(default)


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
