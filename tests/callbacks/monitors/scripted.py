"""A monitor that says what it is told to; as a script, two processes: `scripted.py FOLDER`."""

import os
import sys
import warnings
from pathlib import Path

import gan_lightning  # noqa: F401  (before torchvision, see gan_lightning/_torchvision.py)

# isort: split

import lightning
import torch
from support import mlp_game, points

from gan_lightning.callbacks.monitors.failure_monitors import FailureMonitors
from gan_lightning.callbacks.monitors.monitor import AbstractMonitor
from gan_lightning.callbacks.monitors.observer import Observer
from gan_lightning.callbacks.monitors.verdict import Evidence, Finding
from gan_lightning.families import NonSaturatingGAN


class Odd(Exception):
    """Can be raised, but not pickled: it is made from two arguments and remembers one."""

    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")


class Scripted(AbstractMonitor):
    """Finds a collapse at some looks, counted from 1; or fails there."""

    def __init__(self, looks, observer=None, action="warn", fails=False, error=None):
        super().__init__(action, observer=observer)
        self.looks, self.fails, self.error = looks, fails, error
        self.judged = []

    def judge(self, history):
        self.judged.append(len(history))
        if len(history) not in self.looks:
            return []
        if self.error is not None:
            raise self.error
        if self.fails:
            _ = 1 / 0
        value = history["pairwise"][-1]  # a number of NumPy
        evidence = Evidence("pairwise", value, 2.0, above=False, was=value)
        return [Finding("mode collapse", history.steps[-1], (evidence,), 1.0)]

    def note(self, finding, module, history):
        return "by hand"


CASES = {
    "stop": (8, lambda: Scripted({3}, Observer(2, 8), "stop")),
    "fails": (8, lambda: Scripted({2}, Observer(2, 8), fails=True)),
    "fails, not picklable": (8, lambda: Scripted({2}, Observer(2, 8), error=Odd(1, 2))),
    "defaults": (45, FailureMonitors),
}


def run(name):
    """One case on this process."""
    steps, make = CASES[name]
    monitor, module, error = make(), mlp_game(NonSaturatingGAN), ""
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=2,
        strategy="ddp_find_unused_parameters_true",
        max_steps=steps,
        max_epochs=-1,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        callbacks=[monitor],
    )
    try:
        trainer.fit(module, datamodule=points())
    except Exception as failure:
        error = f"{type(failure).__name__}: {failure}"
    found = {
        "step": trainer.global_step,
        "error": error,
        "looks": list(monitor.driver.history.steps),
        "verdicts": [verdict.as_dict() for verdict in monitor.driver.verdicts],
        "state": module.state_dict(),
    }
    return int(os.environ["RANK"]), found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    ends = {}
    for case in CASES:
        rank, ends[case] = run(case)
    torch.save(ends, Path(sys.argv[1]) / f"rank{rank}.pt")
