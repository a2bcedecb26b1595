"""The run: from a TrainConfig to a saved model; here its parts are put together."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from tars_hub import backbones
from tars_hub.config import ModelConfig
from tars_hub.errors import ConfigError, DataError, UsageError, WeightsError
from tars_hub.model import TarsClassifier

from .announce import announce_run
from .batches import default_workers
from .config import TrainConfig
from .console import Console
from .data import PictureFolder, scan
from .epochs import train_all
from .finish import Report, check_unknown, finish
from .head import fit_head
from .keep import Keeper, best_row
from .layers import freeze, trains_batch_norm
from .learner import Learner
from .loop import Run
from .output import check_output, unfinished_run
from .processes import Processes, Watch, started
from .progress import Progress, State
from .provenance import provenance
from .reading import training_reader, validation_reader
from .recipe import Recipe
from .sound import check_fits
from .start import Start, fetch, heads_of, make_model
from .state import read_mark, read_tensors, refusal


@dataclass(frozen=True)
class Result:
    """What a run ended with; there is no report in processes other than the main one."""

    progress: Progress
    report: Report | None
    skipped: int

    @property
    def best_epoch(self) -> int:
        """The one that was kept; 0 is the head alone."""
        return int(best_row(self.progress)["epoch"] or 0)


def run(config: TrainConfig, console: Console) -> Result:
    """Train, and leave the best epoch in `config.output`.

    Raises:
        InterruptedRunError: somebody stopped it; everything so far is saved.
        TarsError: something a person can mend; where an epoch was already kept, it stays.
    """
    check_output(config)
    check_unknown(config)
    waiting = unfinished_run(config)
    mark = waiting.mark if waiting else read_mark(config.output)
    with started(config) as processes:
        console.only_if(main=processes.is_main)
        _check_agreement(processes, waiting and waiting.mark, "--output", config.output)
        start = None if waiting else _fetched(config, processes)
        folder = scan(config.data, seed=config.seed)
        fingerprint = folder.fingerprint()
        _check_agreement(processes, fingerprint, "--data", config.data)
        if waiting and waiting.fingerprint != fingerprint:
            _refuse_other_pictures(config)
            waiting, start = None, _fetched(config, processes)
        model = _rebuilt(waiting, config) if waiting else make_model(_given(start), config, folder.classes)
        state = waiting or State(
            settings=config.decisive(),
            fingerprint=fingerprint,
            model=model.config.to_dict(),
            repository=_given(start).repository,
            facts=provenance(config, folder, processes, fingerprint),
            progress=Progress(),
        )
        freeze(model.backbone, heads_of(model.config.backbone), config.freeze)
        this = set_up(config, console, processes, folder, model, state.progress)
        return _train(this, model, state, start, mark)


def _train(this: Run, model: TarsClassifier, state: State, start: Start | None, mark: str | None) -> Result:
    """Train a new model, or, where `start` is None, go on with the state's; `mark` is of the state that lies there."""
    model.to(device=this.processes.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    heads = heads_of(model.config.backbone)
    announce_run(this, model, state, going_on=start is None)
    fresh_head = start is not None and start.network is not None and start.classes != model.config.classes
    if start is not None and not fresh_head and this.config.how.epochs == 0:
        raise UsageError("--epochs 0 fits a new head and nothing else; this model's head stays, so give it epochs")
    fitted = fit_head(this, model.backbone, heads[0]) if fresh_head and this.config.how.head_first else None
    learner = Learner(model, heads, this.config, this.processes, updates=_updates(this, state.progress))
    if start is None:
        _go_on(this, learner, model, state)
    keeper = Keeper(this=this, learner=learner, state=state, mark=mark)
    keeper.show_batch()
    train_all(this, learner, keeper, fitted)
    return Result(state.progress, this.processes.once(lambda: finish(this, keeper)), len(this.console.broken))


def _go_on(this: Run, learner: Learner, model: TarsClassifier, state: State) -> None:
    classes, epochs = this.folder.classes, this.config.how.epochs
    try:
        check_fits(state, classes=model.config.classes, known=classes, steps=len(this.plan(1)), epochs=epochs)
        learner.fill(read_tensors(this.config.output), state.scaler)
    except (ConfigError, WeightsError, ValueError, KeyError, RuntimeError) as error:
        raise refusal(this.config.output, error) from error
    if not this.processes.is_main:
        state.progress.forget_figures()


def set_up(
    config: TrainConfig,
    console: Console,
    processes: Processes,
    folder: PictureFolder,
    model: TarsClassifier,
    progress: Progress,
) -> Run:
    """What all epochs of a run share."""
    prepare = model.config.preprocess
    return Run(
        config=config,
        console=console,
        folder=folder,
        prepare=prepare,
        processes=processes,
        watch=Watch(processes, already_s=progress.elapsed_s),
        train_read=training_reader(folder.train, prepare, config.augment, seed=config.seed),
        val_read=validation_reader(folder.val, prepare),
        workers=default_workers(processes.count) if config.workers is None else config.workers,
        accumulate=config.how.accumulate * _halves(model, config.how, processes),
    )


def _halves(model: TarsClassifier, how: Recipe, processes: Processes) -> int:
    """2 where one process computes a batch in halves, as two would.

    The sum of two halves has the same bits in either case, so that both train the same weights. A CPU loses nothing
    by it; a GPU would, and BatchNorm's statistics need the whole batch.
    """
    alone_on_cpu = processes.count == 1 and processes.device.type == "cpu"
    return 2 if alone_on_cpu and not trains_batch_norm(model.backbone, how.batch_norm) else 1


def _fetched(config: TrainConfig, processes: Processes) -> Start:
    with processes.accelerator.local_main_process_first():  # one download a machine
        return fetch(config)


def _given(start: Start | None) -> Start:
    assert start is not None  # noqa: S101  # a run without a state has a start
    return start


def _rebuilt(state: State, config: TrainConfig) -> TarsClassifier:
    """The classifier of an unfinished run, its weights still to be filled in."""
    try:
        model = ModelConfig.from_dict(state.model)
        if config.model not in (None, model.backbone):
            raise UsageError(f"its model is a {model.backbone}")
        return TarsClassifier(model, backbones.build(model.backbone, model.num_classes))
    except (ConfigError, UsageError) as error:
        raise refusal(config.output, error) from error


def _updates(this: Run, progress: Progress) -> int:
    return (progress.epoch - 1) * len(this.plan(1)) + progress.step


def _refuse_other_pictures(config: TrainConfig) -> None:
    if not config.overwrite:
        raise DataError(
            f"the pictures in {config.data} are not those that the run in {config.output} began with; "
            "--overwrite begins anew"
        )


def _check_agreement(processes: Processes, seen: object, flag: str, folder: object) -> None:
    if len(set(processes.gather([seen]))) > 1:
        raise UsageError(f"{flag} {folder} is not the same for all processes; it must be shared by all machines")
