"""`python -m train …`: flags in, a model folder out; errors are one line and exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tars_hub.errors import TarsError

from .config import TrainConfig, parse
from .console import Console


def main(arguments: Sequence[str] | None = None) -> int:
    """Run once; returns the process's exit code."""
    console = Console()
    try:
        config = parse(sys.argv[1:] if arguments is None else arguments)
        from .run import run  # torch, seconds to import: --help and wrong flags need not wait

        result = run(config, console)
    except KeyboardInterrupt:
        console.line("stopped; the best epoch so far, if one was finished, stays in the output folder")
        return 130
    except (TarsError, OSError) as error:
        print(f"tars: {describe(error)}", file=sys.stderr)  # noqa: T201  # the edge
        return 2
    if result.skipped:
        console.line(f"{result.skipped} pictures could not be read and were skipped")
    console.line(
        f"saved {config.output}: epoch {result.best.epoch}, {result.best.val_accuracy:.2%} of "
        f"{result.pictures:,} validation pictures right (they also chose the epoch)"
    )
    console.line(_next_step(config))
    return 0


def describe(error: TarsError | OSError) -> str:
    """One line; the system's own errors with the file they are about."""
    if isinstance(error, TarsError):
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


def _next_step(config: TrainConfig) -> str:
    return f"try it: python -m tars_hub predict {config.output} PICTURE, or python app.py --model {config.output}"


if __name__ == "__main__":
    sys.exit(main())
