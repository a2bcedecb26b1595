"""The output folder before a run: what stands there, and whether it may be replaced or gone on with."""

from __future__ import annotations

import os
from collections.abc import Mapping

from tars_hub.config import CONFIG_NAME, WEIGHTS_NAME, shown
from tars_hub.errors import UsageError
from tars_hub.files import remove_abandoned, tidy

from .config import TrainConfig
from .progress import State
from .state import STATE_NAME, read_state


def check_output(config: TrainConfig) -> None:
    """Refuse, before any work, a folder that cannot be written or holds a model that would be lost."""
    folder = config.output.absolute()
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--output {config.output} is a file; it must be a folder")
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UsageError(f"--output {config.output} cannot be written: {nearest} is read-only for you")
    if not config.dry_run:
        tidy(folder)
        remove_abandoned(folder / STATE_NAME)
    if (folder / STATE_NAME).exists():
        return
    if config.resume:
        raise UsageError(f"--resume: {config.output} holds no unfinished run")
    if not config.overwrite and ((folder / WEIGHTS_NAME).exists() or (folder / CONFIG_NAME).exists()):
        raise UsageError(f"--output {config.output} already holds a model; choose another folder, or say --overwrite")


def unfinished_run(config: TrainConfig) -> State | None:
    """The state of the run that this command goes on with; None where it begins one.

    Raises:
        UsageError: an unfinished run with other settings stands there, and nobody said --overwrite.
    """
    try:
        state = read_state(config.output)
    except UsageError:
        if config.overwrite:
            return None
        raise
    if state is None or state.settings == config.decisive():
        return state
    if config.overwrite and not config.resume:
        return None
    raise UsageError(
        f"--output {config.output} holds an unfinished run with other settings ({_differences(state, config)}); "
        "give its command to go on, or --overwrite to begin anew"
    )


def _differences(state: State, config: TrainConfig) -> str:
    old, new = _flat(state.settings), _flat(config.decisive())
    changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    told = [f"{key} {shown(old.get(key))}, not {shown(new.get(key))}" for key in changed[:3]]
    return "; ".join(told) + (" …" if len(changed) > 3 else "")


def _flat(settings: Mapping[str, object]) -> dict[str, object]:
    recipe = settings.get("recipe")
    return {**settings, **(recipe if isinstance(recipe, dict) else {}), "recipe": None}
