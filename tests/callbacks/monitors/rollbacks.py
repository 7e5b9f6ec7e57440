"""Runs whose players go back to an earlier checkpoint, for the tests of that."""

from functools import partial

import torch
from lightning.pytorch.callbacks import Callback
from support import LATENT, points, trainer
from torch import nn

from gan_lightning.callbacks import GANCheckpoint
from gan_lightning.callbacks.monitors.verdict import Verdict
from gan_lightning.families import NonSaturatingGAN

SCHEDULE = partial(torch.optim.lr_scheduler.StepLR, step_size=3, gamma=0.9)


def stateful_game(seed=0, **kwargs):
    """Batch norm, dropout, schedules, moments, an average."""
    torch.manual_seed(seed)
    generator = nn.Sequential(
        nn.Linear(LATENT, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2)
    )
    discriminator = nn.Sequential(
        nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.Linear(16, 1)
    )
    arguments = {
        "generator_scheduler": SCHEDULE,
        "discriminator_scheduler": SCHEDULE,
        "ema_halflife": 64.0,
    }
    return NonSaturatingGAN(generator, discriminator, LATENT, **(arguments | kwargs))


class Act(Callback):
    """Lets an action act at given steps, each with the step since which there is a failure.

    Nothing is wrong at the steps of `healthy`; None are all others.
    """

    def __init__(self, action, at=None, healthy=None):
        self.action, self.at, self.healthy = action, at or {}, healthy
        self.done, self.before, self.after = [], [], []

    def on_train_start(self, trainer, module):
        self.action.start(trainer, module)

    def on_train_batch_end(self, trainer, module, *args):
        step = trainer.global_step
        if module.generator_stepped and self._healthy(step):
            self.action.healthy(trainer, module)
        if not module.generator_stepped or step not in self.at:
            return
        verdict = Verdict("mode collapse", self.at[step], (), 1.0)
        self.before.append(picture(trainer, module))
        self.done.append(self.action.act(trainer, module, verdict))
        self.after.append(picture(trainer, module))

    def _healthy(self, step):
        if self.healthy is not None:
            return step in self.healthy
        return not any(since <= step <= at for at, since in self.at.items())

    def state_dict(self):
        return {"action": self.action.state_dict()}

    def load_state_dict(self, state):
        self.action.load_state_dict(state["action"])


def picture(trainer, module):
    """Everything that moves, copied."""
    return {
        "counters": (trainer.global_step, module.discriminator_updates, module.images_seen),
        "weights": {name: x.clone() for name, x in module.state_dict().items()},
        "moments": [
            {i: {k: v.clone() for k, v in s.items()} for i, s in o.state_dict()["state"].items()}
            for o in trainer.optimizers
        ],
        "rates": [[group["lr"] for group in o.param_groups] for o in trainer.optimizers],
    }


def run(folder, *callbacks, game=None, steps=16, every=2, keep=-1, resume=None, **kwargs):
    game = stateful_game() if game is None else game
    checkpoint = GANCheckpoint(folder, every_n_steps=every, keep=keep)
    t = trainer(max_steps=steps, callbacks=[*callbacks, checkpoint], **kwargs)
    t.fit(game, points(), ckpt_path=resume, weights_only=True if resume else None)
    return game, t


def copy_files(source, target, until):
    """What the folder of a run's checkpoints held after a step."""
    target.mkdir()
    for path in [source / "untrained.ckpt", *source.glob("step=*.ckpt")]:
        if path.exists() and int(path.stem.partition("=")[2] or 0) <= until:
            (target / path.name).write_bytes(path.read_bytes())
