"""How a run ended, on services that show a run by its summary."""

import lightning
from lightning.pytorch.loggers import WandbLogger


def summarise_outcome(trainer: lightning.Trainer, outcome: str) -> None:
    """Write an outcome into the summary of every W&B run; call it on the first process alone.

    Args:
        trainer: the trainer whose loggers are told.
        outcome: as in run.json.
    """
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.summary["outcome"] = outcome
