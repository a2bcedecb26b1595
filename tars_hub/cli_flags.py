"""Flags that several commands of `tars` share."""

from __future__ import annotations

import argparse


def add_hub_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--revision", metavar="REV", help="branch, tag or commit of a repository")
    hubs = parser.add_mutually_exclusive_group()
    hubs.add_argument("--endpoint", metavar="URL", help="the hub's address (default: HF_ENDPOINT, huggingface.co)")
    hubs.add_argument("--offline", action="store_true", help="ask no hub: take what `tars mirror` put on this machine")


def positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def add_machine_flags(parser: argparse.ArgumentParser, *, batch_size: int) -> None:
    """`--batch-size` and `--device`."""
    parser.add_argument("--batch-size", type=positive, default=batch_size, metavar="N", help=f"default {batch_size}")
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda … (default: a GPU where there is one)")
