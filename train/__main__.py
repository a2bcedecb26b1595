"""`python -m train …`: flags in, a model folder out; errors are one line and exit code 2."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence

from tars_hub.config import printable
from tars_hub.errors import TarsError

from .config import TrainConfig
from .console import Console
from .flags import parse

_ADVICE = {
    "out of memory": "the device's memory is full; a smaller --batch-size, or --set accumulate=2, takes less",
    "does not have a deterministic implementation": (
        "--deterministic: this backbone has no repeatable way to be trained on this device; cpu has, and resnet50 does"
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run once; returns the process's exit code: 0 done, 2 nothing could be done, 130 stopped by a person."""
    console = Console()
    try:
        config = parse(sys.argv[1:] if arguments is None else arguments)
        # torch takes seconds to import: --help and wrong flags need not wait.
        with _terminated_as_interrupted():
            return _dry_run(config, console) if config.dry_run else _run(config, console)
    except KeyboardInterrupt:
        console.line("stopped; what was saved before stays, and the same command goes on from there")
        return 130
    except (TarsError, OSError) as error:
        if os.environ.get("LOCAL_RANK", "0") == "0":  # of the processes on a machine, which fail alike, one speaks
            print(f"tars: {printable(describe(error))}", file=sys.stderr)  # noqa: T201  # the edge
        return 2
    except RuntimeError as error:  # torch's own, of what a person can mend
        known = next((advice for words, advice in _ADVICE.items() if words in str(error)), None)
        if known is None:
            raise
        print(f"tars: {known}", file=sys.stderr)  # noqa: T201  # the edge
        return 2


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let a system that shuts down stop a run as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _run(config: TrainConfig, console: Console) -> int:
    from .epochs import InterruptedRunError
    from .finish import announce
    from .run import run

    try:
        result = run(config, console)
    except InterruptedRunError as stopped:
        console.line(str(stopped))
        return 130
    if result.report is not None:
        if result.skipped:
            console.line(f"{result.skipped} picture{'s' * (result.skipped > 1)} could not be read and left out")
        announce(console, result.report)
        console.line(
            f"saved {config.output}: epoch {result.best_epoch}, proven on real files: the saved model's "
            f"probabilities differ by at most {result.progress.parity['largest_difference']:.1g}"
        )
        console.line(_next_step(config))
    return 0


def _dry_run(config: TrainConfig, console: Console) -> int:
    from .rehearsal import rehearse

    rehearse(config, console)
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
