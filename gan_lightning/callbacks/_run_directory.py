"""Where a callback that was given no folder of its own writes."""

import lightning

from gan_lightning.callbacks._trainer import callbacks_of
from gan_lightning.callbacks.recorder import RunRecorder
from gan_lightning.runs import RunDirectory


def run_directory(trainer: lightning.Trainer) -> RunDirectory:
    """Find the run's folder.

    Args:
        trainer: the trainer whose callbacks are looked through.

    Returns:
        The run recorder's folder; without a recorder, the trainer's ``default_root_dir``.
    """
    for callback in callbacks_of(trainer):
        if isinstance(callback, RunRecorder):
            return callback.run
    return RunDirectory(trainer.default_root_dir)
