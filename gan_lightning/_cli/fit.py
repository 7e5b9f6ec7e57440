"""`gan-lightning fit`: LightningCLI with this library's classes, links, defaults and run folder."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.cli import LightningCLI

import gan_lightning.data
import gan_lightning.families
import gan_lightning.networks
import gan_lightning.optim
import gan_lightning.regularizers  # noqa: F401  (short names are found among imported classes)
from gan_lightning._cli import closing, loggers, run_dir
from gan_lightning._cli.defaults import (
    TRAINER,
    default_callbacks,
    several_processes,
    without_false_alarms,
)
from gan_lightning._cli.parser import Parser
from gan_lightning.callbacks import RunRecorder
from gan_lightning.cli.errors import PROG
from gan_lightning.cli.recipes import check_resumable
from gan_lightning.families.base import AbstractGAN, read_checkpoint
from gan_lightning.runs import RunDirectory

__all__ = ["fit"]

_NETWORKS = ("generator", "discriminator", "encoder")
_DESCRIPTION = """\
Train a GAN. --config takes a file or the name of a recipe (`gan-lightning recipes` lists them), any
of its keys can be overridden by an option, and classes are named without their module: --model
NonSaturatingGAN."""


def fit(args: Sequence[str], name: str | None) -> int:
    """Train.

    Args:
        args: the arguments after ``fit``, recipes replaced by their files.
        name: of the configuration, for the run directory; None takes the family's.

    Returns:
        The exit status: 130 after Ctrl-C, else 0.

    Raises:
        ValueError: if the run cannot be started as configured.
    """
    command = _Fit(list(args), name)
    with without_false_alarms():
        try:
            command.build_and_run()
        except MisconfigurationException as error:  # Lightning's word for a mistake of the user
            raise ValueError(str(error)) from error
        finally:
            loggers.finish_wandb()
            if command.run is not None and not command.resumed:
                run_dir.forget(command.run)
    return command.status


class _Fit(LightningCLI):
    """The command, as LightningCLI wants it: its constructor does everything."""

    def __init__(self, args: list[str], name: str | None) -> None:
        self.args = args
        self.name = name
        self.run: RunDirectory | None = None
        self.resumed = False
        self.config_text = ""
        self.status = 0

    def build_and_run(self) -> None:
        """Parse, build and train."""
        super().__init__(
            AbstractGAN,
            lightning.LightningDataModule,
            save_config_callback=None,  # ours is written atomically, and not again on a resume
            trainer_defaults=TRAINER,
            seed_everything_default=0,
            parser_kwargs={"prog": PROG, "fit": {"description": _DESCRIPTION}},
            parser_class=Parser,
            subclass_mode_model=True,
            subclass_mode_data=True,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,  # a run directory is loaded by `gan_lightning.load`
        )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Only training; the other commands read run directories."""
        return {"fit": {"model", "train_dataloaders", "val_dataloaders", "datamodule"}}

    def add_arguments_to_parser(self, parser: Any) -> None:
        """Where the run lives, and what the data and the family tell the networks."""
        parser.add_argument(
            "--run_dir", type=str | None, help="folder of the run (runs/<recipe>/<date>_<time>)"
        )
        parser.add_argument(
            "--resume",
            type=str | None,
            help="go on with the run in this folder, instead of --config",
        )
        for fact in ("image_shape", "num_classes"):
            for owner in ("", *(f"{network}.init_args." for network in _NETWORKS)):
                target = f"model.init_args.{owner}{fact}"
                parser.link_arguments(f"data.{fact}", target, apply_on="instantiate")
        for network in _NETWORKS:
            target = f"model.init_args.{network}.init_args.latent_dim"
            parser.link_arguments("model.init_args.latent_dim", target, apply_on="parse")

    def parse_arguments(self, parser: Any, args: Any) -> None:
        """Parse what the front door passed on; `sys.argv` stays as it is for other processes."""
        self.config = parser.parse_args(["fit", *self.args])

    def _parse_ckpt_path(self) -> None:
        """Weights come from a checkpoint, the configuration never does."""

    def before_instantiate_classes(self) -> None:
        """Settle limits, folder and loggers before any data are read."""
        config = self.config.fit
        _require_limit(config.trainer)
        self.config_text = run_dir.rerunnable(self._parser("fit"), config)
        self.resumed = config.resume is not None
        if self.resumed:
            self.run = self._resumed_run(config)
        elif config.trainer.fast_dev_run:
            return
        else:
            family = config.model.class_path.rsplit(".", 1)[-1]
            self.run = run_dir.choose(config.run_dir, self.name or family)
        loggers.prepare(config.trainer.logger, self.run, self.resumed)

    def _resumed_run(self, config: Any) -> RunDirectory:
        run = check_resumable(RunDirectory(config.resume))
        if config.run_dir is not None and Path(config.run_dir).resolve() != run.path.resolve():
            raise ValueError(
                f"`--run_dir` must be left out with `--resume`, which goes on in '{run.path}', "
                f"got '{config.run_dir}'."
            )
        config.ckpt_path = str(_checkpoint(run, config.ckpt_path))
        weights_only = config.get("weights_only") is not False  # Lightning 2.6 has it
        _require_steps_left(config.ckpt_path, config.trainer.max_steps, weights_only)
        return run

    def instantiate_trainer(self, **kwargs: Any) -> lightning.Trainer:
        """Add the defaults that the user did not replace."""
        trainer = dict(self._get(self.config_init, "trainer"))
        given = trainer["callbacks"] or []
        given = list(given) if isinstance(given, list | tuple) else [given]
        run = self.run
        _refuse_another_folder(given, run)
        if run is None:  # a trial run leaves nothing behind
            added = default_callbacks(RunDirectory("."), given, trainer)
        else:
            added = [run_dir.SaveConfig(run, self.config_text)]
            added += default_callbacks(run, given, trainer)
            trainer["default_root_dir"] = str(run.path)
        settings = {**trainer, **several_processes(trainer), **kwargs}
        return lightning.Trainer(**{**settings, "callbacks": [*added, *given]})

    def fit(self, model: AbstractGAN, **kwargs: Any) -> None:
        """Train, then sum up; LightningCLI calls this for the sub-command of the same name."""
        if "weights_only" in kwargs:  # Lightning 2.6 has it
            kwargs["weights_only"] = kwargs["weights_only"] is not False
        try:
            self.trainer.fit(model, **kwargs)
        except SystemExit:  # Lightning's answer to Ctrl-C
            if not self.trainer.interrupted:
                raise
            self.status = 130
        if self.run is None or not self.trainer.is_global_zero:
            return
        if self.trainer.interrupted:
            print(closing.after_interrupt(self.run), file=sys.stderr)
        else:
            closing.show(self.run)


def _refuse_another_folder(callbacks: Sequence[Any], run: RunDirectory | None) -> None:
    """A recorder of the user's must not split the run over two folders."""
    for callback in callbacks:
        if run is None or not isinstance(callback, RunRecorder):
            continue
        if callback.run.path.resolve() != run.path.resolve():
            raise ValueError(
                f"`run_dir` of RunRecorder must be the folder of the run, '{run.path}', got "
                f"'{callback.run.path}'; leave the callback out, `--run_dir` chooses the folder."
            )


def _require_limit(trainer: Any) -> None:
    for name in ("max_steps", "max_epochs"):
        if trainer[name] == 0:
            raise ValueError(f"`trainer.{name}` must be at least 1, got 0.")
    endless = trainer.max_steps == -1 and trainer.max_epochs in (None, -1)
    if endless and trainer.max_time is None and not trainer.fast_dev_run:
        raise ValueError(
            "`trainer.max_steps`, `trainer.max_epochs` or `trainer.max_time` must say when to "
            "stop, got none of them."
        )


def _checkpoint(run: RunDirectory, given: str | None) -> Path:
    """The file to go on from: a path, or the name of one of the run's checkpoints."""
    if given is None or given == "last":
        return run.last_checkpoint
    for file in (Path(given), run.checkpoints / given):
        if file.is_file():
            return file
    raise FileNotFoundError(
        f"`--ckpt_path` must be an existing file, or the name of one in '{run.checkpoints}', "
        f"got '{given}'."
    )


def _require_steps_left(checkpoint: str, max_steps: int, weights_only: bool) -> None:
    content = read_checkpoint(
        checkpoint, argument="--ckpt_path", weights_only=weights_only, mmap=True
    )
    done = content.get("global_step", 0)
    if 0 <= max_steps <= done:
        raise ValueError(
            f"`trainer.max_steps` must be more than the {done} steps that the run has made, "
            f"got {max_steps}."
        )
