"""The `tars` command: arguments in, lines and an exit code out.

Exit codes: 0 all went well, 1 some pictures could not be read, 2 nothing could be done. Heavy imports
stand inside the commands, so that `tars --help` answers at once.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn, TypeAlias

from tars_hub import cli_export, cli_hub, cli_measure, cli_mirror, cli_predict
from tars_hub.cli_flags import add_hub_flags as _add_hub_flags
from tars_hub.cli_flags import positive as _positive
from tars_hub.errors import TarsError, UsageError
from tars_hub.version import VERSION

Command = Callable[[argparse.Namespace], int]
_Commands: TypeAlias = "argparse._SubParsersAction[_Parser]"


def run() -> NoReturn:
    """The entry point of the installed command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a letter shows its number
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns the process's exit code. Errors are one line on standard error."""
    _show_notes()
    try:
        if arguments[:1] == ["train"]:
            return _train(list(arguments[1:]))
        given = _parser().parse_args(arguments)
        command: Command = given.command
        return command(given)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader, `head` say, has seen enough. Python would complain when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (TarsError, OSError) as error:
        print(f"tars: {_one_line(error)}", file=sys.stderr)
        return 2


def _show_notes() -> None:
    """What engines have to say to who waits for them: that a graph is exported now, or why torch answers."""
    engines = logging.getLogger("tars_hub.engines")
    if not engines.handlers:
        engines.addHandler(_Notes())
        engines.setLevel(logging.INFO)


class _Notes(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _note(record.getMessage())


def _one_line(error: TarsError | OSError) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())


def _say(text: str) -> None:
    print(text, flush=True)


def _note(text: str) -> None:
    print(f"tars: {text}", file=sys.stderr)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (`{self.prog} --help` lists what there is)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="tars", description="Train, keep and show image classifiers on your own machines.")
    parser.add_argument("--version", action="version", version=f"tars {VERSION}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    cli_predict.add_predict(commands.add_parser("predict", help="say what is on pictures"), say=_say, note=_note)
    cli_measure.add_evaluate(commands.add_parser("evaluate", help="measure a model by labelled pictures"), say=_say)
    cli_measure.add_compare(commands.add_parser("compare", help="say which of two models is better"), say=_say)
    _add_demo(commands)
    cli_export.add_export(
        commands.add_parser("export", help="write a model for ONNX Runtime, torch or OpenVINO"), say=_say, note=_note
    )
    cli_hub.add_hub(commands.add_parser("hub", help="keep models and hand them out, as huggingface.co does"), say=_say)
    cli_mirror.add_mirror(
        commands.add_parser("mirror", help="copy models from one hub to another, or to this machine"), say=_say
    )
    _add_import(commands)
    _add_sample(commands)
    listing = commands.add_parser("backbones", help="list the networks that can be trained")
    listing.set_defaults(command=_backbones)
    commands.add_parser("train", help="train a classifier (`tars train --help` lists the flags)", add_help=False)
    return parser


def _add_demo(commands: _Commands) -> None:
    parser = commands.add_parser("demo", help="open a page in the browser that answers about pictures")
    parser.add_argument("--model", metavar="MODEL", help="model folder, repository id or checkpoint file")
    parser.add_argument("--examples", type=Path, metavar="DIR", help="pictures to offer on the page")
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1: this machine alone)")
    parser.add_argument("--port", type=_port, default=7860, help="default 7860; the next free one if taken")
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda … (default: a GPU where there is one)")
    parser.add_argument(
        "--home",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="where the default model is kept (default: this folder)",
    )
    parser.add_argument(
        "--hub-data",
        type=Path,
        metavar="DIR",
        help="without --model: run a hub on the same port, which keeps its data here and the default model in it",
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address and open nothing")
    parser.add_argument("--mcp", action="store_true", help="answer language models, too: an MCP server below /mcp")
    _add_hub_flags(parser)
    parser.set_defaults(command=_demo)


def _add_import(commands: _Commands) -> None:
    parser = commands.add_parser("import", help="make a model folder of an old .pth file")
    parser.add_argument("checkpoint", type=Path, help="a .pth, .pt or .safetensors file of tensors")
    parser.add_argument("output", type=Path, metavar="OUT", help="the model folder to write")
    parser.add_argument("--backbone", metavar="NAME", help="default: the one that fits the tensors")
    parser.add_argument("--classes", metavar="A,B,…", help="names in the order of the outputs")
    parser.add_argument("--img-size", type=_positive, metavar="PX", help="picture side it was trained with")
    parser.add_argument("--ema", action="store_true", help="take the averaged weights where the file has both")
    parser.add_argument("--overwrite", action="store_true", help="replace a model that stands in OUT")
    parser.set_defaults(command=_import)


def _add_sample(commands: _Commands) -> None:
    parser = commands.add_parser("sample", help="write real pictures to train on")
    parser.add_argument("name", choices=["digits"], help="scikit-learn's 1,797 scanned digits")
    parser.add_argument("folder", type=Path, metavar="DIR", help="gets train/ and val/ by class")
    parser.set_defaults(command=_sample)


def _port(text: str) -> int:
    if _positive(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port; the last is 65535")
    return int(text)


def _answers_models(given: argparse.Namespace) -> bool:
    if not given.mcp and os.environ.get("TARS_MCP") != "1":  # a Space is given no flags
        return False
    if find_spec("mcp_types") is None:  # part of the package since its second major version
        raise UsageError(
            "--mcp needs the package mcp, version 2 or later: pip install 'tars-hub[mcp]', "
            "or for a checkout pip install 'mcp>=2'"
        )
    return True


def _demo(given: argparse.Namespace) -> int:
    from tars_hub import demo

    in_space = "SPACE_ID" in os.environ  # Hugging Face sets it: the page is the whole machine's purpose there
    options = demo.Options(
        model=given.model or os.environ.get("TARS_MODEL"),
        home=given.home,
        examples=given.examples,
        host=given.host or ("0.0.0.0" if in_space else "127.0.0.1"),  # noqa: S104  # a Space is reached from outside
        port=given.port,
        device=given.device,
        revision=given.revision,
        endpoint=given.endpoint,
        offline=given.offline,
        mcp=_answers_models(given),
        open_browser=_has_desktop() and not given.no_browser and not in_space,
    )
    if given.hub_data is None or options.model or in_space:
        return demo.show(options, say=_say)
    from tars_hub import together

    return together.show(options, given.hub_data, say=_say)


def _has_desktop() -> bool:
    """Without one, opening a browser could start one made of text in the terminal."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _import(given: argparse.Namespace) -> int:
    from tars_hub.config import WEIGHTS_NAME
    from tars_hub.legacy import import_checkpoint

    if not given.overwrite and (given.output / WEIGHTS_NAME).exists():
        raise UsageError(f"{given.output} already holds a model; choose another folder, or say --overwrite")
    imported = import_checkpoint(
        given.checkpoint,
        backbone=given.backbone,
        classes=given.classes.split(",") if given.classes is not None else None,
        img_size=given.img_size,
        ema=given.ema,
    )
    imported.model.save_pretrained(given.output)
    for note in imported.notes:
        print(note)
    print(f"saved {given.output}")
    return 0


def _sample(given: argparse.Namespace) -> int:
    from tars_hub.digits import write_digits

    counts = write_digits(given.folder)
    print(f"{given.folder}: {counts['train']:,} pictures in train/, {counts['val']:,} in val/, ten classes")
    return 0


def _backbones(_: argparse.Namespace) -> int:
    from tars_hub.backbones import BACKBONES, preprocess_for

    for row in BACKBONES.values():
        size = f"{preprocess_for(row.name).crop_size} px"
        print(f"{row.name:20} {size}{'' if row.fixed_px is None else ', no other size'}")
    return 0


def _train(arguments: list[str]) -> int:
    from tars_hub.training import start_training

    return start_training(arguments)
